//! The Ripcord server.

pub mod clock;
pub mod commit;
pub mod environment;
pub mod kill;
pub mod peer;
pub mod secret;
pub mod snapshot;
pub mod store;
pub mod http;
pub mod telemetry;
pub mod system;
pub mod tasks;
