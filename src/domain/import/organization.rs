//! The accounts of an AWS organization become a file for `include`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use super::Names;
use crate::domain::config::draft::{Draft, DraftAccount};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Malformed, Name, RoleName};
use crate::domain::text::{count, filled, fold, sanitize, shell_quoted};

/// An account as AWS Organizations lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its 12 digits.
    pub id: AccountId,
    /// Its name in the organization; any text.
    pub name: String,
    /// The organization's management account.
    pub management: AccountId,
    /// The name of the organizational unit that it is in, where that was asked for; empty for the root.
    pub unit: Option<String>,
    /// Whether it is neither suspended nor being closed or set up.
    pub is_active: bool,
}

/// Which accounts are listed.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only those in these units and below: ids, or names on the way from the root.
    pub units: Vec<String>,
    /// Only those with all of these tags.
    pub tags: Vec<TagFilter>,
    /// Whether each account's unit is wanted.
    pub names_units: bool,
}

/// `KEY`, or `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFilter {
    key: String,
    value: Option<String>,
}

impl TagFilter {
    /// Whether a tag is meant.
    pub fn matches(&self, key: &str, value: &str) -> bool {
        self.key == key && self.value.as_ref().is_none_or(|wanted| wanted == value)
    }
}

impl fmt::Display for TagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        self.value.iter().try_for_each(|value| write!(f, "={value}"))
    }
}

impl FromStr for TagFilter {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (text, None),
        };
        if key.is_empty() {
            return Err(Malformed("expected KEY or KEY=VALUE".into()));
        }
        Ok(Self { key: key.to_owned(), value })
    }
}

/// How accounts are named: `{name}`, with `{id}` and `{ou}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTemplate(String);

impl AccountTemplate {
    /// Whether it needs each account's unit.
    pub fn names_units(&self) -> bool {
        self.0.contains("{ou}")
    }

    fn of(&self, member: &Member) -> String {
        let value = |field: &str| match field {
            "name" => Some(member.name.clone()),
            "id" => Some(member.id.to_string()),
            "ou" => Some(member.unit.clone().unwrap_or_default()),
            _ => None,
        };
        filled(&self.0, value).unwrap_or_else(|_| member.name.clone())
    }
}

impl fmt::Display for AccountTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for AccountTemplate {
    fn default() -> Self {
        Self("{name}".to_owned())
    }
}

