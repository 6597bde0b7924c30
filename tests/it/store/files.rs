//! The file layer: a write happens whole or not at all, and only where it should.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sekisho::services::store::files::{Dir, Why, write_through};

use super::{again, again_args, place, root, second, skip};
use crate::support::{make_fifo, program};

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new and longer";
const WRITER: &str = "store::files::writes_once";

/// The second process of the fault injection: one write, and its result on stdout.
#[test]
fn writes_once() {
    let Some(dir) = second() else { return };
    // strace counts calls by thread: these put ours beyond any count of the test harness's threads.
    for _ in 0..200 {
        let mut null = fs::File::create("/dev/null").unwrap();
        null.write_all(b"x").unwrap();
    }
    let result = Dir::open(&dir).unwrap().unwrap().write("file", NEW);
    assert!(result.is_ok(), "WRITE FAILED: {}", result.unwrap_err());
}

/// A system call of the write, and which of its kind it is in its thread.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    call: String,
    when: usize,
}

/// Traces one good write and finds its steps, from the temporary name to the last fsync.
fn steps(strace: &Path, dir: &Path) -> Vec<Step> {
    let log = dir.with_file_name("strace.log");
    let status = Command::new(strace)
        .args(["-f", "-qq", "-e", "trace=openat,fchmod,write,fsync,renameat,unlinkat"])
        .arg("-o")
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(again_args(WRITER))
        .env(super::SECOND, dir)
        .output()
        .unwrap()
        .status;
    if !status.success() {
        return Vec::new();
    }
    let log = fs::read_to_string(&log).unwrap();
    let calls: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    let at = calls.iter().position(|(_, call)| call.contains(".tmp-")).unwrap();
    let thread = calls[at].0;
    let mut steps: Vec<Step> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (i, (pid, call)) in calls.iter().enumerate() {
        if *pid != thread {
            continue;
        }
        let Some((name, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        seen.push(name);
        if i >= at && steps.iter().filter(|step| step.call == "fsync").count() < 2 {
            let when = seen.iter().filter(|other| **other == name).count();
            let call = name.to_owned();
            steps.push(Step { call, when });
        }
    }
    steps
}

#[test]
fn no_death_and_no_full_disk_at_any_step_loses_the_old_file() {
    let Some(strace) = program("strace") else {
        return;
    };
    let (_temp, dir) = place();
    let ours = Dir::create(&dir).unwrap();
    ours.write("file", OLD).unwrap();
    let steps = steps(&strace, &dir);
    if steps.is_empty() {
        return skip("strace may not trace here");
    }
    let names: Vec<&str> = steps.iter().map(|step| step.call.as_str()).collect();
    assert_eq!(names, ["openat", "fchmod", "write", "fsync", "renameat", "fsync"]);

    for injury in ["signal=KILL", "error=ENOSPC", "error=EROFS", "error=EIO"] {
        for (at, Step { call, when }) in steps.iter().enumerate() {
            ours.write("file", OLD).unwrap();
            let output = Command::new(&strace)
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
                .arg(format!("--inject={call}:{injury}:when={when}"))
                .arg(std::env::current_exe().unwrap())
                .args(again_args(WRITER))
                .env(super::SECOND, &dir)
                .output()
                .unwrap();
            let case = format!("{call} #{when} {injury}");
            assert!(!output.status.success(), "{case} was not injected");
            let content = fs::read(dir.join("file")).unwrap();
            let renamed = at > 4;
            assert_eq!(content, if renamed { NEW } else { OLD }, "{case}");
            if injury != "signal=KILL" {
                let said = String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("WRITE FAILED"), "{case}: {said}");
                assert_eq!(ours.names().unwrap(), ["file"], "{case}");
                assert_eq!(halves(&dir), 0, "{case} left its half behind");
            }
            for half in fs::read_dir(&dir).unwrap() {
                let half = half.unwrap();
                if half.file_name() != "file" {
                    fs::remove_file(half.path()).unwrap();
                }
            }
        }
    }
}

fn halves(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count() - 1
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let (temp, _) = place();
    let disk = temp.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"])
        .arg(&disk)
        .output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        return skip("no right to mount a small disk");
    }
    let mounted = Mounted(disk);
    let dir = Dir::create(&mounted.0.join("ours")).unwrap();
    dir.write("file", OLD).unwrap();
    let error = dir.write("file", &vec![1; 1 << 20]).unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), OLD);
    assert_eq!(halves(dir.path()), 0);
    dir.write("file", NEW).unwrap();
}

