//! The keys that only the main file has: who signs in, what runs, how it looks, what `policy` renders.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::entry::{self, Listed, account_id, guard};
use super::fields::Fields;
use super::reader::{Reader, quoted};
use super::tree::{Item, Node};
use super::{
    At, Auth, Diagnostic, Guardrails, KeySource, ListPrefs, MfaDevice, Pos, ShellPrefs, SourceRef,
    StoreChoice,
};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Malformed, MfaSerial};
use crate::domain::keymap::{Action, Key, Keymap};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The main file, taken apart.
#[derive(Debug)]
pub struct MainFile {
    pub(super) listed: Listed,
    /// `None` where a value without which nothing goes is missing or faulty; a diagnostic says which.
    pub(super) settings: Option<Settings>,
    pub(super) provenances: Vec<(String, SourceRef)>,
    pub(super) warnings: Vec<Diagnostic>,
    include: Vec<At<String>>,
}

/// What only the main file says.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) auth: Auth,
    pub(super) store: StoreChoice,
    pub(super) shell: ShellPrefs,
    pub(super) list: ListPrefs,
    pub(super) browser: Option<Vec<String>>,
    pub(super) audit: bool,
    pub(super) guardrails: Option<Guardrails>,
    pub(super) min_guard: Vec<(String, At<Guard>)>,
}

impl MainFile {
    /// Takes the main file apart.
    pub fn parse(path: &Path, text: &str) -> Self {
        let mut reader = Reader::new(path, 0, text);
        let (pairs, entries) = entry::read_entries(&mut reader, text);
        let mut top = Fields::of(&mut reader, &pairs, Pos { line: 1, column: 1 }).in_section("");
        let defaults = entry::take_defaults(&mut top, &mut reader);
        entry::take_accounts(&mut top, &mut reader);
        let include = top
            .get(&mut reader, "include", |reader, item| {
                reader.list(item, |reader, item| {
                    let source = reader.source(item.pos);
                    reader.line(item).map(|value| At { value, source })
                })
            })
            .map(|include| include.value)
            .unwrap_or_default();
        let settings = settings(&mut top, &mut reader, &defaults);
        top.close(&mut reader);
        Self {
            settings,
            provenances: std::mem::take(&mut reader.settings),
            warnings: Vec::new(),
            include,
            listed: Listed {
                path: path.to_owned(),
                defaults,
                entries,
                diagnostics: reader.into_diagnostics(),
            },
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.listed.path
    }

    /// The files and globs to include, each with its place.
    pub fn include(&self) -> impl Iterator<Item = (&str, Pos)> {
        self.include.iter().map(|at| (at.value.as_str(), at.source.pos))
    }

    /// Adds a diagnostic about a place in the file.
    pub fn complain(&mut self, pos: Pos, what: &str, fix: Option<&str>) {
        let diagnostic = Diagnostic::new(&self.listed.path, pos, what, fix);
        self.listed.diagnostics.push(diagnostic);
    }

    /// Adds a warning about a place in the file.
    pub fn warn(&mut self, pos: Pos, what: &str, fix: Option<&str>) {
        self.warnings.push(Diagnostic::new(&self.listed.path, pos, what, fix));
    }
}

fn settings<'i>(
    top: &mut Fields<'i>,
    reader: &mut Reader<'i>,
    defaults: &entry::Defaults,
) -> Option<Settings> {
    top.get(reader, "version", |reader, item| {
        let version = reader.text(item)?;
        if version != "1" {
            let fix = "write version: 1, or install the sekisho that this config was made for";
            let what = format!("{}: this sekisho knows version 1", quoted(&version));
            reader.fault(item.pos, what, Some(fix));
        }
        Some(())
    });
    let auth = top.need(reader, "auth", "{account: \"111111111111\"}", |reader, item| {
        auth(reader, item, defaults)
    });
    let store = top.get(reader, "store", |reader, item| {
        reader.choice(item, &["auto", "keyring", "file", "none"])
    });
    let shell = shell_prefs(top, reader);
    let list = list_prefs(top, reader);
    let browser = top.get(reader, "browser", browser);
    let audit = top.get(reader, "audit", |reader, item| reader.word(item, &["on", "off"]));
    let min_guard = top.get(reader, "min_guard", min_guard);
    let guardrails = top.get(reader, "guardrails", super::guardrails::guardrails);
    Some(Settings {
        auth: auth?.value,
        store: value(store).unwrap_or_default(),
        shell,
        list,
        browser: value(browser),
        audit: value(audit) != Some("off"),
        guardrails: value(guardrails),
        min_guard: value(min_guard).unwrap_or_default(),
    })
}

/// The value without its place.
pub(super) fn value<T>(at: Option<At<T>>) -> Option<T> {
    at.map(|at| at.value)
}

