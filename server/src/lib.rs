//! The Ripcord server.

pub mod cli;
pub mod clock;
pub mod commit;
pub mod environment;
pub mod http;
pub mod kill;
pub mod peer;
pub mod secret;
pub mod snapshot;
pub mod store;
pub mod system;
pub mod tasks;
pub mod telemetry;
