//! From a kill to the last reader, against bare threads that write the same bytes to as many sockets; confirmations received
//! and counted; memory of an idle connection; the snapshot for those who poll.
//!
//! `cargo bench -p ripcord-benches --bench fanout` starts this program again in other roles: a server (the real entry, streams
//! and fleet over a board that it publishes on), all of `ripcord serve`, the bare threads, and readers. All run on the same cores; ratios are taken
//! within one run.

mod baseline;
mod child_processes;
mod end_to_end;
mod measure;
mod publisher;
mod readers;
mod snapshots;
mod transport;

use anyhow::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.split_first() {
        Some((role, rest)) if role.starts_with("role-") => child_processes::run(role, rest),
        _ => measure::all(&arguments),
    }
}
