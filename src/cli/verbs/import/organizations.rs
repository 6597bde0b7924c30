//! `import organizations`: the organization's accounts, printed, or kept in a file of sekisho's own.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::domain::config::edit::Layout;
use crate::domain::config::{OWN_FILE, is_own_file};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Name, RoleName};
use crate::domain::import::organization::{Naming, Selection, convert};
use crate::domain::pass::Terms;
use crate::domain::text::{count, sanitize, shell_quoted};
use crate::services::config::files;

use crate::cli::args::OrganizationsArgs;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::{diff, prompt};

/// Lists the organization's accounts, and prints or keeps them.
pub fn run(context: &Context, arguments: &OrganizationsArgs) -> Result<Exit, Fault> {
    let own = arguments.write.as_deref().map(|path| OwnFile::open(context, path)).transpose()?;
    let template = arguments.name.clone().unwrap_or_default();
    let selection = Selection {
        units: arguments.ou.clone(),
        tags: arguments.tag.clone(),
        names_units: template.names_units(),
    };
    let members = match &arguments.via {
        Some(target) => {
            let pass = context.pass(target, Terms::LAST_SECONDS)?;
            block_on(context.broker().members_through(&pass, &selection))?
        }
        None => block_on(prompt::members(context.broker(), &selection, &mut context.codes()))?,
    };
    let accounts = context.config().catalog.accounts().iter();
    let naming = Naming {
        template,
        role: arguments.role.clone(),
        before: own.as_ref().map(|own| own.named.clone()).unwrap_or_default(),
        config: accounts
            .flat_map(|it| {
                [&it.name].into_iter().chain(&it.aliases).map(|name| (it.id, name.clone()))
            })
            .collect(),
        confirmed: context.confirmed().to_vec(),
    };
    let (mut draft, remarks) = convert(members, context.config().auth.account, naming)?;
    for remark in &remarks {
        context.out.warn(remark);
    }
    let accounts = count(draft.accounts.len(), "account");
    let Some(own) = own else {
        draft.heading = vec![
            "The organization's active accounts, by `sekisho import organizations`. For `include:` in sekisho's config.".into(),
        ];
        context.out.print(&draft.to_string());
        context.out.info(&if arguments.role.is_some() {
            accounts
        } else {
            format!("{accounts}; their roles are those of the config's `defaults`")
        });
        context.out.info(
            "next: keep them in a file that the config includes: sekisho import organizations --write FILE",
        );
        return Ok(Exit::Done);
    };
    if draft.accounts.is_empty() && !own.named.is_empty() {
        return Err(Fault::new(Exit::Fault, format!("{} was not changed", own.shown))
            .because("AWS lists no account that could be in it")
            .fix("check --ou, --tag and --via"));
    }
    draft.heading = heading(&own.path, arguments);
    let ids: HashSet<AccountId> = draft.accounts.iter().map(|account| account.id).collect();
    own.keep(context, &draft.to_string(), &ids, arguments)
}

/// What stands at the top of a file that is kept: how it is made again, the same for everybody.
fn heading(path: &Path, arguments: &OrganizationsArgs) -> Vec<String> {
    let mut command = "sekisho import organizations".to_owned();
    let mut option = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            command.push_str(&format!(" --{name} {}", shell_quoted(value)));
        }
    };
    option("role", arguments.role.as_ref().map(RoleName::as_str));
    option("via", arguments.via.as_deref());
    for unit in &arguments.ou {
        option("ou", Some(unit));
    }
    for tag in &arguments.tag {
        option("tag", Some(&tag.to_string()));
    }
    option("name", arguments.name.as_ref().map(ToString::to_string).as_deref());
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    option("write", file.as_deref());
    vec![
        format!(
            "{OWN_FILE} Edits here are lost: make them in the main config, in an entry with the"
        ),
        "same id. To update it:".to_owned(),
        format!("  {command}"),
    ]
}

/// The file that is kept, as it is now.
struct OwnFile {
    path: PathBuf,
    shown: String,
    /// The config that includes it, or will.
    config: PathBuf,
    /// `None` where there is no file yet.
    text: Option<String>,
    named: Vec<(AccountId, Name)>,
}

