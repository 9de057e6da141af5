//! `ripcord`: the server and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ripcord_server::cli::run()
}
