#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]
//! `ripcord`: the server and the command line in one program.

mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    ripcord_cli::run::<serve::RipcordServer>()
}
