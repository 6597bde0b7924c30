//! What only the main file sets: who signs in, what runs, how it looks, what `policy` renders.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use super::cursor::{Cursor, Document};
use super::diagnostic::quoted;
use super::entry::{self, Defaults, Include, Listed, STALE_AFTER, StaleAfter};
use super::guardrails::guardrails;
use super::schema::Section;
use super::values::{DAY, HOUR, MINUTE};
use super::{
    At, Auth, Diagnostic, Guardrails, KeySource, ListPrefs, MfaDevice, Pos, ShellPrefs, SourceRef,
    StoreChoice,
};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Endpoints, Malformed, MfaSerial};
use crate::domain::keymap::{Action, Key, Keymap};

/// The main file, taken apart.
#[derive(Debug)]
pub struct MainFile {
    pub(super) listed: Listed,
    /// `None` where a required value is missing or faulty; a diagnostic says which.
    pub(super) settings: Option<Settings>,
    pub(super) provenances: Vec<(String, SourceRef)>,
    pub(super) warnings: Vec<Diagnostic>,
    include: Vec<Include>,
}

/// What only the main file sets.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) auth: Auth,
    pub(super) store: StoreChoice,
    pub(super) shell: ShellPrefs,
    pub(super) list: ListPrefs,
    pub(super) browser: Option<Vec<String>>,
    pub(super) audit: bool,
    pub(super) quiet: bool,
    pub(super) guardrails: Option<Guardrails>,
    pub(super) min_guard: Vec<(String, At<Guard>)>,
}