impl FromStr for AccountTemplate {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let known = |field: &str| ["name", "id", "ou"].contains(&field).then(String::new);
        let rest = filled(text, known).map_err(|field| {
            Malformed(format!("{field} is no placeholder: use {{name}}, {{id}} and {{ou}}"))
        })?;
        let has_one = ["{name}", "{id}"].iter().any(|one| text.contains(one));
        if !has_one || rest.contains('/') {
            return Err(Malformed("it must contain {name} or {id}, and no /".into()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is known of the accounts already, and how new ones are to be entered and named.
#[derive(Debug, Default)]
pub struct Naming {
    /// How newcomers are named.
    pub template: AccountTemplate,
    /// The role of every account.
    pub role: Option<RoleName>,
    /// The entries of the file that is written again.
    pub before: Vec<(AccountId, Name)>,
    /// The names that the config has, aliases included, each with its account.
    pub config: Vec<(AccountId, Name)>,
    /// Names that may lead to another account from now on.
    pub confirmed: Vec<String>,
}

/// Makes a file of an organization's accounts, sorted by name, and a line for each thing left out.
///
/// The auth account is left out because sessions start there; the management account because nobody should
/// work in it. An account that is known keeps its name. Fails where a name would lead to another account: the
/// organization's accounts may be renamed by their own administrators.
pub fn convert(
    members: Vec<Member>,
    auth: AccountId,
    naming: Naming,
) -> Result<(Draft, Vec<String>), Fault> {
    let mut remarks = Vec::new();
    let (mut taken, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| {
        member.is_active && member.id != auth && member.id != member.management
    });
    let inactive = others.iter().filter(|member| !member.is_active).count();
    if inactive > 0 {
        remarks.push(format!("left out, not active: {}", count(inactive, "account")));
    }
    for member in others.iter().filter(|member| member.is_active) {
        let what = if member.id == auth { "the auth account" } else { "the management account" };
        remarks.push(format!("left out, {what}: {}", member.id));
    }
    taken.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let names = names(&taken, &naming)?;
    let mut accounts: Vec<DraftAccount> = taken
        .into_iter()
        .zip(names)
        .map(|(member, name)| {
            let is_renamed = name.as_str() != member.name;
            DraftAccount {
                comment: is_renamed.then_some(member.name),
                ..DraftAccount::new(name, member.id)
            }
        })
        .collect();
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let draft = Draft {
        heading: Vec::new(),
        auth: None,
        roles: naming.role.into_iter().collect(),
        region: None,
        accounts,
    };
    Ok((draft, remarks))
}

/// A name for each member.
fn names(members: &[Member], naming: &Naming) -> Result<Vec<Name>, Fault> {
    let here: HashSet<AccountId> = members.iter().map(|member| member.id).collect();
    // The file's own name first: the config may show the account by another one.
    let mut known: HashMap<AccountId, &Name> = HashMap::new();
    let mut given: HashSet<String> = HashSet::new();
    for (id, name) in naming.before.iter().chain(&naming.config) {
        if !known.contains_key(id) && given.insert(fold(name.as_str())) {
            known.insert(*id, name);
        }
    }
    // A name of the file whose account is gone is free, but it may not simply lead elsewhere.
    let was: HashMap<String, AccountId> =
        naming.before.iter().map(|(id, name)| (fold(name.as_str()), *id)).collect();
    let is_gone =
        |id: &AccountId| !here.contains(id) && naming.before.iter().any(|(before, _)| before == id);
    let kept = naming.config.iter().chain(&naming.before).filter(|(id, _)| !is_gone(id));
    let mut free = Names::taken(kept.map(|(_, name)| name));
    let mut faults = Vec::new();
    let mut names = Vec::with_capacity(members.len());
    for member in members {
        if let Some(name) = known.get(&member.id) {
            names.push((*name).clone());
            continue;
        }
        let name = free.name(&naming.template.of(member), member.id);
        let before = was.get(&fold(name.as_str())).filter(|id| **id != member.id);
        let is_confirmed = naming.confirmed.iter().any(|it| fold(it) == fold(name.as_str()));
        if let Some(before) = before.filter(|_| !is_confirmed) {
            faults.push((name.clone(), *before, member.id));
        }
        names.push(name);
    }
    if faults.is_empty() {
        return Ok(names);
    }
    let what = "nothing was written: a name would lead to another account";
    let fault = faults.iter().fold(Fault::new(Exit::Fault, what), |fault, (name, from, to)| {
        fault.because(format!("{} was {from} and would be {to}", sanitize(name.as_str())))
    });
    let confirm: Vec<String> = faults
        .iter()
        .map(|(name, ..)| format!("--confirm {}", shell_quoted(name.as_str())))
        .collect();
    Err(fault
        .fix("an account may be renamed by its own administrators: find out whether the new one is meant")
        .fix(format!("if it is, add {}", confirm.join(" "))))
}

/// Adds accounts that are not there yet, under names that are free.
pub fn join(accounts: &mut Vec<DraftAccount>, more: Vec<DraftAccount>) {
    let mut names = Names::taken(accounts.iter().map(|account| &account.name));
    for mut account in more {
        if accounts.iter().any(|known| known.id == account.id) {
            continue;
        }
        let name = names.name(account.name.as_str(), account.id);
        if name != account.name {
            let foreign = account.name.to_string();
            account.comment = account.comment.or(Some(foreign));
            account.name = name;
        }
        accounts.push(account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, name: &str, is_active: bool) -> Member {
        Member {
            id: id.parse().unwrap(),
            name: name.into(),
            management: "999999999999".parse().unwrap(),
            unit: Some("Dev".into()),
            is_active,
        }
    }

    fn known(pairs: &[(&str, &str)]) -> Vec<(AccountId, Name)> {
        let pair = |(id, name): &(&str, &str)| (id.parse().unwrap(), name.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    fn named(members: Vec<Member>, naming: Naming) -> Result<Vec<String>, Fault> {
        let (draft, _) = convert(members, "111111111111".parse().unwrap(), naming)?;
        Ok(draft.accounts.iter().map(|it| format!("{} {}", it.name, it.id)).collect())
    }

    #[test]
    fn active_accounts_are_taken_by_name() {
        let members = vec![
            member("222222222222", "Payments/Dev", true),
            member("111111111111", "auth", true),
            member("999999999999", "management", true),
            member("333333333333", "gone", false),
            member("012345678901", "Data\u{1b}[2J", true),
            member("244444444444", "data[2j", true),
        ];
        let naming = Naming { role: "Developer".parse().ok(), ..Naming::default() };
        let (draft, remarks) = convert(members, "111111111111".parse().unwrap(), naming).unwrap();
        insta::assert_snapshot!(draft, @r#"
        defaults:
          roles: [Developer]

        accounts:
          - name: "Data[2J"  # Data␛[2J
            id: "012345678901"
          - name: Payments-Dev  # Payments/Dev
            id: "222222222222"
          - name: "data[2j-244444444444"  # data[2j
            id: "244444444444"
        "#);
        insta::assert_snapshot!(remarks.join("\n"), @r"
        left out, not active: 1 account
        left out, the auth account: 111111111111
        left out, the management account: 999999999999
        ");
    }

    #[test]
    fn who_is_known_keeps_the_name_and_a_newcomer_gets_the_suffix() {
        let naming = || Naming {
            before: known(&[("222222222222", "prod")]),
            config: known(&[("222222222222", "our-prod"), ("255555555555", "mine")]),
            ..Naming::default()
        };
        // The administrators of 333333333333 call it as the known one is called here, or there.
        let members = |name: &str| {
            vec![member("222222222222", "renamed", true), member("333333333333", name, true)]
        };
        for name in ["prod", "PROD", "our-prod", "mine"] {
            let said = named(members(name), naming()).unwrap();
            assert_eq!(said.len(), 2);
            assert!(said.contains(&"prod 222222222222".to_owned()), "{said:?}");
            assert!(said.contains(&format!("{name}-333333333333 333333333333")), "{said:?}");
        }
    }

    #[test]
    fn a_name_that_would_lead_elsewhere_stops_it() {
        let naming = |confirmed: &[&str]| Naming {
            before: known(&[("222222222222", "prod")]),
            config: known(&[("222222222222", "prod")]),
            confirmed: confirmed.iter().map(|name| (*name).to_owned()).collect(),
            ..Naming::default()
        };
        let members =
            || vec![member("222222222222", "prod", false), member("333333333333", "Prod", true)];
        insta::assert_snapshot!(format!("{:#?}", named(members(), naming(&[])).unwrap_err()), @r#"
        Fault {
            what: "nothing was written: a name would lead to another account",
            why: [
                "Prod was 222222222222 and would be 333333333333",
            ],
            items: [],
            fix: [
                "an account may be renamed by its own administrators: find out whether the new one is meant",
                "if it is, add --confirm Prod",
            ],
            exit: Fault,
            detail: None,
        }
        "#);
        assert_eq!(named(members(), naming(&["prod"])).unwrap(), ["Prod 333333333333"]);
    }

    #[test]
    fn a_template_names_newcomers() {
        let naming = |text: &str| Naming {
            template: text.parse().unwrap(),
            before: known(&[("222222222222", "old")]),
            ..Naming::default()
        };
        let members =
            || vec![member("222222222222", "dev", true), member("333333333333", "dev", true)];
        let said = named(members(), naming("{ou}-{name}")).unwrap();
        assert_eq!(said, ["Dev-dev 333333333333", "old 222222222222"]);
        for wrong in ["{ou}", "{email}", "{name", "a/{name}", ""] {
            assert!(wrong.parse::<AccountTemplate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn known_accounts_keep_their_name_and_newcomers_get_a_free_one() {
        let account =
            |name: &str, id: &str| DraftAccount::new(name.parse().unwrap(), id.parse().unwrap());
        let mut accounts = vec![account("dev", "222222222222"), account("data", "333333333333")];
        let more = vec![account("Dev", "444444444444"), account("other", "333333333333")];
        join(&mut accounts, more);
        let shown: Vec<String> =
            accounts.iter().map(|one| format!("{} {}", one.name, one.id)).collect();
        assert_eq!(
            shown,
            ["dev 222222222222", "data 333333333333", "Dev-444444444444 444444444444"]
        );
        assert_eq!(accounts[2].comment.as_deref(), Some("Dev"));
    }
}
