//! Keeps other programs of the user out of this process's memory.

use std::io;

/// Makes the process undumpable: no core file, no debugger, no `/proc/PID/mem` or `environ` for programs of
/// the same user.
///
/// A child is dumpable again after its exec, and no resource limit is changed. From here on this process's own
/// `/proc/self/{environ,mem,fd}` belong to root (see prctl(2), `PR_SET_DUMPABLE`): read what you need first, and
/// give children real files, not `/dev/fd/N`.
#[cfg(target_os = "linux")]
pub fn hide_memory() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Does nothing: macOS has no such call that safe Rust can make, so only the system's own rules keep a debugger of the
/// same user out.
#[cfg(not(target_os = "linux"))]
pub fn hide_memory() -> io::Result<()> {
    Ok(())
}
