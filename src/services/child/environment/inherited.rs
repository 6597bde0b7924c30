//! The environment that sekisho was started with.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;

use super::names::{OUR_REGION, REGIONS};
use crate::domain::agents::Driver;
use crate::domain::ids::Region;
use crate::services::aws::shared_files::own_config_variable;

/// The environment sekisho was started with.
#[derive(Default)]
pub struct Inherited(pub(super) Vec<(OsString, OsString)>);

impl Inherited {
    /// This process's own, duplicates included.
    pub fn current() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's value; of duplicates the first, as programs see it.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_os_str())
    }

    /// A variable's value, if it can be parsed.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.to_str()?.parse().ok()
    }

    /// The user's own `AWS_CONFIG_FILE`, in a served child, too. Empty means unset.
    pub fn aws_config_file(&self) -> Option<&OsStr> {
        own_config_variable(|name| self.get(name))
    }

    /// The user's own region, `AWS_REGION` before `AWS_DEFAULT_REGION`: never one that sekisho has set.
    pub fn own_region(&self) -> Option<Region> {
        REGIONS.into_iter().find_map(|names| self.own(names)?.to_str()?.parse().ok())
    }

    /// What the user has in one of the [`REGIONS`], or had there before sekisho set it.
    pub(super) fn own(&self, (name, before): (&str, &str)) -> Option<&OsStr> {
        self.get(if self.is_ours(name, OUR_REGION) { before } else { name })
    }

    /// Who drives this process.
    pub fn driver(&self) -> Driver {
        Driver::of(self.0.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    /// How many sekisho shells surround this process.
    pub fn depth(&self) -> u32 {
        self.parsed("SEKISHO_DEPTH").unwrap_or(0)
    }

    /// Whether it is sekisho that has set a variable to what it is; `ours` keeps what sekisho has set.
    pub(super) fn is_ours(&self, name: &str, ours: &str) -> bool {
        let value = self.get(name);
        value.is_some() && value == self.get(ours)
    }
}

impl FromIterator<(OsString, OsString)> for Inherited {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(vars: T) -> Self {
        Self(vars.into_iter().collect())
    }
}
