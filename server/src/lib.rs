//! The Ripcord server.

pub mod commit;
pub mod snapshot;
pub mod store;
pub mod http;
pub mod telemetry;
