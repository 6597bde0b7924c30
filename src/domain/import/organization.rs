//! The accounts of an AWS organisation become a file for `include`.

use super::Names;
use crate::domain::config::draft::{Draft, DraftAccount};
use crate::domain::ids::{AccountId, RoleName};
use crate::domain::text::count;

/// An account as AWS Organizations lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its 12 digits.
    pub id: AccountId,
    /// Its name in the organisation; any text.
    pub name: String,
    /// The organisation's management account.
    pub management: AccountId,
    /// Whether it is neither suspended nor being closed or set up.
    pub is_active: bool,
}

/// Makes a file of an organisation's accounts, sorted by name, and a line for each thing left out.
///
/// The auth account is left out because sessions start there; the management account because nobody should
/// work in it.
pub fn convert(
    members: Vec<Member>,
    auth: AccountId,
    role: Option<RoleName>,
) -> (Draft, Vec<String>) {
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
    let mut names = Names::default();
    let accounts = taken.into_iter().map(|member| {
        let name = names.name(&member.name, member.id);
        let is_renamed = name.as_str() != member.name;
        DraftAccount {
            comment: is_renamed.then_some(member.name),
            ..DraftAccount::new(name, member.id)
        }
    });
    let draft = Draft {
        heading: Vec::new(),
        auth: None,
        roles: role.into_iter().collect(),
        region: None,
        accounts: accounts.collect(),
    };
    (draft, remarks)
}

/// Adds accounts that are not there yet, under names that are free.
pub fn join(accounts: &mut Vec<DraftAccount>, more: Vec<DraftAccount>) {
    let mut names = Names::default();
    for account in &*accounts {
        // It fits already, so it comes back as it is.
        names.name(account.name.as_str(), account.id);
    }
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

    #[test]
    fn active_accounts_are_taken_by_name() {
        let member = |id: &str, name: &str, is_active| Member {
            id: id.parse().unwrap(),
            name: name.into(),
            management: "999999999999".parse().unwrap(),
            is_active,
        };
        let members = vec![
            member("222222222222", "Payments/Dev", true),
            member("111111111111", "auth", true),
            member("999999999999", "management", true),
            member("333333333333", "gone", false),
            member("012345678901", "Data\u{1b}[2J", true),
            member("244444444444", "data[2j", true),
        ];
        let (draft, remarks) =
            convert(members, "111111111111".parse().unwrap(), "Developer".parse().ok());
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
