//! What OpenFeature's clients see: the public cases through every way that Ripcord offers, and the official clients themselves.
//!
//! A way whose tool chain or data is not on this machine is counted as ignored, by name; with `CI=true` a missing tool chain is a
//! failure. `tests/run` installs the tool chains into `target/openfeature`.

mod answers;
mod bad_input;
mod clients;
mod conformance;
mod connect;
mod description;
mod engine;
mod event_stream;
mod fresh;
mod go_engine;
mod grpc;
mod independent;
mod listeners;
mod lossy_reader;
mod node;
mod ofrep;
mod permissions;
mod random;
mod readers;
mod retries;
mod static_context;
mod sync;
mod traces;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let rooms = [
        engine::trials(),
        ofrep::trials(),
        answers::trials(),
        grpc::trials(),
        sync::trials(),
        listeners::trials(),
        bad_input::trials(),
        permissions::trials(),
        traces::trials(),
        independent::trials(),
        clients::trials(),
        event_stream::trials(),
        readers::trials(),
        retries::trials(),
        static_context::trials(),
        lossy_reader::trials(),
        fresh::trials(),
        connect::trials(),
        go_engine::trials(),
        description::trials(),
    ];
    libtest_mimic::run(&arguments, rooms.into_iter().flatten().collect()).exit_code()
}

/// A trial on a runtime of its own.
fn trial<F: Future<Output = anyhow::Result<()>>>(name: impl Into<String>, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test()).map_err(|error| Failed::from(format!("{error:#}")))
    })
}
