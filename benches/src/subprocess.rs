//! A server in a process of its own.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::in_process_server::InProcessServer;
use crate::process::Process;

/// What this program is started with to be the server.
const ROLE: &str = "role-serve";

/// Serves, where this program was started for that, until its input ends; `true` then.
pub fn is_role() -> Result<bool> {
    if !std::env::args().any(|argument| argument == ROLE) {
        return Ok(false);
    }
    let server = InProcessServer::start()?;
    println!("{}", server.address);
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing)?;
    server.stop()?;
    Ok(true)
}

/// A server in a process of its own; it ends with this.
pub struct ServerProcess {
    process: Process,
    /// Where it answers.
    pub address: SocketAddr,
}

impl ServerProcess {
    /// Starts this program again, as the server.
    pub fn start() -> Result<Self> {
        let mut process = Process::start(ROLE, &[])?;
        let address = process.address()?;
        Ok(Self { process, address })
    }

    /// Processor time that it has used.
    pub fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }
}
