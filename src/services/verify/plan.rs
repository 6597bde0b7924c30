//! Which roles are tried, account by account.

use crate::domain::account::Target;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name};

/// What is to be verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) accounts: Vec<PlannedAccount>,
    pub(super) left_out: Vec<String>,
}

/// An account and the roles of it that are to be tried.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedAccount {
    pub name: Name,
    pub id: AccountId,
    pub targets: Vec<Target>,
}

/// Who chose the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Nobody: they are the whole config, so guarded (`confirm`) ones are left out.
    All,
    /// The person named them.
    ByName,
}

impl Plan {
    /// Groups targets by account, in their order.
    pub fn new(targets: Vec<Target>, chosen: Chosen) -> Self {
        let mut plan = Self { accounts: Vec::new(), left_out: Vec::new() };
        for target in targets {
            if chosen == Chosen::All && target.guard == Guard::Confirm {
                plan.left_out.push(target.name());
                continue;
            }
            match plan.accounts.iter_mut().find(|account| account.id == target.id) {
                Some(account) => account.targets.push(target),
                None => plan.accounts.push(PlannedAccount {
                    name: target.account.clone(),
                    id: target.id,
                    targets: vec![target],
                }),
            }
        }
        plan
    }

    /// How many roles there are in all.
    pub(super) fn roles(&self) -> usize {
        self.accounts.iter().map(|account| account.targets.len()).sum()
    }
}
