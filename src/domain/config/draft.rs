//! New configs as YAML text, as `init` and `import` write them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::scalar::{list, scalar};
use super::{Argv, KeySource, MfaDevice};
use crate::domain::account::Color;
use crate::domain::duration::show_duration;
use crate::domain::guard::Guard;
use crate::domain::ids::{
    AccountId, ExternalId, Name, Region, RoleName, RolePath, SourceIdentity, UserName,
};
use crate::domain::text::sanitize;

/// A config to be written; what it leaves open is left to the defaults.
///
/// [`Display`](fmt::Display) writes the YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The comment at its top, one line each.
    pub heading: Vec<String>,
    /// How to sign in; `None` makes a file for `include`.
    pub auth: Option<DraftAuth>,
    /// The roles of accounts that name none.
    pub roles: Vec<RoleName>,
    /// The region of everything that names none.
    pub region: Option<Region>,
    /// In the order in which they are written.
    pub accounts: Vec<DraftAccount>,
}

/// The auth account of a draft; its region is the draft's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftAuth {
    /// The account with the IAM users.
    pub account: AccountId,
    /// The IAM user, if known.
    pub user: Option<UserName>,
    /// Where the key is read from, if not from the store.
    pub key: Option<KeySource>,
    /// The devices that make codes, if known.
    pub mfa: Vec<MfaDevice>,
    /// A program that prints a code.
    pub mfa_command: Option<Argv>,
    /// An emulator in AWS's place.
    pub endpoint_url: Option<String>,
}

/// An account of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftAccount {
    /// Its name in lists and on the command line.
    pub name: Name,
    /// Written in quotes, so that no YAML tool reads a number.
    pub id: AccountId,
    /// Its roles; none where the draft's are meant.
    pub roles: Vec<DraftRole>,
    /// Where its shells start, if not in the draft's region.
    pub region: Option<Region>,
    /// The colour of its name.
    pub color: Option<Color>,
    /// What stands before it, with a comment beside it.
    pub guard: Option<DraftGuard>,
    /// A comment beside the name; any text.
    pub comment: Option<String>,
}

/// A guard of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftGuard {
    /// What stands before the account or role.
    pub guard: Guard,
    /// Why; one line.
    pub why: &'static str,
}

impl DraftAccount {
    /// An account of which only name and id are known.
    pub fn new(name: Name, id: AccountId) -> Self {
        Self { name, id, roles: Vec::new(), region: None, color: None, guard: None, comment: None }
    }
}

/// A role of a draft's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftRole {
    /// Its name in IAM.
    pub name: RoleName,
    /// Its path in IAM; `/` is not written.
    pub path: RolePath,
    /// How long a session lasts: 15 min to 12 h.
    pub duration: Option<Duration>,
    /// Where its shells start, if not where the account says.
    pub region: Option<Region>,
    /// What the role's trust policy asks of strangers.
    pub external_id: Option<ExternalId>,
    /// What stands before it, if not what stands before its account.
    pub guard: Option<DraftGuard>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Those of them that go on when roles chain.
    pub transitive_tags: BTreeSet<String>,
    /// What CloudTrail records for the session.
    pub source_identity: Option<SourceIdentity>,
}

impl Draft {
    /// How to sign in, and nothing else.
    pub fn signing_in(account: AccountId, region: Region, endpoint_url: Option<String>) -> Self {
        let auth = DraftAuth {
            account,
            user: None,
            key: None,
            mfa: Vec::new(),
            mfa_command: None,
            endpoint_url,
        };
        Self {
            heading: Vec::new(),
            auth: Some(auth),
            roles: Vec::new(),
            region: Some(region),
            accounts: Vec::new(),
        }
    }
}

impl DraftRole {
    /// A role of which only the name is known.
    pub fn named(name: RoleName) -> Self {
        Self {
            name,
            path: RolePath::root(),
            duration: None,
            region: None,
            external_id: None,
            guard: None,
            tags: BTreeMap::new(),
            transitive_tags: BTreeSet::new(),
            source_identity: None,
        }
    }

    fn is_plain(&self) -> bool {
        *self == Self::named(self.name.clone())
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.heading {
            writeln!(f, "{}", format!("# {}", sanitize(line)).trim_end())?;
        }
        if let Some(auth) = &self.auth {
            write!(f, "version: 1\n\n{auth}\n")?;
        }
        if self.region.is_some() || !self.roles.is_empty() {
            f.write_str("defaults:\n")?;
            if !self.roles.is_empty() {
                let names: Vec<&str> = self.roles.iter().map(RoleName::as_str).collect();
                writeln!(f, "  roles: {}", list(&names))?;
            }
            if let Some(region) = &self.region {
                writeln!(f, "  region: {}", scalar(region.as_str()))?;
            }
            f.write_char('\n')?;
        }
        match self.accounts[..] {
            [] => f.write_str("accounts: []\n"),
            ref accounts => {
                f.write_str("accounts:\n")?;
                accounts.iter().try_for_each(|account| account.fmt(f))
            }
        }
    }
}

