//! The roles to switch into: the same in every account, as one template makes them.

use std::collections::BTreeMap;

use super::LeftOut;
use crate::domain::account::Role;
use crate::domain::config::Config;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Partition};
use crate::domain::scope::Scope;

/// A role that developers switch into, the same in every account that has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SwitchRole {
    pub(super) name: String,
    /// Its name in templates, which take letters and digits only; unlike every other role's.
    pub(super) id: String,
    pub(super) path: String,
    /// `MaxSessionDuration`, the longest that any account asks for.
    pub(super) seconds: u64,
    pub(super) external_id: Option<String>,
    /// `sts:TagSession`, `sts:SetSourceIdentity`, where the config uses them.
    pub(super) session_actions: Vec<&'static str>,
    /// Whether the config means it for reading, or narrows it, in any account.
    pub(super) read_only: bool,
    pub(super) accounts: Vec<AccountId>,
}

impl SwitchRole {
    /// The key of the tag whose value lists the accounts that a user may enter by this role.
    pub(super) fn tag(&self) -> String {
        format!("sekisho-{}", self.name)
    }
}

/// The roles to switch into, by name: a `StackSet` gives every account the same ones.
pub(super) fn switch_roles(
    config: &Config,
    partition: Partition,
    management: Option<AccountId>,
    left_out: &mut Vec<LeftOut>,
    faults: &mut Vec<Fault>,
) -> Vec<SwitchRole> {
    let mut roles: BTreeMap<String, SwitchRole> = BTreeMap::new();
    for row in config.catalog.rows() {
        let (account, role) = config.catalog.row(row);
        let outside = if account.id == config.auth.account {
            Some([
                "it is the auth account, whose users sign in there directly",
                "認証アカウントであり、ユーザーは直接サインインする",
            ])
        } else if Some(account.id) == management {
            Some([
                "it is the management account, which service control policies do not bind",
                "管理アカウントであり、サービスコントロールポリシーが適用されない",
            ])
        } else if config.catalog.role_arn(row).partition() != partition.name() {
            Some([
                "it is in another partition than the auth account",
                "認証アカウントとは別のパーティションにある",
            ])
        } else {
            None
        };
        if let Some([why, why_ja]) = outside {
            let what = format!("the switch roles of {} ({})", account.name, account.id);
            let what_ja = format!("{} ({}) の切り替え用ロール", account.name, account.id);
            if !left_out.iter().any(|l| l.what == what) {
                left_out.push(LeftOut::new([what, why.into(), what_ja, why_ja.into()]));
            }
            continue;
        }
        let new = switch_role(role, account.id);
        if !is_plain(&new.path) {
            faults.push(
                Fault::new(
                    Exit::Usage,
                    format!(
                        "`accounts`: the path {:?} of the role {} is a pattern to IAM",
                        new.path, new.name
                    ),
                )
                .because("`*`, `?` and `$` in an ARN stand for other roles too")
                .fix("give the role a path of letters, digits and /_+=,.@-"),
            );
        }
        if new.name.contains(',') {
            faults.push(
                Fault::new(Exit::Usage, format!("`accounts`: the role name {} holds a comma", new.name))
                    .because("the user's tag that allows the role is named after it, and a tag key cannot contain a comma")
                    .fix("give the role another name"),
            );
        }
        let known = roles.entry(new.name.clone()).or_insert_with(|| new.clone());
        if (&known.path, &known.external_id) != (&new.path, &new.external_id) {
            faults.push(
                Fault::new(Exit::Usage, format!("`accounts`: the role {} has another path or external id in {} than elsewhere", new.name, account.name))
                    .because("one template makes the roles of every account")
                    .fix("give it the same `path` and `external_id` everywhere, or another name"),
            );
        }
        known.seconds = known.seconds.max(new.seconds);
        known.read_only |= new.read_only;
        known.accounts.push(account.id);
        known.session_actions.extend(new.session_actions);
        known.session_actions.sort_unstable();
        known.session_actions.dedup();
    }
    if roles.is_empty() {
        faults.push(Fault::new(
            Exit::Usage,
            "`accounts` names no dev account with a role to switch into",
        ));
    }
    let mut roles: Vec<SwitchRole> = roles.into_values().collect();
    for i in 0..roles.len() {
        let id = logical_id(&roles[i].name);
        let taken = id.is_empty() || roles[..i].iter().any(|other| other.id == id);
        roles[i].id = if taken { format!("{id}Role{i}") } else { id };
        roles[i].accounts.sort_unstable();
        roles[i].accounts.dedup();
    }
    roles
}

/// `ops-Admin` → `OpsAdmin`: CloudFormation's names have letters and digits only.
pub(super) fn logical_id(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

/// Whether a path or name holds nothing that an ARN pattern would read as more than itself.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&b))
}

/// `ReadOnly`, `read-only-audit`, `ViewOnlyAccess`
fn is_called_read_only(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    letters.contains("readonly") || letters.contains("viewonly")
}

/// One account's role.
fn switch_role(role: &Role, account: AccountId) -> SwitchRole {
    let session = &role.session;
    let tags = (!session.tags.is_empty()).then_some("sts:TagSession");
    let source = session.source_identity.is_some().then_some("sts:SetSourceIdentity");
    SwitchRole {
        name: role.name.to_string(),
        id: String::new(),
        path: role.path.to_string(),
        seconds: role.duration.as_secs().clamp(3600, 43_200),
        external_id: session.external_id.as_ref().map(ToString::to_string),
        session_actions: source.into_iter().chain(tags).collect(),
        read_only: session.scope == Scope::ReadOnly
            || !session.policy_arns.is_empty()
            || is_called_read_only(&role.name.to_string()),
        accounts: vec![account],
    }
}
