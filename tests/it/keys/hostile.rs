//! Whatever somebody does to the files at rest: no panic, no hang, no lost key, no wrong session.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use super::stage::{Codes, Key, SECRET, Stage, until};
use crate::support::make_fifo;

const SHOW: &str = "echo $SEKISHO_TARGET in $AWS_ACCOUNT_ID";
const THEIRS: &str = "not ours to read or write\n";

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    FlippedByte,
    Emptied,
    Halved,
    Garbage,
    OpenToOthers,
    OfAnotherUser,
    Link,
    DeadLink,
    Folder,
    Fifo,
}

impl Harm {
    const ALL: [Self; 10] = [
        Self::FlippedByte,
        Self::Emptied,
        Self::Halved,
        Self::Garbage,
        Self::OpenToOthers,
        Self::OfAnotherUser,
        Self::Link,
        Self::DeadLink,
        Self::Folder,
        Self::Fifo,
    ];

    fn befall(self, file: &Path, theirs: &Path) {
        let bytes = fs::read(file).unwrap();
        let replace = |bytes: &[u8]| fs::write(file, bytes).unwrap();
        let mode = |mode| fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
        match self {
            Self::FlippedByte => {
                let mut flipped = bytes;
                let middle = flipped.len() / 2;
                flipped.iter_mut().skip(middle).take(1).for_each(|b| *b ^= 0x10);
                replace(&flipped);
            }
            Self::Emptied => replace(b""),
            Self::Halved => replace(&bytes[..bytes.len() / 2]),
            Self::Garbage => replace(&[0xA5; 300]),
            Self::OpenToOthers => mode(0o666),
            Self::OfAnotherUser if rustix::process::geteuid().is_root() => {
                chown(file, Some(65534), None).unwrap();
            }
            Self::OfAnotherUser => {}
            Self::Link | Self::DeadLink | Self::Folder | Self::Fifo => {
                fs::remove_file(file).unwrap();
                match self {
                    Self::Link => symlink(theirs, file).unwrap(),
                    Self::DeadLink => symlink("/nonexistent/place", file).unwrap(),
                    Self::Folder => fs::create_dir(file).unwrap(),
                    _ => make_fifo(file),
                }
            }
        }
    }
}

