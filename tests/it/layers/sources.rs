//! Parses Rust sources and resolves what they name: to the file that defines it, or to a path outside of the crate.
//!
//! Names are resolved without types, so methods are known by their name alone. Where a name has several meanings (an
//! import inside a function, a `cfg`), all of them count.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Signature, TraitItem, UseTree};

/// A path's segments.
type Path = Vec<String>;

/// Sources whose names are resolved.
pub struct Sources {
    /// As they were given; a test module's file names nothing.
    pub files: Vec<File>,
}

/// One file, and what it names outside of test modules.
pub struct File {
    /// Below `src`, such as `domain/verdict.rs`.
    pub name: String,
    /// Other files of the crate, by index, with the line that first names them.
    pub arrows: BTreeMap<usize, usize>,
    /// What is not the crate's, with the line: paths such as `std::fs::read`, and `.method()`, `macro!`, `async`.
    pub foreign: BTreeSet<(String, usize)>,
    module: Path,
}

impl File {
    /// Whether one of the two modules is declared in the other.
    pub fn is_parent_or_child(&self, other: &Self) -> bool {
        let parent =
            |a: &Self, b: &Self| b.module.split_last().is_some_and(|(_, up)| up == a.module);
        parent(self, other) || parent(other, self)
    }
}

/// What a name means in a module.
enum Meaning {
    /// An item that stands there.
    Item,
    /// Another name for this path: an import, a re-export, a type alias.
    Alias(Path),
}

#[derive(Default)]
struct Module {
    file: usize,
    names: BTreeMap<String, Vec<Meaning>>,
    globs: Vec<Path>,
}

enum Target {
    File(usize),
    Foreign(Path),
}

/// More steps than this have no end: names that mean each other.
const MAX_STEPS: usize = 24;

impl Sources {
    /// Reads files: name below `src`, text.
    pub fn parse(files: &[(&str, &str)]) -> Self {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for (index, (name, text)) in files.iter().enumerate() {
            let module: Path = (name.trim_end_matches(".rs").split('/'))
                .filter(|part| !["mod", "lib"].contains(part))
                .map(str::to_owned)
                .collect();
            reader.open(index, module.clone());
            let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            reader.visit_file(&parsed);
            let (arrows, foreign) = (BTreeMap::new(), BTreeSet::new());
            found.push(File { name: (*name).to_owned(), arrows, foreign, module });
        }
        let Reader { modules, mentions, test_modules, .. } = reader;
        let names = Names(modules);
        let is_test = |module: &Path| test_modules.iter().any(|test| module.starts_with(test));
        for Mention { file, line, module, path } in mentions {
            if is_test(&module) {
                continue;
            }
            for target in names.resolve(&module, &path, MAX_STEPS) {
                match target {
                    Target::File(other) if other == file => {}
                    Target::File(other) => {
                        found[file].arrows.entry(other).or_insert(line);
                    }
                    Target::Foreign(path) => {
                        found[file].foreign.insert((path.join("::"), line));
                    }
                }
            }
        }
        Self { files: found }
    }

    /// Which file names which, by index, and the line that does so first.
    pub fn arrows(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.files
            .iter()
            .enumerate()
            .flat_map(|(from, file)| file.arrows.iter().map(move |(&to, &line)| (from, to, line)))
    }
}

struct Names(BTreeMap<Path, Module>);

