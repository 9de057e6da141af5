//! A server in a process of its own, and a connection to it that is kept.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::in_process_server;
use crate::process::{KEY, Process};

/// What this program is started with to be the server.
const ROLE: &str = "role-serve";

/// Serves, where this program was started for that, until its input ends; `true` then.
pub fn is_role() -> Result<bool> {
    if !std::env::args().any(|argument| argument == ROLE) {
        return Ok(false);
    }
    let server = in_process_server::InProcessServer::start()?;
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

/// A connection that is kept.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// To a server.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// One request, whose body is JSON, or nothing; the body of the answer, which must be of success.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let (mut status, mut length) = (String::new(), 0);
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(status.contains(" 2"), "{method} {path}: {}{}", status, String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }
}
