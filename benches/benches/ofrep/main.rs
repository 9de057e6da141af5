//! OFREP under load: single and bulk evaluation of an environment of 100 flags by `ripcord serve`, beside a bare actix handler that
//! answers with constant bodies of the same size.
//!
//! `cargo bench -p ripcord-benches --bench ofrep` starts this program again in other roles: the server, the bare handler, and the
//! callers. All run on the same cores, in turn, round by round; ratios are taken within a round, so that what else the machine does
//! falls on both alike.

mod baseline;
mod callers;
mod measure;
mod server;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => measure::all(),
        ["role-server"] => server::run(),
        ["role-baseline", single, bulk] => baseline::run(single.parse()?, bulk.parse()?),
        ["role-callers", address, key] => callers::run(address.parse()?, key),
        other => bail!("unknown role: {other:?}"),
    }
}
