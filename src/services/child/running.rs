//! Running programs that hold a role session in their environment.

/// A program, and the target whose session it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the kernel reports it.
    pub name: String,
    /// `SEKISHO_TARGET`.
    pub target: String,
}

/// The user's running programs that were started with a target, by `shell` or `exec`.
///
/// Descendants with the same target are left out, and so are programs whose environment cannot be read.
#[cfg(target_os = "linux")]
pub fn holders() -> Vec<Running> {
    use std::collections::HashMap;
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = processes.flatten().filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    let found: HashMap<u32, (u32, Running)> = pids
        .filter_map(|pid| {
            let (parent, name) = status(pid)?;
            let target = target(pid)?;
            Some((pid, (parent, Running { pid, name, target })))
        })
        .collect();
    let mut tops: Vec<Running> = found
        .values()
        .filter(|(parent, running)| {
            found.get(parent).is_none_or(|(_, above)| above.target != running.target)
        })
        .map(|(_, running)| running.clone())
        .collect();
    tops.sort_by_key(|running| running.pid);
    tops
}

/// Not supported on this platform.
#[cfg(not(target_os = "linux"))]
pub fn holders() -> Vec<Running> {
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
fn target(pid: u32) -> Option<String> {
    // It holds the credentials as well.
    let environment = zeroize::Zeroizing::new(std::fs::read(format!("/proc/{pid}/environ")).ok()?);
    let mut entries = environment.split(|byte| *byte == 0);
    let target = entries.find_map(|entry| entry.strip_prefix(b"SEKISHO_TARGET="))?;
    Some(crate::domain::text::sanitize(&String::from_utf8_lossy(target)))
}
