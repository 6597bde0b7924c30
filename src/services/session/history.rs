//! The history: which roles were entered and starred, shared by all of this user's sekisho processes.
//!
//! Stars and counts are in one file, which is replaced. An entry only adds a line to another one, so that a warm `exec`
//! does not pay for it; the lines are counted when the history is read, and folded into the first file when they are many.
//! Those that tell where a terminal's shells were last stay lines: `sekisho -` goes back by them.

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use crate::domain::history::{History, HistoryEvent};
use crate::domain::ids::RoleArn;

use crate::services::config::paths::Paths;
use crate::services::store::files::{Dir, FileError};

const FILE: &str = "history.json";
const ENTRIES: &str = "entries.log";
const LIMIT: u64 = 1024 * 1024;
/// The size, in bytes, from which the lines are folded into the history.
const FULL: u64 = 256 * 1024;
/// The size, in bytes, of the lines that stay then, the newest ones.
const KEPT: u64 = FULL / 4;

/// The history's files in their directory.
pub struct HistoryFile {
    folder: PathBuf,
}

/// A shell that is, or was, in an account: `switch` changes the account, and neither of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShellId {
    terminal: TerminalId,
    /// How many of sekisho's shells surround what runs in it.
    depth: u32,
}

/// A terminal, by the session that it controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TerminalId {
    /// The process id of the session's leader (`getsid`); 0 where that is outside this process's namespace, as in some
    /// containers.
    session: i32,
    /// When that was started, by the kernel's clock: process ids are used again. `None` where the kernel does not say.
    started: Option<u64>,
}

impl TerminalId {
    fn current() -> Self {
        // Not rustix's: it takes for granted that this is never 0.
        let session = nix::unistd::getsid(None).map_or(0, nix::unistd::Pid::as_raw);
        Self { session, started: started(session) }
    }
}

