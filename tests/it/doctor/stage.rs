//! A machine where everything is as it should be, and ways to break it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho::domain::config::Strictness;
use sekisho::domain::fault::Fault;
use sekisho::domain::ids::{AccessKeyId, AccountId};
use sekisho::domain::known::Known;
use sekisho::domain::verdict::Verdict;
use sekisho::domain::verdict::report::VerifiedMark;
use sekisho::services::config::files;
use sekisho::services::config::paths::{Ids, Paths};
use sekisho::services::doctor::{self, DoctorInput, Health, Online, Row};
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::keychain::KeychainError;

pub const CONFIG: &str = r#"
version: 1
auth:
  account: "111111111111"
  region: ap-northeast-1
accounts:
  - name: dev-tanaka
    id: "222222222222"
    roles: [Developer]
"#;

/// A machine in a temporary home.
pub struct Machine {
    pub env: BTreeMap<String, String>,
    pub keychain: Result<(), KeychainError>,
    pub sessions: Result<Option<KeyPlace>, String>,
    pub key: Option<Result<AccessKeyId, Fault>>,
    pub online: Option<Online>,
    pub marks: BTreeMap<AccountId, VerifiedMark>,
    pub ids: Ids,
    home: tempfile::TempDir,
}

impl Machine {
    /// Everything is as it should be.
    pub fn sound() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let env = [
            ("HOME", at("")),
            ("PATH", "/usr/bin:/bin".into()),
            ("SHELL", "/bin/bash".into()),
            ("TERM", "xterm-256color".into()),
            ("LANG", "en_US.UTF-8".into()),
        ];
        let mark = VerifiedMark { at: Timestamp::now(), verdict: Verdict::Proved };
        let machine = Self {
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            keychain: Ok(()),
            sessions: Ok(Some(KeyPlace::Kernel)),
            key: Some(Ok("AKIATANAKA0000000001".parse().unwrap())),
            online: None,
            marks: BTreeMap::from([("222222222222".parse().unwrap(), mark)]),
            ids: Ids::current(),
            home,
        };
        machine.write(".config/sekisho/config.yaml", CONFIG);
        machine.write(".bashrc", "eval \"$(sekisho hook bash)\"\n");
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file of the person's own (0600).
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    /// Replaces something in the config.
    pub fn configure(&self, from: &str, to: &str) {
        assert!(CONFIG.contains(from), "{from}");
        self.write(".config/sekisho/config.yaml", &CONFIG.replace(from, to));
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    pub fn examine(&self) -> Vec<Row> {
        let paths = Paths::find(|name| self.env.get(name).map(Into::into), self.ids);
        let config = self.path(".config/sekisho/config.yaml");
        let loaded =
            files::load(&config, Some(self.home.path()), Strictness::Tolerant, &Known::default())
                .map(|(loaded, _)| loaded);
        doctor::examine(&DoctorInput {
            login: sekisho::services::doctor::LoginState::Unused,
            env: &self.env,
            paths: paths.as_ref(),
            config: loaded.as_ref(),
            keychain: self.keychain.as_ref().copied(),
            sessions: Some(self.sessions.as_ref().copied().map_err(String::as_str)),
            key: self.key.as_ref().map(Result::as_ref),
            online: self.online.as_ref(),
            marks: &self.marks,
            now: Timestamp::now(),
        })
    }

    /// Holds that exactly one check complains; returns it.
    pub fn complains(&self, id: &str, verdict: Health) -> Row {
        let rows = self.examine();
        let complaints: Vec<_> = rows.iter().filter(|row| row.verdict > Health::Skipped).collect();
        let [row] = complaints[..] else {
            panic!("not one complaint: {complaints:#?}");
        };
        assert_eq!((row.id, row.verdict), (id, verdict), "{row:#?}");
        assert!(row.remedy.is_some(), "{row:#?}");
        // Fit for a ticket.
        let text = doctor::text(&rows) + &doctor::json(&rows);
        for private in
            [self.home.path().to_str().unwrap(), "111111111111", "222222222222", "AKIATANAKA"]
        {
            assert!(!text.contains(private), "{private} in\n{text}");
        }
        row.clone()
    }
}

pub fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
