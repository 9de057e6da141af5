//! What the benches share: how figures are printed, and a Redis of their own.

pub mod redis_server;
pub mod table;