/// When a process was started, in clock ticks since the boot: `proc_pid_stat(5)`, field 22.
#[cfg(target_os = "linux")]
fn started(process: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in brackets, may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Not supported on this platform.
#[cfg(not(target_os = "linux"))]
fn started(_: i32) -> Option<u64> {
    None
}

/// When this machine was started, where the kernel says: the clock ticks, and the process ids, begin again there.
fn booted(now: Timestamp) -> Option<Timestamp> {
    if cfg!(target_os = "macos") {
        let told =
            std::process::Command::new("/usr/sbin/sysctl").args(["-n", "kern.boottime"]).output();
        return boot_time(&String::from_utf8_lossy(&told.ok()?.stdout));
    }
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: i64 = uptime.split('.').next()?.parse().ok()?;
    now.checked_sub(SignedDuration::from_secs(seconds)).ok()
}

/// The time in macOS's `kern.boottime`: `{ sec = 1764230000, usec = 123 } Thu Nov 27 07:53:20 2025`.
fn boot_time(told: &str) -> Option<Timestamp> {
    let (_, rest) = told.split_once("sec = ")?;
    Timestamp::from_second(rest.split_once(',')?.0.parse().ok()?).ok()
}

impl ShellId {
    /// The shell of that depth in this process's terminal.
    pub fn at(depth: u32) -> Self {
        Self { terminal: TerminalId::current(), depth }
    }
}

/// One line: when which shell, or child, got a session of which role.
struct Entry {
    at: Timestamp,
    shell: ShellId,
    role: RoleArn,
}

impl Entry {
    fn line(&self) -> String {
        let Self { at, shell: ShellId { terminal, depth }, role } = self;
        let started = terminal.started.map(|started| format!(":{started}")).unwrap_or_default();
        format!("{} {}{started} {depth} {}\n", at.as_second(), terminal.session, role.as_str())
    }

    fn size(&self) -> u64 {
        self.line().len() as u64
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let at = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
        let terminal = words.next()?;
        let (session, started) = match terminal.split_once(':') {
            Some((session, started)) => (session, Some(started.parse().ok()?)),
            None => (terminal, None),
        };
        let session = session.parse().ok()?;
        let depth = words.next()?.parse().ok()?;
        let shell = ShellId { terminal: TerminalId { session, started }, depth };
        Some(Self { at, shell, role: words.next()?.parse().ok()? })
    }
}

impl HistoryFile {
    /// The files in the state directory.
    pub fn new(paths: &Paths) -> Self {
        Self { folder: paths.state.clone() }
    }

    /// Reads the history; a missing or damaged file counts as empty.
    pub fn read(&self) -> History {
        let Ok(Some(dir)) = Dir::open(&self.folder) else { return History::default() };
        let mut history = counted(&dir);
        for entry in entries(&dir).unwrap_or_default() {
            history.note(&entry.role, HistoryEvent::Used, entry.at);
        }
        history
    }

    /// Records a star. The history only orders the list, so a failure is not reported.
    pub fn note(&self, role: &RoleArn, event: HistoryEvent, now: Timestamp) {
        let _ = self.change(|history| history.note(role, event, now));
    }

    /// Records an entry into a role: by a shell, by a command, by a browser.
    pub fn enter(&self, role: &RoleArn, shell: ShellId, now: Timestamp) {
        let line = Entry { at: now, shell, role: role.clone() }.line();
        let added = Dir::create(&self.folder).and_then(|dir| dir.append(ENTRIES, line.as_bytes()));
        if added.is_ok_and(|size| size >= FULL) {
            let _ = self.change(|_| {});
        }
    }

    /// The role that a shell was in last, if it entered one since then.
    pub fn last_of(&self, shell: ShellId, since: Timestamp) -> Option<RoleArn> {
        let dir = Dir::open(&self.folder).ok()??;
        let is_its =
            |entry: &Entry| entry.shell == shell && entry.at.as_second() >= since.as_second();
        entries(&dir)?.into_iter().rev().find(is_its).map(|entry| entry.role)
    }

    /// The role that was entered last in a shell's terminal, by it or by one around it, and that is not `here`: neither by a
    /// command that the shell ran, nor in another terminal.
    pub fn previous(
        &self,
        shell: ShellId,
        is_here: impl Fn(&RoleArn) -> bool,
        now: Timestamp,
    ) -> Option<RoleArn> {
        if cfg!(target_os = "linux") && shell.terminal.started.is_none() {
            return None;
        }
        let dir = Dir::open(&self.folder).ok()??;
        let booted = booted(now).unwrap_or(Timestamp::UNIX_EPOCH).as_second();
        let is_its = |entry: &Entry| {
            entry.shell.terminal == shell.terminal
                && entry.shell.depth <= shell.depth
                && entry.at.as_second() >= booted
                && !is_here(&entry.role)
        };
        entries(&dir)?.into_iter().rev().find(is_its).map(|entry| entry.role)
    }

    /// Changes the history's own file; where the lines are many, they go into it.
    fn change(&self, change: impl FnOnce(&mut History)) -> Result<(), FileError> {
        let dir = Dir::create(&self.folder)?;
        let _lock = dir.lock("history.lock")?;
        let mut history = counted(&dir);
        let lines = entries(&dir);
        let size = |lines: &Vec<Entry>| lines.iter().map(Entry::size).sum();
        // What cannot be read is of no use to anybody.
        let are_many = lines.as_ref().map_or(FULL, size) >= FULL;
        let (kept, counted): (Vec<Entry>, _) = if are_many {
            split_last_places(lines.unwrap_or_default())
        } else {
            Default::default()
        };
        for entry in counted {
            history.note(&entry.role, HistoryEvent::Used, entry.at);
        }
        change(&mut history);
        dir.write(FILE, &serde_json::to_vec(&history).unwrap_or_default())?;
        if are_many {
            dir.write(ENTRIES, kept.iter().map(Entry::line).collect::<String>().as_bytes())?;
        }
        Ok(())
    }
}

/// The lines that tell of each shell the role that it was in last, and the other one before that; and the rest. Both in
/// their order.
fn split_last_places(lines: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let (mut last, mut size) = (HashMap::<ShellId, Vec<RoleArn>>::new(), 0);
    let mut is_kept = |entry: &Entry| {
        let places = last.entry(entry.shell).or_default();
        let is_new =
            places.len() < 2 && !places.contains(&entry.role) && size + entry.size() <= KEPT;
        if is_new {
            size += entry.size();
            places.push(entry.role.clone());
        }
        is_new
    };
    let (mut kept, mut rest): (Vec<Entry>, Vec<Entry>) =
        lines.into_iter().rev().partition(|entry| is_kept(entry));
    kept.reverse();
    rest.reverse();
    (kept, rest)
}

fn counted(dir: &Dir) -> History {
    let bytes = dir.read(FILE, LIMIT).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// The entries that are not counted yet, the oldest first; `None` where they cannot be read.
fn entries(dir: &Dir) -> Option<Vec<Entry>> {
    let bytes = dir.read(ENTRIES, LIMIT).ok()?.unwrap_or_default();
    Some(String::from_utf8_lossy(&bytes).lines().filter_map(Entry::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(account: u64) -> RoleArn {
        format!("arn:aws:iam::{account:012}:role/Developer").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    const TERMINAL: TerminalId = TerminalId { session: 7, started: Some(4_200) };
    const SHELL: ShellId = ShellId { terminal: TERMINAL, depth: 1 };

    /// The same shell in another terminal.
    fn elsewhere(session: i32, started: Option<u64>) -> ShellId {
        ShellId { terminal: TerminalId { session, started }, ..SHELL }
    }

    #[test]
    fn events_of_several_processes_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let file = || HistoryFile { folder: path.clone() };
        file().enter(&role(2), SHELL, at(0));
        file().note(&role(2), HistoryEvent::Starred, at(0));
        file().enter(&role(2), SHELL, at(1));
        let history = file().read();
        assert!(history.is_starred(&role(2)));
        assert!(history.frecency(&role(2), at(1)) > 1.5);
        std::fs::write(path.join(FILE), "{damaged").unwrap();
        std::fs::write(path.join(ENTRIES), "1 2\n1 2 x arn\n\u{7f}\n").unwrap();
        assert_eq!(file().read(), History::default());
    }

    #[test]
    fn many_entries_are_folded_into_the_history_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        for _ in 0..6_000 {
            file.enter(&role(3), SHELL, at(0));
        }
        let size = std::fs::metadata(file.folder.join(ENTRIES)).unwrap().len();
        assert!(size < FULL, "{size}");
        assert!((file.read().frecency(&role(3), at(0)) - 6_000.0).abs() < 0.5);
    }

    #[test]
    fn folding_keeps_where_each_shell_was_and_counts_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        // Later than any boot.
        let at = |second: i64| Timestamp::now() + SignedDuration::from_secs(second);
        file.enter(&role(1), ShellId { depth: 0, ..SHELL }, at(0));
        for _ in 0..3 {
            file.enter(&role(2), SHELL, at(1));
            file.enter(&role(3), SHELL, at(2));
        }
        // More shells, and more of each, than there is room for.
        for n in 0..5_000 {
            file.enter(&role(4), elsewhere(1_000 + n % 2_000, Some(9)), at(3));
        }
        let before = file.read();
        assert!((before.frecency(&role(4), at(3)) - 5_000.0).abs() < 1.0);
        assert!((before.frecency(&role(3), at(3)) - 3.0).abs() < 0.1);
        // What is older than all the others' is gone; what came after that stays, fold after fold.
        file.enter(&role(2), SHELL, at(4));
        file.enter(&role(3), SHELL, at(5));
        for n in 0..8_000 {
            file.enter(&role(4), elsewhere(5, Some(9)), at(6 + n));
        }
        let size = std::fs::metadata(file.folder.join(ENTRIES)).unwrap().len();
        assert!(size < FULL, "{size}");
        let previous = |here| file.previous(SHELL, |it| *it == role(here), at(0));
        assert_eq!((previous(3), previous(2)), (Some(role(2)), Some(role(3))));
        assert_eq!(file.last_of(SHELL, at(0)), Some(role(3)));
        assert!((file.read().frecency(&role(3), at(3)) - 4.0).abs() < 0.1);
    }

    #[test]
    fn a_shell_is_told_from_what_it_started_and_from_other_terminals() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        assert_eq!(file.last_of(SHELL, at(0)), None);
        file.enter(&role(1), SHELL, at(0));
        file.enter(&role(2), SHELL, at(1));
        file.enter(&role(3), ShellId { depth: 2, ..SHELL }, at(2));
        file.enter(&role(4), elsewhere(8, Some(4_200)), at(3));
        assert_eq!(file.last_of(SHELL, at(0)), Some(role(2)), "a `switch`");
        assert_eq!(file.last_of(SHELL, at(2)), None, "that was before");
    }

    #[test]
    fn the_previous_role_is_this_terminals_and_not_the_present_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        // Later than any boot.
        let at = |second: i64| Timestamp::now() + SignedDuration::from_secs(second);
        let previous = |shell, here| file.previous(shell, |it| *it == role(here), at(0));
        assert_eq!(previous(SHELL, 0), None);
        file.enter(&role(1), ShellId { depth: 0, ..SHELL }, at(0));
        file.enter(&role(2), SHELL, at(1));
        // By a command; in a terminal of the same process id, before; in another one; by a sekisho that noted no start.
        file.enter(&role(3), ShellId { depth: 2, ..SHELL }, at(2));
        file.enter(&role(4), elsewhere(7, Some(4_100)), at(3));
        file.enter(&role(5), elsewhere(8, Some(4_200)), at(4));
        file.enter(&role(6), elsewhere(7, None), at(5));
        assert_eq!(previous(SHELL, 2), Some(role(1)));
        assert_eq!(previous(SHELL, 0), Some(role(2)), "from a shell that is in none");
        assert_eq!(previous(elsewhere(7, Some(9)), 0), None);
        // There and back.
        file.enter(&role(1), SHELL, at(6));
        assert_eq!(previous(SHELL, 1), Some(role(2)));
    }

    #[test]
    fn macos_tells_its_boot_in_seconds() {
        let told = "{ sec = 1764230000, usec = 123456 } Thu Nov 27 07:53:20 2025\n";
        assert_eq!(boot_time(told), Timestamp::from_second(1_764_230_000).ok());
        assert_eq!(boot_time(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_terminal_is_known_by_its_start_and_an_entry_before_the_boot_is_nobodys() {
        // Not this process's terminal: in a container its session may be outside.
        let process = i32::try_from(std::process::id()).unwrap();
        let begun = started(process);
        assert!(begun.is_some());
        assert_eq!(begun, started(process));
        let mine = elsewhere(process, begun);
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        file.enter(&role(1), mine, Timestamp::from_second(1).unwrap());
        assert_eq!(file.previous(mine, |_| false, Timestamp::now()), None);
    }
}