/// Everything below a folder, as it is now.
struct Snapshot(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Snapshot {
    fn of(folders: &[PathBuf]) -> Self {
        fn walk(place: PathBuf, into: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
            if place.is_dir() {
                let inside: Vec<_> = fs::read_dir(&place).unwrap().flatten().collect();
                into.push((place, None));
                for entry in inside {
                    walk(entry.path(), into);
                }
            } else {
                let bytes = fs::read(&place).unwrap();
                into.push((place, Some(bytes)));
            }
        }
        let mut all = Vec::new();
        for folder in folders {
            walk(folder.clone(), &mut all);
        }
        Self(all)
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| path)
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter(|(_, bytes)| bytes.is_none()).map(|(path, _)| path)
    }

    /// Brings everything back, and takes away what has come since.
    fn restore(&self, folders: &[PathBuf]) {
        for folder in folders {
            if fs::remove_dir_all(folder).is_err() {
                let _ = fs::remove_file(folder);
            }
        }
        for (path, bytes) in &self.0 {
            match bytes {
                None => fs::create_dir_all(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
            let mode = if bytes.is_none() { 0o700 } else { 0o600 };
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
}

struct Place {
    stage: Stage,
    folders: Vec<PathBuf>,
    whole: Snapshot,
    theirs: PathBuf,
    /// A folder of somebody else's.
    elsewhere: PathBuf,
}

impl Place {
    /// A day's work, with everything at rest that there is.
    fn new() -> Self {
        let stage = Stage::new(Key::File, Codes::Program);
        stage.store_key();
        // Each code works once, so AWS's clock runs ahead.
        let bears = std::time::Duration::from_hours(24);
        stage.emulator.with(|organization| organization.quirks.skew = bears);
        let folders = vec![stage.path(".local/state/sekisho"), stage.path("run")];
        for target in ["dev-1", "dev-2"] {
            assert!(stage.run(&["exec", target, "--", "true"]).status.success());
        }
        let (theirs, elsewhere) = (stage.path("theirs"), stage.path("elsewhere"));
        fs::write(&theirs, THEIRS).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        Self { whole: Snapshot::of(&folders), stage, folders, theirs, elsewhere }
    }

    /// Enters an account; it must go well, or be a fault that says why.
    fn enter(&self, what: &str) {
        self.stage.next_code();
        let mut command = self.stage.command(&["exec", "dev-1", "--", "/bin/sh", "-c", SHOW]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let status = until(what, || child.try_wait().unwrap());
        let mut output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
        child.stdout.take().unwrap().read_to_end(&mut output.stdout).unwrap();
        child.stderr.take().unwrap().read_to_end(&mut output.stderr).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{what}: {said}");
        assert!(!said.contains(SECRET), "{what}: {said}");
        match status.code() {
            Some(0) => assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                "dev-1/Developer in 222222222221\n",
                "{what}"
            ),
            Some(1) => assert!(said.contains("why") && said.contains("fix"), "{what}: {said}"),
            _ => panic!("{what}: {output:?}"),
        }
        assert_eq!(fs::read_to_string(&self.theirs).unwrap(), THEIRS, "{what}");
        assert_eq!(fs::read_dir(&self.elsewhere).unwrap().count(), 0, "{what}");
    }

    /// Puts everything back, and the key is still there.
    fn mend(&self, what: &str) {
        self.whole.restore(&self.folders);
        let entry = self.stage.stored().unwrap();
        assert_eq!(entry.current.unwrap().key.secret.expose(), SECRET, "{what}");
    }
}

#[test]
fn harm_to_any_file_is_borne() {
    let place = Place::new();
    assert!(place.whole.files().count() > 8, "{:?}", place.whole.files().collect::<Vec<_>>());
    for file in place.whole.files() {
        for harm in Harm::ALL {
            let what = format!("{harm:?}: {}", file.display());
            harm.befall(file, &place.theirs);
            place.enter(&what);
            place.mend(&what);
        }
    }
}

#[test]
fn harm_to_any_folder_is_borne() {
    let place = Place::new();
    for folder in place.whole.folders() {
        for harm in ["open", "foreign", "linked", "a file"] {
            let what = format!("{harm}: {}", folder.display());
            match harm {
                "open" => fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap(),
                "foreign" if rustix::process::geteuid().is_root() => {
                    chown(folder, Some(65534), None).unwrap();
                }
                "linked" => {
                    fs::remove_dir_all(folder).unwrap();
                    symlink(&place.elsewhere, folder).unwrap();
                }
                "a file" => {
                    fs::remove_dir_all(folder).unwrap();
                    drop(File::create(folder).unwrap());
                }
                _ => {}
            }
            place.enter(&what);
            place.mend(&what);
        }
    }
}

#[test]
fn an_edit_that_leaves_size_and_time_alone_is_seen() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let config = stage.path(".config/sekisho/config.yaml");
    let enter = || {
        let output = stage.run(&["exec", "dev-1", "--", "/bin/sh", "-c", SHOW]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Until the warm path trusts the file: it is old enough, and nothing is called.
    until("a warm answer", || {
        let calls = stage.emulator.calls().len();
        assert_eq!(enter(), "dev-1/Developer in 222222222221\n");
        let warm =
            fs::metadata(&config).unwrap().modified().unwrap().elapsed().unwrap().as_secs() > 1;
        (warm && stage.emulator.calls().len() == calls).then_some(())
    });
    let (text, before) = (fs::read_to_string(&config).unwrap(), fs::metadata(&config).unwrap());
    let edited = text
        .replace("222222222221", "TWO")
        .replace("222222222222", "222222222221")
        .replace("TWO", "222222222222");
    fs::write(&config, edited).unwrap();
    let file = File::options().write(true).open(&config).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    let after = fs::metadata(&config).unwrap();
    assert_eq!(
        (after.len(), after.modified().unwrap()),
        (before.len(), before.modified().unwrap())
    );
    assert_eq!(enter(), "dev-1/Developer in 222222222222\n");
}
