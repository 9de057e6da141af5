//! The Ripcord server.

pub mod snapshot;
pub mod store;
