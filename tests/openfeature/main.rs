//! What OpenFeature's clients see: the public cases through every way that Ripcord offers, and the official clients themselves.
//!
//! A way whose tool chain or data is not on this machine is counted as ignored, by name.

mod conformance;
mod engine;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let trials = engine::trials();
    libtest_mimic::run(&arguments, trials).exit_code()
}
