//! What keeps other programs out of this process's memory.

use std::io;

/// Makes the process undumpable: no core file, no debugger, no `/proc/PID/mem` or `environ` for programs of
/// the same user.
///
/// A child starts dumpable again, and no resource limit of its is touched. From here on this process's own
/// `/proc/self/{environ,mem,fd}` belong to root (see prctl(2), `PR_SET_DUMPABLE`): read what you need first, and
/// give children real files, not `/dev/fd/N`.
#[cfg(target_os = "linux")]
pub fn hide_memory() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Does nothing: macOS has no call for it that is safe to make from Rust, so a debugger of the same user is
/// held off only by the system's own rules.
#[cfg(not(target_os = "linux"))]
pub fn hide_memory() -> io::Result<()> {
    Ok(())
}