fn auth<'i>(reader: &mut Reader<'i>, item: &'i Item, defaults: &entry::Defaults) -> Option<Auth> {
    let mut fields = Fields::open(reader, item, "`auth`")?.in_section("auth");
    let account = fields.need(reader, "account", "\"111111111111\"", account_id);
    let user = fields.get(reader, "user", Reader::parsed);
    let key = fields.get(reader, "key", key_source);
    let key_command = fields.get(reader, "key_command", Reader::argv);
    if let (Some(key), Some(command)) = (&key, &key_command)
        && key.value != KeySource::Auto
    {
        reader.fault(
            command.source.pos,
            "`key_command` and `key` name two sources for one key",
            Some("remove one of them"),
        );
    }
    let mfa = fields.get(reader, "mfa", |reader, item| {
        let devices = reader.list(item, |reader, item| device(reader, item, account.as_ref()))?;
        for (i, device) in devices.iter().enumerate() {
            if devices[..i].iter().any(|d| d.serial == device.serial) {
                let what = format!("the device {} is here twice", quoted(device.serial.as_str()));
                reader.fault(item.pos, what, Some("keep one of them"));
            }
        }
        Some(devices)
    });
    let mfa_command = fields.get(reader, "mfa_command", Reader::argv);
    let region = match &defaults.region {
        // One region for everything is what most have; `auth.region` is for the others.
        Some(default) if !fields.has("region") => {
            reader.settings.push(("auth.region".into(), default.source));
            fields.take("region");
            Some(default.clone())
        }
        _ => fields.need(reader, "region", "ap-northeast-1", Reader::region),
    };
    let session = fields.get(reader, "session", |reader, item| {
        reader.duration(item, 15 * MINUTE..=36 * HOUR, ", AWS's limits for an auth session")
    });
    let endpoint_url = fields.get(reader, "endpoint_url", endpoint);
    fields.close(reader);
    Some(Auth {
        account: account?.value,
        user: value(user),
        key: match value(key_command) {
            Some(command) => KeySource::Command(command),
            None => value(key).unwrap_or(KeySource::Auto),
        },
        mfa: value(mfa).unwrap_or_default(),
        mfa_command: value(mfa_command),
        region: region?.value,
        session: value(session).unwrap_or(12 * HOUR),
        endpoint_url: value(endpoint_url),
    })
}

fn key_source(reader: &mut Reader<'_>, item: &Item) -> Option<KeySource> {
    let text = reader.text(item)?;
    match text.strip_prefix("profile:") {
        Some("") => {
            let fix = Some("write profile:NAME");
            reader.fault(item.pos, "which profile?", fix);
            None
        }
        Some(profile) => {
            reader.line(item)?;
            Some(KeySource::Profile(profile.to_owned()))
        }
        None => {
            let word = reader.word(item, &["auto", "keyring", "file", "env", "profile:NAME"])?;
            Some(match word {
                "keyring" => KeySource::Keyring,
                "file" => KeySource::File,
                "env" => KeySource::Env,
                _ => KeySource::Auto,
            })
        }
    }
}

/// A device of the auth account; the serial alone counts as one without a label.
fn device(
    reader: &mut Reader<'_>,
    item: &Item,
    account: Option<&At<AccountId>>,
) -> Option<MfaDevice> {
    let (serial, label) = if matches!(item.node, Node::Map(_)) {
        let mut fields = Fields::open(reader, item, "a device")?;
        let example = "arn:aws:iam::111111111111:mfa/NAME";
        let serial = fields.need(reader, "serial", example, Reader::parsed);
        let label = fields.get(reader, "label", Reader::line);
        fields.close(reader);
        (serial?, value(label))
    } else {
        let source = reader.source(item.pos);
        let value = reader.parsed(item)?;
        (At { value, source }, None)
    };
    let serial: At<MfaSerial> = serial;
    let owner = serial.value.as_str().split(':').nth(4);
    if let (Some(owner), Some(account)) = (owner, account)
        && owner != account.value.to_string()
    {
        let what = format!("this device belongs to {owner}; the auth account is {}", account.value);
        reader.fault(serial.source.pos, what, None);
        return None;
    }
    reader.settings.push((format!("auth.mfa.{}", serial.value), serial.source));
    Some(MfaDevice { serial: serial.value, label })
}

