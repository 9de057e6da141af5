//! The load of clients that poll for snapshots.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use ripcord_benches::load;
use ripcord_benches::process::KEY;

const CONNECTIONS: usize = 64;
const LENGTH: Duration = Duration::from_secs(3);

/// Asks for `path`, with `tag` as the version that is known already unless it is `-`, and prints the answers a second.
pub fn poll(address: SocketAddr, path: &str, tag: &str) -> Result<()> {
    let known = if tag == "-" { String::new() } else { format!("if-none-match: {tag}\r\n") };
    let request = format!("GET {path}?environment=production HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\n{known}\r\n").into_bytes();
    let load = load::run(address, vec![request; CONNECTIONS], LENGTH)?;
    println!("{:.0}", load.rate());
    Ok(())
}
