//! A catalog as the cache keeps it: the accounts of a company have the same few roles, so that each stands there once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{Account, Catalog, Role};
use crate::domain::ids::Region;

#[derive(Serialize)]
struct Lent<'a> {
    roles: Vec<&'a Role>,
    /// Of each account: the positions of its roles.
    roles_of: Vec<Vec<usize>>,
    accounts: &'a [Account],
    default_regions: &'a [(u32, Option<Region>)],
}

/// The same, as it is read.
#[derive(Deserialize)]
pub(super) struct Stored {
    roles: Vec<Arc<Role>>,
    roles_of: Vec<Vec<usize>>,
    accounts: Vec<Account>,
    default_regions: Vec<(u32, Option<Region>)>,
}

impl Serialize for Catalog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut roles = Vec::new();
        let mut positions = HashMap::new();
        let mut roles_of = Vec::new();
        for account in &self.accounts {
            let mut of_account = Vec::new();
            for role in &account.roles {
                let written = serde_json::to_string(role).map_err(S::Error::custom)?;
                let position = *positions.entry(written).or_insert_with(|| {
                    roles.push(&**role);
                    roles.len() - 1
                });
                of_account.push(position);
            }
            roles_of.push(of_account);
        }
        let Self { accounts, default_regions } = self;
        Lent { roles, roles_of, accounts, default_regions }.serialize(serializer)
    }
}

impl TryFrom<Stored> for Catalog {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { roles, roles_of, mut accounts, default_regions } = stored;
        if roles_of.len() != accounts.len() {
            return Err("not the roles of these accounts");
        }
        for (account, positions) in accounts.iter_mut().zip(roles_of) {
            let its = positions.into_iter().map(|position| roles.get(position).cloned());
            account.roles = its.collect::<Option<_>>().ok_or("a role that is not there")?;
            if account.roles.is_empty() {
                return Err("an account without a role");
            }
        }
        Ok(Self { accounts, default_regions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::tests::catalog;

    #[test]
    fn a_catalog_comes_back_and_equal_roles_are_one() {
        let kept = serde_json::to_value(catalog()).unwrap();
        assert_eq!(kept["roles"].as_array().unwrap().len(), 2, "{kept}");
        let read: Catalog = serde_json::from_value(kept).unwrap();
        assert_eq!(read, catalog());
        let [first, second] = read.accounts() else { panic!("two accounts") };
        assert!(Arc::ptr_eq(&first.roles[1], &second.roles[1]));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (damage, roles_of) in
            [("position", "[[0, 1], [0, 2]]"), ("account", "[[0, 1]]"), ("role", "[[0], []]")]
        {
            let mut kept = serde_json::to_value(catalog()).unwrap();
            kept["roles_of"] = serde_json::from_str(roles_of).unwrap();
            assert!(serde_json::from_value::<Catalog>(kept).is_err(), "{damage}");
        }
    }
}
