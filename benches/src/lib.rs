//! What the benches share: how figures are printed, flags to evaluate, environments to commit to, a count of allocations, and a Redis
//! of their own.

pub mod allocations;
pub mod environments;
pub mod in_process_server;
pub mod interleaved;
pub mod process;
pub mod redis_server;
pub mod socket_client;
pub mod subprocess;
pub mod table;
pub mod workload;
