//! Sealed sessions: what comes back, what never does, and what is said about it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::record::{Name, RecordKind};
use sekisho::services::store::vault::Vault;

use super::{again, again_args, at, place, root, second, skip, until};
use crate::support::program;

const NAME: Name = [0xAB; 32];
const ROLE: RecordKind = RecordKind::RoleSession;
const CANARY: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn vault(dir: &Path) -> Vault {
    Vault::new(dir, KeyPlace::FILE, None)
}

/// A vault with one record in it, and the record's file. Skips aloud where the kernel keeps no keys.
fn filled(dir: &Path) -> Option<(Vault, PathBuf)> {
    let vault = vault(dir);
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    if let Some(warning) = vault.take_warning() {
        skip(&warning);
        return None;
    }
    let file = dir.join(format!("role-{}", "ab".repeat(32)));
    Some((vault, file))
}

fn read(vault: &Vault) -> Option<Vec<u8>> {
    vault.get(ROLE, &NAME, at(1)).map(|plain| plain.to_vec())
}

/// Drops the data key this test made: it would stay in the kernel for its hour.
struct Cleanup<'a>(&'a Vault);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        let _ = self.0.forget_all();
    }
}

#[test]
fn a_session_outlives_the_process_and_lies_sealed() {
    let (_temp, dir) = place();
    let Some((first, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&first);
    assert_eq!(first.label(), Some("kernel keyring"));

    let second = vault(&dir);
    assert_eq!(read(&second).unwrap(), CANARY);
    assert_eq!(second.list(ROLE, at(1)), [(NAME, at(3600))]);
    assert!(second.list(RecordKind::AuthSession, at(1)).is_empty());
    assert!(second.take_warning().is_none());

    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(16).any(|window| window == &CANARY[..16]));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_record_is_of_its_name_and_kind_only() {
    let (_temp, dir) = place();
    let Some((vault, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    assert!(vault.get(ROLE, &[0; 32], at(1)).is_none());
    assert!(vault.get(RecordKind::AuthSession, &NAME, at(1)).is_none());

    for stolen in [format!("role-{}", "00".repeat(32)), format!("auth-{}", "ab".repeat(32))] {
        fs::copy(&file, dir.join(&stolen)).unwrap();
    }
    assert!(vault.get(ROLE, &[0; 32], at(1)).is_none());
    assert!(vault.take_warning().unwrap().contains("is damaged"));
    assert!(vault.get(RecordKind::AuthSession, &NAME, at(1)).is_none());
    assert!(vault.take_warning().unwrap().contains("is damaged"));
}

#[test]
fn clocks_may_jump() {
    let (_temp, dir) = place();
    let Some((vault, _)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    assert!(vault.get(ROLE, &NAME, at(3599)).is_some());
    assert!(vault.get(ROLE, &NAME, at(3600)).is_none());
    // Back by days: the record would seem to live for days, which none may.
    assert!(vault.get(ROLE, &NAME, at(-40 * 3600)).is_none());
    assert!(vault.get(ROLE, &NAME, at(1)).is_some());
    assert!(vault.take_warning().is_none());

    vault.put(RecordKind::Warm, &NAME, b"x", at(1_000_000_000), at(0));
    assert_eq!(vault.list(RecordKind::Warm, at(0)), [(NAME, at(36 * 3600))]);
}

#[test]
fn every_flipped_byte_is_an_empty_cache_and_one_line() {
    let (_temp, dir) = place();
    let Some((vault, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    let good = fs::read(&file).unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 0x55;
        fs::write(&file, &bad).unwrap();
        assert!(read(&vault).is_none(), "byte {byte}");
        // A flipped expiry may simply be over; everything else is said.
        let warning = vault.take_warning();
        assert!(warning.is_some() || (11..19).contains(&byte), "byte {byte}");
        assert!(warning.is_none_or(|line| !line.contains('\n')));
    }
    for length in 0..good.len() {
        fs::write(&file, &good[..length]).unwrap();
        assert!(read(&vault).is_none(), "length {length}");
        assert!(vault.take_warning().is_some());
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(read(&vault).unwrap(), CANARY);
    assert!(vault.take_warning().is_none());
}

/// What the warning says, and what brings it about.
type Plant<'a> = (&'static str, Box<dyn Fn() + 'a>);

#[test]
fn what_others_could_have_written_is_not_read_and_is_replaced() {
    let (temp, dir) = place();
    let Some((vault, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    let aside = temp.path().join("aside");
    let mut plants: Vec<Plant> = vec![
        (
            "open to other users",
            Box::new(|| {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            }),
        ),
        (
            "is a link",
            Box::new(|| {
                fs::rename(&file, &aside).unwrap();
                symlink(&aside, &file).unwrap();
            }),
        ),
        (
            "not of the kind",
            Box::new(|| {
                fs::remove_file(&file).unwrap();
                fs::create_dir(&file).unwrap();
            }),
        ),
        (
            "longer than",
            Box::new(|| {
                fs::write(&file, vec![0; 300_000]).unwrap();
            }),
        ),
        (
            "newer sekisho",
            Box::new(|| {
                let mut bytes = fs::read(&file).unwrap();
                bytes[8] = 2;
                fs::write(&file, bytes).unwrap();
            }),
        ),
    ];
    if root() {
        plants.push(("another user", Box::new(|| chown(&file, Some(1234), None).unwrap())));
    }
    for (said, plant) in plants {
        plant();
        assert!(read(&vault).is_none(), "{said}");
        let warning = vault.take_warning().unwrap_or_default();
        assert!(warning.contains(said), "{said}: {warning}");
        let _ = fs::remove_dir(&file);
        vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
        assert!(vault.take_warning().is_none(), "{said}");
        assert_eq!(read(&self::vault(&dir)).unwrap(), CANARY, "{said}");
    }
    assert!(!aside.is_symlink() && aside.is_file(), "nothing is written through a link");
}

#[test]
fn a_directory_that_is_not_ours_alone_is_not_used() {
    let (temp, dir) = place();
    let elsewhere = temp.path().join("elsewhere");
    let outer = dir.parent().unwrap();
    fs::create_dir(outer).unwrap();
    fs::set_permissions(outer, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &dir).unwrap();
    let vault = vault(&dir);
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    assert!(vault.take_warning().unwrap().contains("is a link"));
    assert_eq!(vault.label(), Some("memory only"));
    assert_eq!(read(&vault).unwrap(), CANARY, "it stays in memory");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);

    fs::remove_file(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).unwrap();
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    assert!(vault.take_warning().unwrap().contains("mode 770"));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);

    // Nor may the directory around it be somebody else's to swap.
    fs::remove_dir(&dir).unwrap();
    fs::remove_dir(outer).unwrap();
    symlink(&elsewhere, outer).unwrap();
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    assert!(vault.take_warning().unwrap().contains("is a link"));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_lost_data_key_is_one_line_and_an_empty_cache() {
    let (_temp, dir) = place();
    let Some((first, file)) = filled(&dir) else {
        return;
    };
    let bytes = fs::read(&file).unwrap();
    first.forget_all().unwrap();
    assert!(!file.exists());
    assert!(read(&first).is_none());
    assert!(first.take_warning().is_none(), "nothing was lost, it was forgotten");

    fs::write(&file, &bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let second = vault(&dir);
    let _cleanup = Cleanup(&second);
    assert!(read(&second).is_none());
    assert!(second.take_warning().unwrap().contains("a new code is needed"));
    second.purge(at(1));
    assert!(!file.exists(), "said once, then gone");

    // A new key under the same name opens nothing old.
    fs::write(&file, &bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    second.put(RecordKind::AuthSession, &NAME, CANARY, at(3600), at(0));
    assert!(read(&second).is_none());
    assert!(second.take_warning().unwrap().contains("a new code is needed"));
}

#[test]
fn purging_removes_what_is_over_and_nothing_else() {
    let (_temp, dir) = place();
    let Some((vault, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    vault.put(RecordKind::AuthSession, &NAME, CANARY, at(600), at(0));
    let half = fs::File::create(dir.join(".tmp-0123")).unwrap();
    half.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)) // at(0)
        .unwrap();
    vault.purge(at(1));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 4, "two records, the lock, a fresh half");
    vault.purge(at(601));
    assert!(file.exists());
    assert!(vault.get(RecordKind::AuthSession, &NAME, at(1)).is_none());
    assert!(dir.join(".tmp-0123").exists());
    vault.purge(at(3700));
    assert!(!file.exists() && !dir.join(".tmp-0123").exists());
}

#[test]
fn without_a_kernel_keyring_the_runtime_directory_serves_if_it_is_in_memory() {
    const RUNTIME: &[KeyPlace] = &[KeyPlace::Runtime];
    let (temp, dir) = place();
    let on_disk = temp.path().join("run");
    let shm = tempfile::Builder::new().prefix("sekisho-").tempdir_in("/dev/shm");

    let told = |runtime: Option<&Path>| {
        let vault = Vault::new(&dir, RUNTIME, runtime);
        vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
        assert_eq!(read(&vault).unwrap(), CANARY);
        let settled = vault.find_place(at(0));
        assert_eq!(settled.is_err(), vault.label() == Some("memory only"));
        (vault.label().unwrap(), vault.take_warning())
    };
    let (label, warning) = told(None);
    assert_eq!(label, "memory only");
    assert!(warning.unwrap().contains("no XDG_RUNTIME_DIR"));

    let Ok(shm) = shm else { return };
    fs::create_dir(&on_disk).unwrap();
    fs::set_permissions(&on_disk, fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::fs::statfs(temp.path()).unwrap().f_type
        != rustix::fs::statfs("/dev/shm").unwrap().f_type
    {
        let (label, warning) = told(Some(&on_disk.join("sekisho")));
        assert_eq!(label, "memory only");
        assert!(warning.unwrap().contains("is on a disk"));
    }

    fs::set_permissions(shm.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = shm.path().join("sekisho");
    assert!(told(Some(&runtime)).1.unwrap().contains("mode 755"));
    fs::set_permissions(shm.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(told(Some(&runtime)), ("runtime directory (weaker)", None));

    let other = Vault::new(&dir, RUNTIME, Some(&runtime));
    assert_eq!(other.label(), Some("runtime directory (weaker)"), "by what is there");
    let fresh = Vault::new(&dir.join("fresh"), RUNTIME, Some(&runtime));
    assert_eq!(fresh.label(), None, "not tried yet");
    assert_eq!(read(&other).unwrap(), CANARY);
    assert!(other.get(ROLE, &NAME, at(3601)).is_none());
    let elsewhere = Vault::new(&dir, RUNTIME, None);
    let left = elsewhere.forget_all().unwrap_err();
    assert!(left.contains("no XDG_RUNTIME_DIR"), "its key was not destroyed: {left}");
    told(Some(&runtime));
    other.forget_all().unwrap();
    assert!(read(&other).is_none());
}

#[test]
fn memory_only_writes_nothing() {
    let vault = Vault::in_memory();
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    assert_eq!(read(&vault).unwrap(), CANARY);
    assert_eq!(vault.list(ROLE, at(0)), [(NAME, at(3600))]);
    assert_eq!(vault.label(), Some("memory only"));
    assert_eq!((vault.find_place(at(0)), vault.label()), (Ok(None), Some("memory only")));
    assert!(vault.remove(ROLE, &NAME).unwrap());
    assert!(read(&vault).is_none());
}

#[test]
fn a_write_that_fails_keeps_the_session_in_memory_and_says_so() {
    let (_temp, dir) = place();
    let Some((vault, file)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    vault.put(ROLE, &NAME, CANARY, at(3600), at(0));
    let warning = vault.take_warning().unwrap();
    assert!(warning.starts_with("sessions stay in memory: "), "{warning}");
    assert_eq!(read(&vault).unwrap(), CANARY);
    assert_eq!(vault.list(ROLE, at(1)), [(NAME, at(3600))]);
}

#[test]
fn the_data_key_lives_no_longer_than_the_longest_session() {
    let (_temp, dir) = place();
    let Some((vault, _)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    vault.forget_all().unwrap();
    vault.put(ROLE, &NAME, CANARY, at(1), at(0));
    vault.put(RecordKind::Warm, &NAME, CANARY, at(2), at(0));
    assert!(vault.get(ROLE, &NAME, at(0)).is_some());
    // In the kernel's time, not in the test's: it wipes the key by itself.
    until("the kernel drops the key", || vault.get(ROLE, &NAME, at(0)).is_none().then_some(()));
    assert!(vault.take_warning().unwrap().contains("a new code is needed"));
}

#[test]
fn a_process_that_wrote_before_keeps_the_key_for_what_another_has_written_since() {
    const RUNTIME: &[KeyPlace] = &[KeyPlace::Runtime];
    let (_temp, dir) = place();
    let Ok(shm) = tempfile::Builder::new().prefix("sekisho-").tempdir_in("/dev/shm") else {
        return skip("there is no /dev/shm");
    };
    fs::set_permissions(shm.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let runtime = shm.path().join("sekisho");
    let (mine, other) =
        (Vault::new(&dir, RUNTIME, Some(&runtime)), Vault::new(&dir, RUNTIME, Some(&runtime)));
    mine.put(RecordKind::AuthSession, &NAME, CANARY, at(10), at(0));
    mine.put(RecordKind::Warm, &NAME, CANARY, at(10), at(0));
    other.put(ROLE, &NAME, CANARY, at(3600), at(0));
    mine.put(RecordKind::Warm, &NAME, CANARY, at(10), at(0));
    assert!(other.get(ROLE, &NAME, at(1000)).is_some(), "{:?}", other.take_warning());
    // What was removed holds it no longer.
    other.remove(ROLE, &NAME).unwrap();
    mine.put(RecordKind::Warm, &NAME, CANARY, at(20), at(0));
    let late = Vault::new(&dir, RUNTIME, Some(&runtime));
    assert!(late.get(RecordKind::Warm, &NAME, at(19)).is_some());
    late.forget_all().unwrap();
}

/// The second process: only reads.
#[test]
fn reads() {
    let Some(dir) = second() else { return };
    assert_eq!(read(&vault(&dir)).as_deref(), Some(CANARY));
}

#[test]
fn a_second_login_finds_the_same_data_key() {
    let (_temp, dir) = place();
    let Some((vault, _)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&vault);
    let test = "store::vault::reads";
    let same = again(test, dir.to_str().unwrap()).output().unwrap();
    assert!(same.status.success(), "{same:?}");
    // A new session keyring does not possess the user's: what sshd and tmux give.
    let Some(keyctl) = program("keyctl") else {
        return;
    };
    let fresh = std::process::Command::new(keyctl)
        .args(["session", "-"])
        .arg(std::env::current_exe().unwrap())
        .args(again_args(test))
        .env(super::SECOND, &dir)
        .output()
        .unwrap();
    assert!(fresh.status.success(), "{fresh:?}");
}

#[test]
fn many_first_starts_make_one_data_key() {
    let (_temp, dir) = place();
    let Some((first, _)) = filled(&dir) else {
        return;
    };
    let _cleanup = Cleanup(&first);
    first.forget_all().unwrap();
    std::thread::scope(|scope| {
        for i in 0..8 {
            let dir = &dir;
            scope.spawn(move || {
                let vault = vault(dir);
                vault.put(ROLE, &[i; 32], CANARY, at(3600), at(0));
                assert_eq!(vault.take_warning(), None);
            });
        }
    });
    for i in 0..8 {
        assert_eq!(&*first.get(ROLE, &[i; 32], at(1)).unwrap(), CANARY, "{i}");
    }
}
