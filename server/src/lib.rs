//! The Ripcord server.

pub mod commit;
pub mod fleet;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod stream;
pub mod telemetry;
