//! What earlier versions stored opens under this one. `tests/fixtures/VERSION` was written by that version's own
//! program, in a demo: its secrets open nothing.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sekisho::domain::config::Strictness;
use sekisho::domain::known::Known;
use sekisho::domain::secret::Secret;
use sekisho::services::config::files;
use sekisho::services::config::paths::{Paths, RuntimeDir};
use sekisho::services::session::facts::Facts;
use sekisho::services::session::history::HistoryFile;
use sekisho::services::session::sessions::{self, AuthOrigin, RoleOrigin, Who};
use sekisho::services::store::access_keys::KeyHome;
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::record::RecordKind;
use sekisho::services::store::slot::Slot;
use sekisho::services::store::vault::Vault;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Shortly after the fixtures of 0.1.0 were written: their sessions still live.
fn then() -> Timestamp {
    "2026-11-26T23:00:00Z".parse().unwrap()
}

/// A state directory with what 0.1.0 left there.
struct Left {
    folder: TempDir,
}

impl Left {
    fn by_0_1_0() -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1.0");
        let folder = tempfile::tempdir().unwrap();
        let left = Self { folder };
        for name in ["", "sessions", "keys", "run"] {
            let dir = left.path(name);
            fs::create_dir_all(&dir).unwrap();
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
        for name in ["facts.json", "history.json", "diary.jsonl", "config.yaml"] {
            put(&from.join(name), &left.path(name));
        }
        for file in fs::read_dir(from.join("sessions")).unwrap() {
            let file = file.unwrap();
            put(&file.path(), &left.path("sessions").join(file.file_name()));
        }
        // The data key is named after the directory that it belongs to.
        let digest = Sha256::digest(left.path("sessions").as_os_str().as_encoded_bytes());
        put(
            &from.join("data-key"),
            &left.path("run").join(format!("data-key-v1-{}", hex(&digest[..8]))),
        );
        left
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    fn vault(&self) -> Vault {
        Vault::new(&self.path("sessions"), KeyPlace::DEMO, Some(&self.path("run")))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn put(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn sessions_of_0_1_0_open() {
    let left = Left::by_0_1_0();
    let vault = left.vault();
    let [(_, auth)] = &sessions::all::<AuthOrigin>(&vault, then())[..] else {
        panic!("one auth session: {:?}", vault.take_warning());
    };
    assert_eq!(auth.origin.user.as_str(), "tanaka");
    assert_eq!(auth.origin.device, "phone");
    assert_eq!(auth.credentials.expires.to_string(), "2026-11-27T10:54:12Z");
    let mut roles: Vec<String> = sessions::all::<RoleOrigin>(&vault, then())
        .iter()
        .map(|(_, session)| session.origin.target.name())
        .collect();
    roles.sort();
    assert_eq!(roles, ["dev-sato/Developer", "dev-tanaka/Developer"]);
    assert_eq!(vault.list(RecordKind::Warm, then()).len(), 2);
    assert_eq!(vault.take_warning(), None);
}

#[test]
fn what_0_1_0_learned_and_remembered_is_still_known() {
    let left = Left::by_0_1_0();
    let facts = Facts::new(&left.path(""));
    let text = fs::read_to_string(left.path("facts.json")).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    let name = stored.as_object().unwrap().keys().next().unwrap().clone();
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    let who: Who = facts.recall(&id, then()).unwrap();
    assert_eq!(who.user.as_str(), "tanaka");
    assert_eq!(who.devices[0].1, "phone");
    let paths = Paths {
        home: left.path(""),
        config: left.path(""),
        state: left.path(""),
        cache: left.path("cache"),
        runtime: RuntimeDir::Unset,
    };
    let role = "arn:aws:iam::012345678901:role/Developer".parse().unwrap();
    assert!(HistoryFile::new(&paths).read().is_starred(&role));
}

#[test]
fn the_key_file_of_0_1_0_opens_with_its_passphrase() {
    let left = Left::by_0_1_0();
    let slot = Slot {
        account: "111111111111".parse().unwrap(),
        endpoint: Some("http://127.0.0.1:36901".into()),
    };
    let digest = Sha256::digest("http://127.0.0.1:36901");
    let name = hex(&digest[..8]);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1.0/access.key");
    put(&from, &left.path("keys").join(format!("111111111111-{name}.key")));
    let entry = KeyHome::file(&left.path(""))
        .load(&slot, &mut |_| Ok(Secret::new("correct horse battery staple".into())))
        .unwrap()
        .unwrap();
    let key = entry.current.unwrap().key;
    assert_eq!(key.id.as_str(), "AKIADEMO35TJKBZ3Y6ZM");
    assert_eq!(key.secret.expose(), "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");
}

#[test]
fn the_config_of_0_1_0_is_sound() {
    let left = Left::by_0_1_0();
    let (loaded, _) =
        files::load(&left.path("config.yaml"), None, Strictness::Strict, &Known::default())
            .unwrap();
    assert_eq!(loaded.config.catalog.accounts().len(), 1);
}
