//! What the benches share: how figures are printed, flags to evaluate, environments to commit to, a count of allocations, and a Redis
//! of their own.

pub mod allocations;
pub mod apart;
pub mod process;
pub mod redis_server;
pub mod rounds;
pub mod served;
pub mod serving;
pub mod table;
pub mod workload;
pub mod world;
