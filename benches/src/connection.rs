//! A connection to a server's REST interface, and calls over it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::KEY;

/// A connection that is kept open between calls.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    key: String,
}

impl Connection {
    /// To a server, with the key that everything goes by.
    pub fn open(address: SocketAddr) -> Result<Self> {
        Self::with_key(address, KEY)
    }

    /// To a server, with this key.
    pub fn with_key(address: SocketAddr, key: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            key: key.to_owned(),
        })
    }

    /// One request, whose body is JSON or empty; the JSON of the answer, which must mean success.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.key,
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

/// One request to `/v1/{path}` over a connection of its own.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Value> {
    Connection::open(address)?.call(method, &format!("/v1/{path}"), body)
}
