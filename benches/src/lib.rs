//! What the benches share.
//!
//! ```sh
//! cargo bench -p ripcord-benches --bench evaluate             # one bench
//! cargo bench -p ripcord-benches --bench evaluate -- split    # criterion benches: those whose names contain a word
//! cargo bench -p ripcord-benches --features peers --bench peers    # beside the engines of other systems
//! ```
//!
//! The first run builds everything for release, which takes some minutes. `commit` and `rollback` start a Redis of their own and need
//! `redis-server` on the PATH; without it they leave those rows out. `fanout`, `flood`, `ofrep`, `outcomes`, `rollouts` and `triggers` start
//! themselves again as child processes. Ratios are taken within one run: close what else the machine does, and compare figures of
//! one machine only. The head of each bench says what it measures.
//!
//! ```text
//! process, subprocess, in_process_server    this program in another role; a server in its own process or in this one
//! connection, load, socket_client           calls, closed-loop load, an SDK client over a socket that the bench holds
//! environments, workload, redis_server      what is measured on: environments without a server, flags and users, a Redis
//! interleaved, allocations, table           how it is measured and printed
//! ```

pub mod allocations;
pub mod connection;
pub mod environments;
pub mod in_process_server;
pub mod interleaved;
pub mod load;
pub mod process;
pub mod redis_server;
pub mod socket_client;
pub mod subprocess;
pub mod table;
pub mod workload;