impl fmt::Display for DraftAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "auth:\n  account: \"{}\"", self.account)?;
        if let Some(user) = &self.user {
            writeln!(f, "  user: {}", scalar(user.as_str()))?;
        }
        match &self.key {
            Some(KeySource::Env) => f.write_str("  key: env\n")?,
            Some(KeySource::Login) => f.write_str("  key: login\n")?,
            Some(KeySource::Profile(name)) => {
                writeln!(f, "  key: {}", scalar(&format!("profile:{name}")))?;
            }
            // The store, which needs no line.
            _ => {}
        }
        if !self.mfa.is_empty() {
            f.write_str("  mfa:\n")?;
        }
        for device in &self.mfa {
            writeln!(f, "    - serial: {}", scalar(device.serial.as_str()))?;
            if let Some(label) = &device.label {
                writeln!(f, "      label: {}", scalar(label))?;
            }
        }
        if let Some(argv) = &self.mfa_command {
            writeln!(f, "  mfa_command: {}", list(argv))?;
        }
        if let Some(url) = &self.endpoint_url {
            writeln!(f, "  endpoint_url: {}", scalar(url))?;
        }
        Ok(())
    }
}

/// A key, its value in one line, and the comment behind it.
type Pair = (&'static str, String, Option<String>);

impl DraftAccount {
    /// Its keys but for the roles.
    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = vec![
            ("name", scalar(self.name.as_str()), self.comment.clone()),
            ("id", format!("\"{}\"", self.id), None),
        ];
        if let Some(region) = &self.region {
            pairs.push(("region", scalar(region.as_str()), None));
        }
        if let Some(color) = self.color {
            pairs.push(("color", color.name().to_owned(), None));
        }
        pairs.extend(self.guard.as_ref().map(DraftGuard::pair));
        pairs
    }

    /// It in one line, as an element of a list in brackets.
    pub(super) fn in_braces(&self) -> String {
        let mut pairs = self.pairs();
        if !self.roles.is_empty() {
            let roles: Vec<String> = self.roles.iter().map(DraftRole::in_braces).collect();
            pairs.push(("roles", format!("[{}]", roles.join(", ")), None));
        }
        braces(&pairs)
    }

    /// The comments on it, in one line.
    pub(super) fn comments(&self) -> String {
        let of_roles = self.roles.iter().filter_map(|role| role.guard.as_ref());
        let guards = self.guard.iter().chain(of_roles).map(|guard| guard.why);
        let comments = self.comment.as_deref().into_iter().chain(guards.take(1));
        sanitize(&comments.collect::<Vec<_>>().join("; "))
    }
}

impl fmt::Display for DraftAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        block(f, "  ", &self.pairs())?;
        if self.roles.is_empty() {
            return Ok(());
        }
        if self.roles.iter().all(DraftRole::is_plain) {
            let names: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
            return writeln!(f, "    roles: {}", list(&names));
        }
        f.write_str("    roles:\n")?;
        self.roles.iter().try_for_each(|role| role.fmt(f))
    }
}

impl DraftRole {
    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = vec![("name", scalar(self.name.as_str()), None)];
        if self.path != RolePath::root() {
            pairs.push(("path", scalar(self.path.as_str()), None));
        }
        if let Some(duration) = self.duration {
            pairs.push(("duration", show_duration(duration), None));
        }
        if let Some(region) = &self.region {
            pairs.push(("region", scalar(region.as_str()), None));
        }
        pairs.extend(self.guard.as_ref().map(DraftGuard::pair));
        if let Some(id) = &self.external_id {
            pairs.push(("external_id", scalar(id.as_str()), None));
        }
        if !self.tags.is_empty() {
            let tags: Vec<String> = self
                .tags
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key), scalar(value)))
                .collect();
            pairs.push(("tags", format!("{{{}}}", tags.join(", ")), None));
        }
        if !self.transitive_tags.is_empty() {
            let names: Vec<&String> = self.transitive_tags.iter().collect();
            pairs.push(("transitive_tags", list(&names), None));
        }
        if let Some(identity) = &self.source_identity {
            pairs.push(("source_identity", scalar(identity.as_str()), None));
        }
        pairs
    }

    /// It in one line, as an element of a list in brackets.
    pub(super) fn in_braces(&self) -> String {
        if self.is_plain() { scalar(self.name.as_str()) } else { braces(&self.pairs()) }
    }
}

impl fmt::Display for DraftRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return writeln!(f, "      - {}", scalar(self.name.as_str()));
        }
        block(f, "      ", &self.pairs())
    }
}

