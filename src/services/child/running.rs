//! Running programs that hold credentials, or the way to them, in their environment.

use std::fmt;

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the kernel reports it.
    pub name: String,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// A program, and the target whose session it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The program.
    pub program: Program,
    /// `SEKISHO_TARGET`.
    pub target: String,
}

/// The user's running programs that were started with a target, by `shell` or `exec`.
///
/// Descendants with the same target are left out, and so are programs whose environment cannot be read (on macOS those that
/// the system protects).
pub fn holders() -> Vec<Holder> {
    let found = started_with("SEKISHO_TARGET");
    let target_of =
        |pid: u32| found.iter().find(|one| one.program.pid == pid).map(|one| &one.value);
    found
        .iter()
        .filter(|one| target_of(one.parent) != Some(&one.value))
        .map(|one| Holder { program: one.program.clone(), target: one.value.clone() })
        .collect()
}

/// The user's running programs that were started with a variable of that value, children too.
pub fn with_variable(name: &str, value: &str) -> Vec<Program> {
    let found = started_with(name).into_iter();
    found.filter(|one| one.value == value).map(|one| one.program).collect()
}

/// A program that was started with a variable.
struct Started {
    program: Program,
    parent: u32,
    value: String,
}

/// The user's running programs that were started with a variable, by their ids.
#[cfg(target_os = "linux")]
fn started_with(name: &str) -> Vec<Started> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut found: Vec<Started> = processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse::<u32>().ok()?;
            let value = variable(pid, name)?;
            let (parent, name) = status(pid)?;
            Some(Started { program: Program { pid, name }, parent, value })
        })
        .collect();
    found.sort_by_key(|one| one.program.pid);
    found
}

/// The user's running programs that were started with a variable, by their ids.
#[cfg(not(target_os = "linux"))]
fn started_with(name: &str) -> Vec<Started> {
    // `-E` adds the environment to the command, that of one's own programs only. It holds the credentials as well.
    let listed = std::process::Command::new("/bin/ps")
        .args(["-xEww", "-o", "pid=,ppid=,ucomm=,command="])
        .output();
    let listed = zeroize::Zeroizing::new(listed.map(|output| output.stdout).unwrap_or_default());
    let lines = listed.split(|byte| *byte == b'\n');
    lines.filter_map(|line| listed_with(std::str::from_utf8(line).ok()?, name)).collect()
}

/// A line of `ps -E`, where the variable is in its environment: `PID PPID NAME COMMAND… NAME=VALUE…`.
#[cfg(any(test, not(target_os = "linux")))]
fn listed_with(line: &str, name: &str) -> Option<Started> {
    let mut words = line.split_ascii_whitespace();
    let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let program = Program { pid, name: crate::domain::text::sanitize(words.next()?) };
    // The environment comes last; an argument of that form would come before it.
    let value = words.rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    Some(Started { program, parent, value: crate::domain::text::sanitize(value) })
}

/// A process's parent and name, from `/proc/PID/status` (proc(5)).
#[cfg(target_os = "linux")]
fn status(pid: u32) -> Option<(u32, String)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let parent = field("PPid:")?.trim().parse().ok()?;
    Some((parent, crate::domain::text::sanitize(field("Name:")?.trim())))
}

#[cfg(target_os = "linux")]
fn variable(pid: u32, name: &str) -> Option<String> {
    // It holds the credentials as well.
    let environment = zeroize::Zeroizing::new(std::fs::read(format!("/proc/{pid}/environ")).ok()?);
    let mut entries = environment.split(|byte| *byte == 0);
    let value =
        entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(crate::domain::text::sanitize(&String::from_utf8_lossy(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ps_tells_the_variable_of_its_environment() {
        let line =
            "  501   42 bash  bash -c SEKISHO_TARGET=x PATH=/bin SEKISHO_TARGET=dev/Admin HOME=/";
        let started = listed_with(line, "SEKISHO_TARGET").unwrap();
        assert_eq!((started.program.to_string().as_str(), started.parent), ("bash (pid 501)", 42));
        assert_eq!(started.value, "dev/Admin");
        assert!(listed_with("  501   42 bash  bash PATH=/bin", "SEKISHO_TARGET").is_none());
        assert!(listed_with("", "SEKISHO_TARGET").is_none());
    }
}