/// An endpoint that may see signed requests: https anywhere, http on this machine only.
fn endpoint(reader: &mut Reader<'_>, item: &Item) -> Option<String> {
    let text = reader.line(item)?;
    let wrong = |why: &str| format!("{}: {why}", quoted(&text));
    let fault = match text.parse::<http::Uri>() {
        Err(why) => wrong(&why.to_string()),
        Ok(url) => {
            let host = url.host().unwrap_or_default();
            let is_loopback = host.eq_ignore_ascii_case("localhost")
                || host
                    .trim_matches(['[', ']'])
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback());
            match url.scheme_str() {
                // Not quoted: it may be a real password.
                _ if url.authority().is_some_and(|a| a.as_str().contains('@')) => {
                    "an endpoint holds no user name or password".to_owned()
                }
                _ if url.query().is_some() => wrong("an endpoint has no query"),
                Some("https") if !host.is_empty() => return Some(text),
                Some("http") if is_loopback => return Some(text),
                Some("http") => {
                    wrong("http is for loopback only; elsewhere it would show every request")
                }
                _ => wrong("an endpoint looks like https://HOST or http://127.0.0.1:PORT"),
            }
        }
    };
    reader.fault(item.pos, fault, None);
    None
}

fn shell_prefs<'i>(top: &mut Fields<'i>, reader: &mut Reader<'i>) -> ShellPrefs {
    let program = top.get(reader, "shell", Reader::line);
    let renew =
        top.get(reader, "renew", |reader, item| reader.choice(item, &["prompt", "serve", "off"]));
    let prompt = top.get(reader, "prompt", |reader, item| reader.word(item, &["auto", "off"]));
    let compat = top.get(reader, "prompt_compat", |reader, item| {
        reader.choice(item, &["auto", "none", "aws-vault"])
    });
    ShellPrefs {
        program: value(program).filter(|program| program != "auto"),
        renew: value(renew).unwrap_or_default(),
        mark_prompt: value(prompt) != Some("off"),
        prompt_compat: value(compat).unwrap_or_default(),
    }
}

fn list_prefs<'i>(top: &mut Fields<'i>, reader: &mut Reader<'i>) -> ListPrefs {
    let after_shell =
        top.get(reader, "after_shell", |reader, item| reader.choice(item, &["list", "exit"]));
    let order =
        top.get(reader, "order", |reader, item| reader.choice(item, &["frecency", "config"]));
    let query = top.get(reader, "query", |reader, item| match &item.node {
        Node::Text(text) if text.is_empty() => Some(String::new()),
        _ => reader.line(item),
    });
    let symbols = top
        .get(reader, "symbols", |reader, item| reader.choice(item, &["auto", "unicode", "ascii"]));
    let keys = top.get(reader, "keys", keys);
    ListPrefs {
        after_shell: value(after_shell).unwrap_or_default(),
        order: value(order).unwrap_or_default(),
        query: value(query).unwrap_or_default(),
        symbols: value(symbols).unwrap_or_default(),
        keys: value(keys).unwrap_or_default(),
    }
}

/// The key choices: each action and key by itself first, then the keymap they make together.
fn keys(reader: &mut Reader<'_>, item: &Item) -> Option<BTreeMap<String, Vec<String>>> {
    let before = reader.faults();
    let mut chosen = BTreeMap::new();
    for ((name, pos), value) in Fields::open(reader, item, "`keys`")?.into_pairs() {
        let action: Option<Action> = checked(reader, pos, &name, Action::from_str);
        let keys = reader.list(value, |reader, item| {
            let text = reader.text(item)?;
            let key: Key = checked(reader, item.pos, &text, Key::from_str)?;
            if let Some(action) = action {
                checked(reader, item.pos, &text, |_| Keymap::check(key, action))?;
            }
            Some(text.into_owned())
        });
        if let (Some(_), Some(keys)) = (action, keys) {
            chosen.insert(name.into_owned(), keys);
        }
    }
    if reader.faults() > before {
        return None;
    }
    checked(reader, item.pos, "keys", |_| Keymap::new(&chosen))?;
    Some(chosen)
}

fn min_guard(reader: &mut Reader<'_>, item: &Item) -> Option<Vec<(String, At<Guard>)>> {
    let mut all = Vec::new();
    for ((name, _), item) in Fields::open(reader, item, "`min_guard`")?.into_pairs() {
        let source = reader.source(item.pos);
        let guard = guard(reader, item).map(|value| At { value, source });
        all.extend(guard.map(|guard| (name.into_owned(), guard)));
    }
    Some(all)
}

fn checked<T>(
    reader: &mut Reader<'_>,
    pos: Pos,
    text: &str,
    check: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Option<T> {
    check(text).map_err(|why| reader.fault(pos, format_args!("{}: {why}", quoted(text)), None)).ok()
}

/// The browser's command; `auto` is none.
fn browser(reader: &mut Reader<'_>, item: &Item) -> Option<Vec<String>> {
    if matches!(&item.node, Node::Text(text) if text == "auto") {
        return None;
    }
    let argv = reader.argv(item)?;
    if argv.iter().any(|word| word.contains("{url}")) {
        return Some(argv);
    }
    let fix = Some("add \"{url}\" to its words");
    reader.fault(item.pos, "the browser is not told what to open", fix);
    None
}