impl MainFile {
    /// Takes the main file apart.
    pub fn parse(path: &Path, text: &str) -> Self {
        let document = Document::new(path, 0, text);
        let (top, entries) = entry::read_entries(&document, text);
        let top = document.top(&top);
        let mut defaults = entry::defaults(top);
        let include = top.key("include").list(include);
        let settings = settings(top, &defaults);
        let (diagnostics, provenances) = document.close();
        // Children are never without a region: where none is named for them, it is the one of the auth account.
        if defaults.region.is_none() {
            let source = provenances.iter().find(|(key, _)| key == "auth.region");
            defaults.region = settings.as_ref().zip(source).map(|(settings, (_, source))| At {
                value: settings.auth.region.clone(),
                source: *source,
            });
        }
        Self {
            settings,
            provenances,
            warnings: Vec::new(),
            include: include.unwrap_or_default(),
            listed: Listed { path: path.to_owned(), defaults, entries, diagnostics },
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.listed.path
    }

    /// The files and globs to include, each with its place.
    pub fn include(&self) -> &[Include] {
        &self.include
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

/// A file or glob; the word alone is one that is not watched.
fn include(element: Cursor<'_>) -> Option<Include> {
    let pos = element.source().pos;
    if !element.is_mapping() {
        let stale_after = StaleAfter::Unsaid;
        return Some(Include { file: element.line()?, pos, update: None, stale_after });
    }
    element.sound(|| {
        let include = element.enter(Section::Include)?;
        let file = include.required("file", "~/team/accounts.yaml");
        let pos = file.source().pos;
        let update = include.key("update").argv();
        let stale_after = include.key("stale_after");
        let limits = (HOUR..=3650 * DAY, "");
        let stale_after = if stale_after.is_text("off") {
            StaleAfter::Never
        } else {
            StaleAfter::Age(stale_after.duration(limits.0, limits.1).unwrap_or(STALE_AFTER))
        };
        let file = file.line()?;
        if update.is_some() && file.contains(['*', '?']) {
            include.key("update").fault("`update` makes one file, not those of a glob", None);
        }
        Some(Include { file, pos, update, stale_after })
    })
}

fn settings(top: Cursor<'_>, defaults: &Defaults) -> Option<Settings> {
    version(top.key("version"));
    let auth = auth(top.required("auth", "{account: \"111111111111\"}"), defaults);
    let settings = Settings {
        store: top.key("store").one_of(&["auto", "keyring", "file", "none"]).unwrap_or_default(),
        shell: shell_prefs(top),
        list: list_prefs(top),
        browser: browser(top.key("browser")),
        audit: top.key("audit").word(&["on", "off"]) != Some("off"),
        quiet: top.key("quiet").word(&["on", "off"]) == Some("on"),
        min_guard: min_guard(top.key("min_guard")).unwrap_or_default(),
        guardrails: guardrails(top.key("guardrails")),
        auth: auth?,
    };
    Some(settings)
}

fn version(value: Cursor<'_>) {
    if let Some(version) = value.text().filter(|version| *version != "1") {
        let fix = "write version: 1, or install the sekisho that this config was made for";
        let what = format!("{}: this sekisho supports version 1", quoted(version));
        value.fault(what, Some(fix));
    }
}

fn auth(section: Cursor<'_>, defaults: &Defaults) -> Option<Auth> {
    let auth = section.enter(Section::Auth)?;
    let account = auth.required("account", "\"111111111111\"").account_id();
    let user = auth.key("user").parsed();
    let key = key_source(auth.key("key"));
    let key_command = auth.key("key_command").argv();
    if key_command.is_some() && key.as_ref().is_some_and(|key| *key != KeySource::Auto) {
        let what = "`key_command` and `key` are both set; the key has one source";
        auth.key("key_command").fault(what, Some("remove one of them"));
    }
    let mfa = devices(auth.key("mfa"), account);
    let mfa_command = auth.key("mfa_command").argv();
    let region = match &defaults.region {
        // One region for everything is what most have; `auth.region` is for the others.
        Some(default) if auth.key("region").is_absent() => {
            auth.moved(default.source).place("auth.region".to_owned());
            Some(default.value.clone())
        }
        _ => auth.required("region", "ap-northeast-1").region(),
    };
    let limits = ", AWS's limits for an auth session";
    let session = auth.key("session").duration(15 * MINUTE..=36 * HOUR, limits);
    let endpoint_url = endpoint(auth.key("endpoint_url"));
    Some(Auth {
        account: account?,
        user,
        key: key_command.map(KeySource::Command).or(key).unwrap_or(KeySource::Auto),
        mfa: mfa.unwrap_or_default(),
        mfa_command,
        region: region?,
        session: session.unwrap_or(12 * HOUR),
        endpoint_url,
        endpoints: Endpoints::default(),
    })
}

fn key_source(value: Cursor<'_>) -> Option<KeySource> {
    match value.text()?.strip_prefix("profile:") {
        Some("") => {
            value.fault("the name of the profile is missing", Some("write profile:NAME"));
            None
        }
        Some(profile) => {
            value.line()?;
            Some(KeySource::Profile(profile.to_owned()))
        }
        None => {
            let word = value.word(&["auto", "keyring", "file", "env", "login", "profile:NAME"])?;
            Some(match word {
                "keyring" => KeySource::Keyring,
                "file" => KeySource::File,
                "env" => KeySource::Env,
                "login" => KeySource::Login,
                _ => KeySource::Auto,
            })
        }
    }
}

/// The devices of the auth account, each once.
fn devices(list: Cursor<'_>, account: Option<AccountId>) -> Option<Vec<MfaDevice>> {
    let devices = list.list(|element| device(element, account))?;
    for (i, device) in devices.iter().enumerate() {
        if devices[..i].iter().any(|other| other.serial == device.serial) {
            let what = format!("the device {} is listed twice", quoted(device.serial.as_str()));
            list.fault(what, Some("keep one of them"));
        }
    }
    Some(devices)
}

/// A device; the serial alone counts as one without a label.
fn device(element: Cursor<'_>, account: Option<AccountId>) -> Option<MfaDevice> {
    let (at, label) = if element.is_mapping() {
        let device = element.enter(Section::Device)?;
        let serial = device.required("serial", "arn:aws:iam::111111111111:mfa/NAME");
        (serial, device.key("label").line())
    } else {
        (element, None)
    };
    let serial: MfaSerial = at.parsed()?;
    let owner = serial.as_str().split(':').nth(4);
    if let (Some(owner), Some(account)) = (owner, account)
        && owner != account.to_string()
    {
        let what = format!("this device belongs to {owner}; the auth account is {account}");
        at.fault(what, None);
        return None;
    }
    at.place(format!("auth.mfa.{serial}"));
    Some(MfaDevice { serial, label })
}

fn endpoint(value: Cursor<'_>) -> Option<String> {
    let text = value.line()?;
    match check_endpoint(&text) {
        Ok(()) => Some(text),
        Err(Malformed(fault)) => {
            value.fault(fault, None);
            None
        }
    }
}

/// Whether an endpoint may see signed requests: https anywhere, http on this machine only.
pub fn check_endpoint(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str| format!("{}: {why}", quoted(text));
    let fault = match text.parse::<http::Uri>() {
        Err(why) => wrong(&why.to_string()),
        Ok(url) => {
            let host = url.host().unwrap_or_default();
            match url.scheme_str() {
                // Not quoted: it may be a real password.
                _ if url.authority().is_some_and(|a| a.as_str().contains('@')) => {
                    "an endpoint holds no user name or password".to_owned()
                }
                _ if url.query().is_some() => wrong("an endpoint has no query"),
                Some("https") if !host.is_empty() => return Ok(()),
                Some("http") if is_loopback(host) => return Ok(()),
                Some("http") => {
                    wrong("http is for loopback only; elsewhere it would show every request")
                }
                _ => wrong("an endpoint looks like https://HOST or http://127.0.0.1:PORT"),
            }
        }
    };
    Err(Malformed(fault))
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

fn shell_prefs(top: Cursor<'_>) -> ShellPrefs {
    ShellPrefs {
        program: top.key("shell").line().filter(|program| program != "auto"),
        renew: top.key("renew").one_of(&["prompt", "serve", "off"]).unwrap_or_default(),
        mark_prompt: top.key("prompt").word(&["auto", "off"]) != Some("off"),
        prompt_compat: top
            .key("prompt_compat")
            .one_of(&["auto", "none", "aws-vault"])
            .unwrap_or_default(),
    }
}

fn list_prefs(top: Cursor<'_>) -> ListPrefs {
    let query = top.key("query");
    ListPrefs {
        after_shell: top.key("after_shell").one_of(&["list", "exit"]).unwrap_or_default(),
        order: top.key("order").one_of(&["frecency", "config"]).unwrap_or_default(),
        query: if query.is_text("") { None } else { query.line() }.unwrap_or_default(),
        mouse: top.key("mouse").word(&["on", "off"]) == Some("on"),
        symbols: top.key("symbols").one_of(&["auto", "unicode", "ascii"]).unwrap_or_default(),
        keys: keys(top.key("keys")).unwrap_or_default(),
    }
}

/// The key choices: each action and key by itself first, then the keymap they make together.
fn keys(mapping: Cursor<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let chosen = mapping.sound(|| {
        let mut chosen = BTreeMap::new();
        for pair in mapping.pairs("`keys`")? {
            let action: Option<Action> = pair.key.checked(pair.name, Action::from_str);
            let keys = pair.value.list(|word| {
                let text = word.text()?;
                let key: Key = word.checked(text, Key::from_str)?;
                if let Some(action) = action {
                    word.checked(text, |_| Keymap::check(key, action))?;
                }
                Some(text.to_owned())
            });
            chosen.extend(keys.map(|keys| (pair.name.to_owned(), keys)));
        }
        Some(chosen)
    })?;
    mapping.checked("keys", |_| Keymap::new(&chosen))?;
    Some(chosen)
}

fn min_guard(mapping: Cursor<'_>) -> Option<Vec<(String, At<Guard>)>> {
    let guards = mapping
        .pairs("`min_guard`")?
        .filter_map(|pair| Some((pair.name.to_owned(), pair.value.at(Cursor::guard)?)));
    Some(guards.collect())
}

/// The browser's command; `auto` is none.
fn browser(value: Cursor<'_>) -> Option<Vec<String>> {
    if value.is_text("auto") {
        return None;
    }
    let argv = value.argv()?;
    if !argv.iter().any(|word| word.contains("{url}")) {
        let fix = "add \"{url}\" to its words";
        value.fault("the command does not contain {url}", Some(fix));
        return None;
    }
    Some(argv)
}