impl Names {
    /// What a path means that is written in this module.
    fn resolve(&self, module: &[String], path: &[String], steps: usize) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        match first.as_str() {
            "" => vec![Target::Foreign(rest.to_vec())], // `::std`
            "crate" | "sekisho" => self.descend(&[], rest, steps),
            "self" | "super" => self.descend(module, path, steps),
            _ if self.knows(module, first) => self.descend(module, path, steps),
            _ => {
                let mut all = vec![Target::Foreign(path.to_vec())];
                for glob in self.0.get(module).into_iter().flat_map(|module| &module.globs) {
                    if steps > 0 {
                        let longer = [glob.as_slice(), path].concat();
                        all.extend(self.resolve(module, &longer, steps - 1));
                    }
                }
                all
            }
        }
    }

    fn knows(&self, module: &[String], name: &str) -> bool {
        let child = [module, &[name.to_owned()]].concat();
        self.0.contains_key(&child)
            || self.0.get(module).is_some_and(|module| module.names.contains_key(name))
    }

    /// What a path means below this module.
    fn descend(&self, at: &[String], path: &[String], steps: usize) -> Vec<Target> {
        let (Some(module), Some(steps)) = (self.0.get(at), steps.checked_sub(1)) else {
            return Vec::new();
        };
        let here = || vec![Target::File(module.file)];
        let Some((name, rest)) = path.split_first() else { return here() };
        match name.as_str() {
            "self" => return self.descend(at, rest, steps),
            "super" => return self.descend(&at[..at.len().saturating_sub(1)], rest, steps),
            "*" => return self.all_names(at, steps),
            _ => {}
        }
        let child = [at, std::slice::from_ref(name)].concat();
        if self.0.contains_key(&child) {
            return self.descend(&child, rest, steps);
        }
        let Some(meanings) = module.names.get(name) else {
            let mut all = here();
            for glob in &module.globs {
                let longer = [glob.as_slice(), path].concat();
                all.extend(self.resolve(at, &longer, steps));
            }
            return all;
        };
        let follow = |meaning: &Meaning| match meaning {
            Meaning::Item => here(),
            // `use jiff;`: its first segment cannot be the name that it declares.
            Meaning::Alias(path) if path.first() == Some(name) => {
                vec![Target::Foreign([path, rest].concat())]
            }
            Meaning::Alias(path) => self.resolve(at, &[path, rest].concat(), steps),
        };
        meanings.iter().flat_map(follow).collect()
    }

    /// Where the names of a module come from that `use module::*` brings in.
    fn all_names(&self, at: &[String], steps: usize) -> Vec<Target> {
        let Some(module) = self.0.get(at) else { return Vec::new() };
        let names = module
            .names
            .keys()
            .flat_map(|name| self.descend(at, std::slice::from_ref(name), steps));
        std::iter::once(Target::File(module.file)).chain(names).collect()
    }
}

/// A path, and where it is written.
struct Mention {
    file: usize,
    line: usize,
    module: Path,
    path: Path,
}

#[derive(Default)]
struct Reader {
    file: usize,
    module: Path,
    modules: BTreeMap<Path, Module>,
    mentions: Vec<Mention>,
    test_modules: Vec<Path>,
}

impl Reader {
    fn open(&mut self, file: usize, module: Path) {
        self.file = file;
        self.modules.insert(module.clone(), Module { file, ..Module::default() });
        self.module = module;
    }

    fn declare(&mut self, name: &syn::Ident, meaning: Meaning) {
        if let Some(module) = self.modules.get_mut(&self.module) {
            module.names.entry(name.unraw().to_string()).or_default().push(meaning);
        }
    }

    fn mention(&mut self, line: usize, path: Path) {
        // `Secret::expose` is a call as well, if later.
        if let [_, .., last] = path.as_slice()
            && last == "expose"
        {
            self.note(line, ".expose()");
        }
        self.mentions.push(Mention { file: self.file, line, module: self.module.clone(), path });
    }

    /// What is not a path.
    fn note(&mut self, line: usize, what: &str) {
        self.mention(line, vec![what.to_owned()]);
    }

