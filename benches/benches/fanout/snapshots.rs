//! The load of those who poll: keep-alive connections that ask again as soon as they are answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};

use ripcord_benches::process::KEY;

const CONNECTIONS: usize = 64;
const LENGTH: Duration = Duration::from_secs(3);

struct Poller {
    stream: mio::net::TcpStream,
    /// Bytes of the answer that are still to come.
    left: usize,
}

/// Asks for `path`, with `tag` as what is known already unless it is `-`, and says how many answers a second came.
pub fn poll(address: SocketAddr, path: &str, tag: &str) -> Result<()> {
    let known = if tag == "-" { String::new() } else { format!("if-none-match: {tag}\r\n") };
    let request = format!("GET {path}?environment=production HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\n{known}\r\n").into_bytes();
    let answer = first_answer(address, &request)?;
    let mut poll = Poll::new()?;
    let mut pollers = Vec::new();
    for number in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&request)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        pollers.push(Poller { stream, left: answer });
    }
    let mut events = Events::with_capacity(CONNECTIONS);
    let mut buffer = vec![0; 512 * 1024];
    let (began, mut answers) = (Instant::now(), 0_u64);
    while began.elapsed() < LENGTH {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let Some(poller) = pollers.get_mut(event.token().0) else { continue };
            while let Ok(read) = poller.stream.read(&mut buffer) {
                ensure!(read > 0 && read <= poller.left, "an answer of another length");
                poller.left -= read;
                if poller.left == 0 {
                    answers += 1;
                    poller.left = answer;
                    poller.stream.write_all(&request)?;
                }
            }
        }
    }
    println!("{:.0}", answers as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

/// The length of one whole answer, head and body. All have the same: the date in the head has a fixed width.
fn first_answer(address: SocketAddr, request: &[u8]) -> Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 512 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "no whole answer");
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body: usize = match length {
            Some(length) => length.trim().parse()?,
            None if head.starts_with("http/1.1 304") => 0,
            None => return Err(anyhow::anyhow!("no length: {head}")).context("an answer must state its length"),
        };
        if bytes.len() >= end + 4 + body {
            return Ok(end + 4 + body);
        }
    }
}
