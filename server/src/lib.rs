#![doc = include_str!("../ARCHITECTURE.md")]
#![warn(clippy::disallowed_methods)]
#![allow(
    unreachable_pub,
    reason = "rooms are private: `pub` is for the other rooms, and what leaves the crate is listed below"
)]
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

mod access;
mod api;
mod audit;
mod check;
mod checkpoint;
mod clock;
mod commit;
mod environment;
mod file_set;
mod flagd;
mod fleet;
mod http;
mod impact;
mod kill;
mod leader;
mod ofrep;
mod outbound;
mod outcome;
mod peer;
mod ping;
mod proposal;
mod release;
mod remote;
mod rollback;
mod rollout;
mod secret;
mod serve;
mod snapshot;
mod store;
mod stream;
mod system;
mod tasks;
mod telemetry;
mod trigger;

#[doc(hidden)]
pub mod bench;

pub use ripcord_proto::rest::health::{HealthCode, PartHealth, Readiness, ReadyState};

pub use self::flagd::FlagdConfig;
pub use self::http::public_url::PublicUrl;
pub use self::outbound::Outbound;
pub use self::secret::Secret;
pub use self::serve::config::{ServeConfig, ServeSettings, StoreChoice};
pub use self::serve::tls::Reload;
pub use self::serve::{ServeError, Started, run};
pub use self::telemetry::export::Exporter;
pub use self::telemetry::{LogConfig, LogFormat, TelemetryError, start_logs};
