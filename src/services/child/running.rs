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
/// Descendants with the same target are left out, and so are programs whose environment cannot be read. Not supported but
/// on Linux.
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

/// The user's running programs that were started with a variable of that value, children too. None but on Linux.
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

/// Not supported on this platform.
#[cfg(not(target_os = "linux"))]
fn started_with(_: &str) -> Vec<Started> {
    Vec::new()
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
