//! The Ripcord server.

pub mod commit;
pub mod snapshot;
pub mod store;
