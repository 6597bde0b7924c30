//! sekisho: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sekisho::cli::run(std::env::args_os()).into()
}
