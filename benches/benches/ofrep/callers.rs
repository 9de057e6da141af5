//! The callers: connections that ask again as soon as they are answered, each for a user and a flag of its own.

use std::io::{BufRead as _, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::server::{FLAGS, key};

const CONNECTIONS: usize = 64;
/// How long one round lasts.
pub const ROUND: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    SingletonKey,
    Bulk,
}

impl Asked {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingletonKey => "single",
            Self::Bulk => "bulk",
        }
    }
}

struct Caller {
    stream: mio::net::TcpStream,
    request: Vec<u8>,
    /// Bytes of a whole answer: each caller is always answered alike.
    answer: usize,
    /// Bytes of the answer that are still to come.
    left: usize,
    since: Instant,
}

/// Asks for a round for each line of input; answers with how many answers a second came, the median and the 99th percentile in
/// microseconds, and the bytes of a body.
pub fn run(address: SocketAddr, api_key: &str) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let asked = if line? == Asked::Bulk.as_str() { Asked::Bulk } else { Asked::SingletonKey };
        println!("{}", round(address, api_key, asked)?);
    }
    Ok(())
}

fn round(address: SocketAddr, api_key: &str, asked: Asked) -> Result<String> {
    let mut poll = Poll::new()?;
    let (mut callers, mut body) = (Vec::new(), 0);
    for number in 0..CONNECTIONS {
        let request = request(api_key, asked, number);
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
    let took = ask(&mut poll, &mut callers)?;
    Ok(figures(took, body))
}

/// Microseconds of every answer of a round.
fn ask(poll: &mut Poll, callers: &mut [Caller]) -> Result<Vec<u64>> {
    let mut events = Events::with_capacity(CONNECTIONS);
    let mut buffer = vec![0; 64 * 1024];
    let mut took = Vec::with_capacity(1 << 20);
    let began = Instant::now();
    for caller in callers.iter_mut() {
        caller.since = Instant::now();
        caller.stream.write_all(&caller.request)?;
    }
    while began.elapsed() < ROUND {
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
                    // What comes next cannot be there yet.
                    break;
                }
            }
        }
    }
    Ok(took)
}

fn figures(mut took: Vec<u64>, body: usize) -> String {
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
    format!("{:.0} {} {} {body}", took.len() as f64 / ROUND.as_secs_f64(), at(0.5), at(0.99))
}

fn request(api_key: &str, asked: Asked, number: usize) -> Vec<u8> {
    let country = ["DE", "US", "FR"][number % 3];
    let body = format!(
        r#"{{"context":{{"targetingKey":"user-{number:04}","plan":"pro","country":"{country}","version":"2.{}.1"}}}}"#,
        number % 7
    );
    let path = match asked {
        Asked::SingletonKey => format!("/{}", key(number * 3 % FLAGS)),
        Asked::Bulk => String::new(),
    };
    format!(
        "POST /ofrep/v1/evaluate/flags{path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {api_key}\r\nuser-agent: bench\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The bytes of one whole answer, and of its body. The date and the request's id have a fixed width.
fn first_answer(stream: &mut TcpStream, request: &[u8]) -> Result<(usize, usize)> {
    stream.write_all(request)?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "no whole answer");
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body: usize = length.context("an answer must state its length")?.trim().parse()?;
        if bytes.len() >= end + 4 + body {
            return Ok((end + 4 + body, body));
        }
    }
}