#[test]
fn a_read_only_directory_leaves_the_old_file() {
    let (temp, dir) = place();
    if root() && second().is_none() {
        // Modes hold root back from nothing, so somebody else tries.
        Dir::create(&dir).unwrap().write("file", OLD).unwrap();
        for path in [temp.path(), dir.parent().unwrap(), &dir, &dir.join("file")] {
            chown(path, Some(65534), Some(65534)).unwrap();
        }
        let output =
            again("store::files::a_read_only_directory_leaves_the_old_file", dir.to_str().unwrap())
                .uid(65534)
                .gid(65534)
                .output();
        match output {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(error) => skip(&format!("nobody may not run this test: {error}")),
        }
        return;
    }
    let dir = second().unwrap_or(dir);
    let ours = Dir::create(&dir).unwrap();
    ours.write("file", OLD).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o500)).unwrap();
    let error = ours.write("file", NEW).unwrap_err();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(error.to_string().contains("Permission denied"), "{error}");
    assert_eq!(fs::read(dir.join("file")).unwrap(), OLD);
}

#[test]
fn a_planted_fifo_holds_nobody_up() {
    let (_temp, dir) = place();
    let ours = Dir::create(&dir).unwrap();
    make_fifo(&dir.join("file"));
    assert!(matches!(ours.read("file", 100).unwrap_err().why, Why::Link));
    assert!(matches!(ours.lock("file").unwrap_err().why, Why::Link));
}

#[test]
fn a_planted_lock_is_not_taken() {
    let (temp, dir) = place();
    let ours = Dir::create(&dir).unwrap();
    fs::write(temp.path().join("theirs"), b"precious").unwrap();
    symlink(temp.path().join("theirs"), dir.join("lock")).unwrap();
    assert!(matches!(ours.lock("lock").unwrap_err().why, Why::Link));
}

#[test]
fn a_file_linked_on_purpose_is_written_through() {
    let (temp, _) = place();
    let home = temp.path().join("home/.aws");
    let repo = temp.path().join("dotfiles");
    fs::create_dir_all(&home).unwrap();
    fs::create_dir(&repo).unwrap();
    fs::write(repo.join("aws"), OLD).unwrap();
    fs::set_permissions(repo.join("aws"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../../dotfiles/aws", home.join("config")).unwrap();

    write_through(&home.join("config"), NEW).unwrap();
    assert!(home.join("config").is_symlink());
    assert!(!repo.join("aws").is_symlink());
    assert_eq!(fs::read(repo.join("aws")).unwrap(), NEW);
    assert_eq!(fs::metadata(repo.join("aws")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(&repo).unwrap().count(), 1);
    if root() {
        chown(repo.join("aws"), None, Some(1234)).unwrap();
        write_through(&home.join("config"), OLD).unwrap();
        let meta = fs::metadata(repo.join("aws")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::gid(&meta), 1234);

        chown(repo.join("aws"), Some(1234), None).unwrap();
        let error = write_through(&home.join("config"), NEW).unwrap_err();
        assert!(matches!(error.why, Why::Foreign));
        assert_eq!(fs::read(repo.join("aws")).unwrap(), OLD);
    }

    symlink("nowhere", home.join("dangling")).unwrap();
    assert!(write_through(&home.join("dangling"), NEW).is_err());
    assert!(home.join("dangling").is_symlink() && !home.join("nowhere").exists());

    let fresh = temp.path().join("home/.config/new");
    write_through(&fresh, NEW).unwrap();
    assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn faults_name_the_file_and_the_remedy() {
    let (_temp, dir) = place();
    let ours = Dir::create(&dir).unwrap();
    ours.write("it's", OLD).unwrap();
    let file = dir.join("it's");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let fault = ours.read("it's", 100).unwrap_err().fault("the session cannot be read");
    assert!(fault.why[0].ends_with("is open to other users (mode 644)"), "{fault:?}");
    assert_eq!(fault.fix, [format!("chmod 600 \"{}\"", file.display())]);
}
