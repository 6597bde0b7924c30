//! sekisho: parse, run, exit code.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is freed: the secrets in buffers of libraries that know nothing of secrets.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    sekisho::cli::run(std::env::args_os()).into()
}
