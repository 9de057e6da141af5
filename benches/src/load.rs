//! Closed-loop load: keep-alive connections in one thread, each of which asks again as soon as it is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};

/// What came of a load.
#[derive(Debug)]
pub struct Load {
    /// Microseconds of each answer, ascending.
    pub took: Vec<u64>,
    /// How long it lasted.
    pub lasted: Duration,
    /// Bytes of the largest body.
    pub body: usize,
}

impl Load {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a count of answers is small")]
    pub fn rate(&self) -> f64 {
        self.took.len() as f64 / self.lasted.as_secs_f64()
    }

    /// Microseconds within which this share of the answers came.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of answers"
    )]
    pub fn percentile(&self, share: f64) -> u64 {
        self.took.get((self.took.len() as f64 * share) as usize).copied().unwrap_or_default()
    }
}

struct Caller {
    stream: mio::net::TcpStream,
    request: Vec<u8>,
    /// Bytes of a whole answer: each caller always gets the same one.
    answer: usize,
    /// Bytes of the answer that are still to come.
    left: usize,
    since: Instant,
}

/// Sends each of `requests` over a connection of its own, again and again, for about `length`.
pub fn run(address: SocketAddr, requests: Vec<Vec<u8>>, length: Duration) -> Result<Load> {
    let mut poll = Poll::new()?;
    let (mut callers, mut body) = (Vec::new(), 0);
    for (number, request) in requests.into_iter().enumerate() {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let (answer, of_body) = first_answer(&mut stream, &request)?;
        body = body.max(of_body);
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        callers.push(Caller {
            stream,
            request,
            answer,
            left: answer,
            since: Instant::now(),
        });
    }
    let mut events = Events::with_capacity(callers.len());
    let mut buffer = vec![0; 512 * 1024];
    let mut took = Vec::with_capacity(1 << 20);
    let began = Instant::now();
    for caller in &mut callers {
        caller.since = Instant::now();
        caller.stream.write_all(&caller.request)?;
    }
    while began.elapsed() < length {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let Some(caller) = callers.get_mut(event.token().0) else { continue };
            while let Ok(read) = caller.stream.read(&mut buffer) {
                ensure!(read > 0 && read <= caller.left, "an answer of another length");
                caller.left -= read;
                if caller.left == 0 {
                    took.push(u64::try_from(caller.since.elapsed().as_micros())?);
                    caller.left = caller.answer;
                    caller.since = Instant::now();
                    caller.stream.write_all(&caller.request)?;
                    // The next answer cannot be there yet.
                    break;
                }
            }
        }
    }
    let lasted = began.elapsed();
    took.sort_unstable();
    Ok(Load { took, lasted, body })
}

/// The bytes of one whole answer and of its body. All answers to a request are equally long: the date and the request's id have a
/// fixed width.
fn first_answer(stream: &mut TcpStream, request: &[u8]) -> Result<(usize, usize)> {
    stream.write_all(request)?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 512 * 1024]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the server closed the connection within an answer");
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let is_unchanged = head.starts_with("http/1.1 304");
        ensure!(head.starts_with("http/1.1 200") || is_unchanged, "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body: usize = match length {
            Some(length) => length.trim().parse()?,
            None if is_unchanged => 0,
            None => return Err(anyhow::anyhow!("{head}")).context("an answer must state its length"),
        };
        if bytes.len() >= end + 4 + body {
            return Ok((end + 4 + body, body));
        }
    }
}