    fn import(&mut self, line: usize, prefix: &mut Path, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.unraw().to_string());
                self.import(line, prefix, &path.tree);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(line, prefix, tree);
                }
            }
            UseTree::Glob(_) => {
                if let Some(module) = self.modules.get_mut(&self.module) {
                    module.globs.push(prefix.clone());
                }
                self.mention(line, [prefix.as_slice(), &["*".to_owned()]].concat());
            }
            UseTree::Name(name) => self.import_as(line, prefix, &name.ident, None),
            UseTree::Rename(it) => self.import_as(line, prefix, &it.ident, Some(&it.rename)),
        }
    }

    fn import_as(
        &mut self,
        line: usize,
        prefix: &[String],
        ident: &syn::Ident,
        rename: Option<&syn::Ident>,
    ) {
        let mut path = prefix.to_vec();
        if ident == "self"
            && rename.is_none()
            && let Some(last) = prefix.last()
        {
            self.declare(&syn::Ident::new(last, ident.span()), Meaning::Alias(path.clone()));
        } else {
            if ident != "self" {
                path.push(ident.unraw().to_string());
            }
            self.declare(rename.unwrap_or(ident), Meaning::Alias(path.clone()));
        }
        self.mention(line, path);
    }

    /// Paths in the tokens of a macro or an attribute.
    fn tokens(&mut self, stream: TokenStream, prefix: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
        let colons = |at: usize| punct(at, ':') && punct(at + 1, ':');
        let group = |at: usize| match tokens.get(at) {
            Some(TokenTree::Group(group)) => Some(group),
            _ => None,
        };
        let mut at = 0;
        while at < tokens.len() {
            let start = at;
            at += 1;
            let ident = match &tokens[start] {
                TokenTree::Group(group) => {
                    self.tokens(group.stream(), &[]);
                    continue;
                }
                TokenTree::Ident(ident) => ident,
                _ => continue,
            };
            let line = ident.span().start().line;
            let mut path = prefix.to_vec();
            path.push(ident.unraw().to_string());
            while colons(at)
                && let Some(TokenTree::Ident(ident)) = tokens.get(at + 2)
            {
                path.push(ident.unraw().to_string());
                at += 3;
            }
            if start > 0 && punct(start - 1, '.') {
                if group(at).is_some_and(|group| group.delimiter() == Delimiter::Parenthesis) {
                    self.note(line, &format!(".{ident}()"));
                }
                if ident == "await" {
                    self.note(line, "async");
                }
            } else if colons(at)
                && let Some(list) = group(at + 2)
            {
                // A nested `use`.
                self.tokens(list.stream(), &path);
                at += 3;
            } else if punct(at, '!') && group(at + 1).is_some() {
                self.note(line, &format!("{}!", path[path.len() - 1]));
            } else if ident == "async" {
                self.note(line, "async");
            }
            if path.len() > 1 {
                self.mention(line, path);
            }
        }
    }

    fn path_of(path: &syn::Path) -> Path {
        let colon = path.leading_colon.as_ref().map(|_| String::new());
        let names = path.segments.iter().map(|segment| segment.ident.unraw().to_string());
        colon.into_iter().chain(names).collect()
    }
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        if attributes_of(item).iter().any(is_test_only) {
            if let Item::Mod(module) = item {
                let name = module.ident.unraw().to_string();
                self.test_modules.push([self.module.as_slice(), &[name]].concat());
            }
            return;
        }
        match item {
            Item::Const(it) => self.declare(&it.ident, Meaning::Item),
            Item::Enum(it) => self.declare(&it.ident, Meaning::Item),
            Item::Fn(it) => self.declare(&it.sig.ident, Meaning::Item),
            Item::Static(it) => self.declare(&it.ident, Meaning::Item),
            Item::Struct(it) => self.declare(&it.ident, Meaning::Item),
            Item::Trait(it) => self.declare(&it.ident, Meaning::Item),
            Item::Union(it) => self.declare(&it.ident, Meaning::Item),
            Item::Macro(it) => {
                if let Some(name) = &it.ident {
                    self.declare(name, Meaning::Item);
                }
            }
            Item::Type(it) => {
                self.declare(&it.ident, Meaning::Item);
                if let syn::Type::Path(aliased) = &*it.ty {
                    self.declare(&it.ident, Meaning::Alias(Self::path_of(&aliased.path)));
                }
            }
            Item::Use(it) => {
                let mut prefix: Path =
                    it.leading_colon.as_ref().map(|_| String::new()).into_iter().collect();
                self.import(it.use_token.span.start().line, &mut prefix, &it.tree);
                return;
            }
            Item::Mod(it) if it.content.is_some() => {
                let outer = self.module.clone();
                let inner = [outer.as_slice(), &[it.ident.unraw().to_string()]].concat();
                self.open(self.file, inner);
                visit::visit_item_mod(self, it);
                self.module = outer;
                return;
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        let attributes = match item {
            ImplItem::Const(it) => &it.attrs,
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Type(it) => &it.attrs,
            ImplItem::Macro(it) => &it.attrs,
            _ => return,
        };
        if !attributes.iter().any(is_test_only) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &TraitItem) {
        if let TraitItem::Fn(it) = item
            && it.attrs.iter().any(is_test_only)
        {
            return;
        }
        visit::visit_trait_item(self, item);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        let names = Self::path_of(path);
        if names.len() > 1 {
            self.mention(line, names);
        }
        visit::visit_path(self, path);
    }

    // `<Timestamp>::now` is `Timestamp::now`.
    fn visit_expr_path(&mut self, it: &syn::ExprPath) {
        if let Some(qself) = &it.qself
            && let syn::Type::Path(of) = &*qself.ty
            && let Some(last) = it.path.segments.last()
        {
            let mut path = Self::path_of(&of.path);
            path.push(last.ident.unraw().to_string());
            self.mention(last.ident.span().start().line, path);
        }
        visit::visit_expr_path(self, it);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        let line = call.method.span().start().line;
        self.note(line, &format!(".{}()", call.method));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        if let Some(last) = mac.path.segments.last() {
            self.note(last.ident.span().start().line, &format!("{}!", last.ident));
        }
        self.visit_path(&mac.path);
        self.tokens(mac.tokens.clone(), &[]);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        let path = attribute.path();
        let first = path.segments.first().map(|first| first.ident.to_string());
        let is_of_a_tool = matches!(first.as_deref(), Some("rustfmt" | "clippy" | "diagnostic"));
        if is_of_a_tool || ["doc", "expect", "allow", "cfg"].iter().any(|it| path.is_ident(it)) {
            return;
        }
        self.visit_path(path);
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone(), &[]);
            // `#[serde(with = "crate::…")]`
            for token in list.tokens.clone() {
                let TokenTree::Literal(literal) = token else { continue };
                let line = literal.span().start().line;
                if let syn::Lit::Str(text) = syn::Lit::new(literal)
                    && let Ok(path) = text.parse::<syn::Path>()
                    && path.segments.len() > 1
                {
                    self.mention(line, Self::path_of(&path));
                }
            }
        }
    }

    /// `pub(in path)` is no use of anything.
    fn visit_visibility(&mut self, _: &syn::Visibility) {}

    fn visit_signature(&mut self, signature: &Signature) {
        if let Some(token) = &signature.asyncness {
            self.note(token.span.start().line, "async");
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, it: &syn::ExprAsync) {
        self.note(it.async_token.span.start().line, "async");
        visit::visit_expr_async(self, it);
    }

    fn visit_expr_await(&mut self, it: &syn::ExprAwait) {
        self.note(it.await_token.span.start().line, "async");
        visit::visit_expr_await(self, it);
    }

    fn visit_expr_closure(&mut self, it: &syn::ExprClosure) {
        if let Some(token) = &it.asyncness {
            self.note(token.span.start().line, "async");
        }
        visit::visit_expr_closure(self, it);
    }
}

/// Whether this is a `#[cfg]` that needs `test`.
fn is_test_only(attribute: &Attribute) -> bool {
    fn needs_test(meta: &Meta) -> bool {
        let Meta::List(list) = meta else { return meta.path().is_ident("test") };
        let parse = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
        let Ok(parts) = list.parse_args_with(parse) else { return false };
        if list.path.is_ident("all") {
            parts.iter().any(needs_test)
        } else {
            list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(needs_test)
        }
    }
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta))
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}
