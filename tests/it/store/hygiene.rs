//! A process that holds secrets shows its memory to nobody of the same user.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use sekisho::services::store::process_memory::hide_memory;

use super::{again, root, second, skip};

const TEST: &str = "store::hygiene::only_the_process_is_hidden_and_not_its_child";

#[test]
fn only_the_process_is_hidden_and_not_its_child() {
    if second().is_none() {
        // In a process of its own, for no other test may lose its /proc; not root, for root sees all.
        let temp = tempfile::tempdir().unwrap();
        let mut command = again(TEST, temp.path().to_str().unwrap());
        if root() {
            chown(temp.path(), Some(65534), Some(65534)).unwrap();
            command.uid(65534).gid(65534);
        }
        return match command.output() {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(error) => skip(&format!("nobody may not run this test: {error}")),
        };
    }
    let limits = || {
        let text = fs::read_to_string("/proc/self/limits").unwrap();
        text.lines().find(|line| line.contains("core")).unwrap().to_owned()
    };
    let child =
        || Command::new("cat").args(["/proc/self/environ", "/proc/self/limits"]).output().unwrap();
    let (before, child_before) = (limits(), child());
    assert!(fs::read("/proc/self/environ").is_ok());
    hide_memory().unwrap();
    let refused = fs::read("/proc/self/environ").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(limits(), before);
    let child_after = child();
    assert!(child_after.status.success());
    assert_eq!(child_after.stdout, child_before.stdout);
}