impl DraftGuard {
    fn pair(&self) -> Pair {
        ("guard", self.guard.name().to_owned(), Some(self.why.to_owned()))
    }
}

/// An element of a list, a key a line.
fn block(f: &mut fmt::Formatter<'_>, indent: &str, pairs: &[Pair]) -> fmt::Result {
    for (i, (key, value, comment)) in pairs.iter().enumerate() {
        write!(f, "{indent}{} {key}: {value}", if i == 0 { "-" } else { " " })?;
        if let Some(comment) = comment {
            write!(f, "  # {}", sanitize(comment))?;
        }
        f.write_char('\n')?;
    }
    Ok(())
}

fn braces(pairs: &[Pair]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value, _)| format!("{key}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::{Config, MainFile, Strictness, assemble};
    use super::*;
    use crate::domain::known::Known;

    fn read(text: &str) -> Config {
        let main = MainFile::parse(Path::new("config.yaml"), text);
        let loaded =
            assemble(main, Vec::new(), Strictness::Strict, &Known::default(), &mut |_, _| {
                Err("no file".into())
            });
        loaded.unwrap_or_else(|diagnostics| panic!("{}\n{text}", diagnostics[0])).config
    }

    fn draft(accounts: Vec<DraftAccount>) -> Draft {
        Draft {
            heading: vec!["made by a test\nversion: 7".into(), String::new()],
            auth: Some(DraftAuth {
                account: "011111111111".parse().unwrap(),
                user: Some("=on".parse().unwrap()),
                mfa: vec![MfaDevice {
                    serial: "GAHT12345678".parse().unwrap(),
                    label: Some("\"my\" phone: #1".into()),
                }],
                mfa_command: Some(vec!["ykman".into(), "--x={a}".into()]),
                key: Some(KeySource::Profile("my: #team".into())),
                endpoint_url: Some("http://127.0.0.1:5000".into()),
            }),
            roles: vec!["1e5".parse().unwrap(), "No".parse().unwrap()],
            region: Some("ap-northeast-1".parse().unwrap()),
            accounts,
        }
    }

    #[test]
    fn an_empty_draft_is_a_config() {
        let config = read(&draft(Vec::new()).to_string());
        assert_eq!(config.auth.user.unwrap().as_str(), "=on");
        assert_eq!(config.auth.mfa[0].label.as_deref(), Some("\"my\" phone: #1"));
        assert_eq!(config.auth.region.as_str(), "ap-northeast-1");
        assert_eq!(config.auth.key, KeySource::Profile("my: #team".into()));
        assert_eq!(config.auth.endpoint_url.as_deref(), Some("http://127.0.0.1:5000"));
    }

    fn role() -> impl Strategy<Value = DraftRole> {
        (
            "[A-Za-z0-9_+=,.@-]{1,64}",
            prop::option::of("/[!-~]{1,20}/"),
            prop::option::of(900..43_200u64),
            any::<bool>(),
            prop::option::of("[A-Za-z0-9_+=,.@:/-]{2,40}"),
        )
            .prop_map(|(name, path, seconds, region, id)| DraftRole {
                path: path.map_or_else(RolePath::root, |path| path.parse().unwrap()),
                duration: seconds.map(Duration::from_secs),
                region: region.then(|| "eu-west-1".parse().unwrap()),
                external_id: id.map(|id| id.parse().unwrap()),
                ..DraftRole::named(name.parse().unwrap())
            })
    }

    proptest! {
        #[test]
        fn a_draft_reads_back_as_what_was_meant(
            name in any::<String>(), id in "[0-9]{12}", comment in any::<String>(),
            mut roles in prop::collection::vec(role(), 0..4),
        ) {
            let Ok(name) = name.parse::<Name>() else { return Ok(()) };
            roles.dedup_by(|a, b| a.name == b.name);
            prop_assume!(roles.iter().enumerate().all(|(i, a)| roles[..i].iter().all(|b| a.name != b.name)));
            let account = DraftAccount { roles, comment: Some(comment), ..DraftAccount::new(name, id.parse().unwrap()) };
            let config = read(&draft(vec![account.clone()]).to_string());
            let [read] = config.catalog.accounts() else { panic!() };
            prop_assert_eq!(&read.name, &account.name);
            prop_assert_eq!(read.id, account.id);
            if account.roles.is_empty() {
                prop_assert_eq!(read.roles.len(), 2);
            } else {
                prop_assert_eq!(read.roles.len(), account.roles.len());
            }
            for (read, meant) in read.roles.iter().zip(&account.roles) {
                prop_assert_eq!(&read.name, &meant.name);
                prop_assert_eq!(&read.path, &meant.path);
                prop_assert_eq!(read.duration, meant.duration.unwrap_or(Duration::from_hours(1)));
                prop_assert_eq!(&read.region, &meant.region);
                prop_assert_eq!(&read.session.external_id, &meant.external_id);
            }
        }
    }
}
