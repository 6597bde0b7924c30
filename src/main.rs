//! sekisho: parse, run, exit code.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Zeroes all memory on free: libraries copy secrets into buffers that nothing else would wipe.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    sekisho::cli::run(std::env::args_os()).into()
}