impl OwnFile {
    fn open(context: &Context, path: &Path) -> Result<Self, Fault> {
        let config = context.config_file().ok_or_else(|| {
            Fault::new(Exit::Usage, "a demo does not write a config")
                .because("commands in a demo change nothing outside it")
                .fix("leave out --write to see the accounts")
        })?;
        let shown = sanitize(&path.to_string_lossy());
        let path = std::path::absolute(path).map_err(|error| {
            Fault::new(Exit::Usage, format!("{shown} cannot be used")).because(error.to_string())
        })?;
        let text = if path.symlink_metadata().is_ok() {
            Some(files::read_foreign(&path).map_err(|why| {
                Fault::new(Exit::Usage, format!("{shown} cannot be read, so it is not replaced"))
                    .because(why)
            })?)
        } else {
            None
        };
        let is_foreign = |text: &String| !text.trim().is_empty() && !is_own_file(text);
        if text.as_ref().is_some_and(is_foreign) {
            return Err(Fault::new(Exit::Usage, format!("{shown} is not a file of sekisho's own"))
                .because(format!(
                    "its first line is not `# {OWN_FILE} …`, so sekisho did not write it"
                ))
                .fix("name another file"));
        }
        let layout = text.as_deref().and_then(Layout::parse);
        let named = layout.map(|layout| layout.named()).unwrap_or_default();
        Ok(Self { path, shown, config: config.to_owned(), text, named })
    }

    /// Writes what is new into it, after showing it; or says that it is out of date.
    fn keep(
        &self,
        context: &Context,
        yaml: &str,
        ids: &HashSet<AccountId>,
        arguments: &OrganizationsArgs,
    ) -> Result<Exit, Fault> {
        let out = context.out;
        let before = self.text.as_deref().unwrap_or_default();
        let known: HashSet<AccountId> = self.named.iter().map(|(id, _)| *id).collect();
        let (new, gone) = (ids.difference(&known).count(), known.difference(ids).count());
        let summary = format!("{}, {new} new, {gone} gone", count(ids.len(), "account"));
        if before == yaml {
            if !arguments.check {
                files::touch(&self.path);
            }
            out.info(&format!("{} is up to date: {}", self.shown, count(ids.len(), "account")));
        } else {
            out.print(&diff::unified(before, yaml, &self.path.to_string_lossy()));
            if arguments.check {
                return Err(Fault::new(Exit::Fault, format!("{} is out of date", self.shown))
                    .because(summary)
                    .fix("run the same command without --check"));
            }
            if !arguments.yes {
                prompt::confirm(&format!("write {} ({summary})?", self.shown))?;
            }
            files::write_included(&self.path, yaml)?;
            out.info(&format!("wrote {}: {summary}", self.shown));
        }
        if !arguments.check {
            self.include(context, arguments.yes)?;
        }
        Ok(Exit::Done)
    }

    /// Has the config include it, where it does not yet.
    fn include(&self, context: &Context, yes: bool) -> Result<(), Fault> {
        let config = sanitize(&self.config.to_string_lossy());
        let file = self.as_named_in_the_config(&context.paths().home);
        let by_hand = |why: String| {
            Fault::new(Exit::Fault, format!("{config} does not include {} yet", self.shown))
                .because(why)
                .fix(format!("add to it: include: [{file}]"))
        };
        let home = Some(context.paths().home.as_path());
        let before = files::read_foreign(&self.config).map_err(by_hand)?;
        let is_included = |text: &str| {
            let files =
                files::preview(&self.config, text, home).map(|loaded| loaded.provenances.files);
            let real = |path: &Path| path.canonicalize().ok();
            files.map(|files| files.iter().skip(1).any(|it| real(it) == real(&self.path)))
        };
        if is_included(&before)? {
            return Ok(());
        }
        let after = Layout::parse(&before).and_then(|layout| layout.including(&file));
        let after =
            after.filter(|after| is_included(after).is_ok_and(|is| is)).ok_or_else(|| {
                by_hand("its `include` has no place where a file could be added".to_owned())
            })?;
        context.out.print(&diff::unified(&before, &after, &self.config.to_string_lossy()));
        if !yes {
            prompt::confirm(&format!("add it to {config}?"))?;
        }
        files::replace(&self.config, &before, &after)?;
        context.out.info(&format!("{config} includes it now"));
        Ok(())
    }

    /// The file as a person would name it in the config: from the config's folder, else from home.
    fn as_named_in_the_config(&self, home: &Path) -> String {
        let folder = self.config.parent().unwrap_or(Path::new("/"));
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder_of_file = self.path.parent().map(real).unwrap_or_default();
        let path = folder_of_file.join(self.path.file_name().unwrap_or_default());
        if let Ok(rest) = path.strip_prefix(real(folder)) {
            return rest.to_string_lossy().into_owned();
        }
        match path.strip_prefix(real(home)) {
            Ok(rest) => format!("~/{}", rest.to_string_lossy()),
            Err(_) => path.to_string_lossy().into_owned(),
        }
    }
}
