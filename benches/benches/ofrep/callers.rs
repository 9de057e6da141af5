//! The callers, each for a user and a flag of its own.

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use ripcord_benches::load;

use crate::server::{FLAGS, key};

const CONNECTIONS: usize = 64;
/// How long one round lasts.
pub const ROUND: Duration = Duration::from_secs(2);

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Single,
    Bulk,
}

impl Request {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Bulk => "bulk",
        }
    }
}

/// Sends a round of requests for each line of input; prints the answers a second, the median and the 99th percentile in
/// microseconds, and the bytes of a body.
pub fn run(address: SocketAddr, api_key: &str) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let kind = if line? == Request::Bulk.as_str() { Request::Bulk } else { Request::Single };
        let requests = (0..CONNECTIONS).map(|number| request(api_key, kind, number)).collect();
        let load = load::run(address, requests, ROUND)?;
        println!("{:.0} {} {} {}", load.rate(), load.percentile(0.5), load.percentile(0.99), load.body);
    }
    Ok(())
}

fn request(api_key: &str, kind: Request, number: usize) -> Vec<u8> {
    let country = ["DE", "US", "FR"][number % 3];
    let body = format!(
        r#"{{"context":{{"targetingKey":"user-{number:04}","plan":"pro","country":"{country}","version":"2.{}.1"}}}}"#,
        number % 7
    );
    let path = match kind {
        Request::Single => format!("/{}", key(number * 3 % FLAGS)),
        Request::Bulk => String::new(),
    };
    format!(
        "POST /ofrep/v1/evaluate/flags{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {api_key}\r\nuser-agent: bench\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
