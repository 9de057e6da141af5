#![doc = include_str!("../ARCHITECTURE.md")]
#![warn(clippy::disallowed_methods)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that fails may panic, and runs on its own clock and tasks"
    )
)]

pub mod access;
pub mod api;
pub mod audit;
pub mod check;
pub mod checkpoint;
pub mod clock;
pub mod commit;
pub mod environment;
pub mod file_set;
pub(crate) mod flag_text;
pub mod flagd;
pub mod fleet;
pub mod http;
pub mod kill;
pub mod leader;
pub mod ofrep;
pub mod outcome;
pub mod peer;
pub mod ping;
pub mod proposal;
pub mod release;
pub mod remote;
pub mod rollback;
pub mod rollout;
pub mod secret;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod stream;
pub mod system;
pub mod tasks;
pub mod telemetry;
pub mod trigger;
