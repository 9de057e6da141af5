//! Readers: as many connections as asked for in one thread, as light as they can be. Each round they say when the last of
//! them had the delta.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::transport::{Acks, Transport};
use ripcord_benches::process::{KEY, now};

struct Reader {
    stream: mio::net::TcpStream,
    number: usize,
    carried: Vec<u8>,
}

/// Connects, says `ready`, then `all COUNT NANOSECONDS` for each round until it is ended.
pub fn run(address: SocketAddr, transport: Transport, count: usize, acks: Acks) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut readers = Vec::with_capacity(count);
    for number in 0..count {
        let mut reader = connect(address, transport, number).with_context(|| format!("connection {number}"))?;
        poll.registry().register(&mut reader.stream, Token(number), Interest::READABLE)?;
        readers.push(reader);
    }
    println!("ready");
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 256 * 1024];
    let mut round = Round::default();
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(200)))?;
        for event in &events {
            let Some(reader) = readers.get_mut(event.token().0) else { continue };
            while let Ok(read) = reader.stream.read(&mut buffer) {
                ensure!(read > 0, "the server closed connection {}", reader.number);
                let deltas = reader.deltas(transport, &buffer[..read]);
                if deltas > 0 {
                    round.count(deltas, count);
                    if acks == Acks::Yes && transport == Transport::WebSocket {
                        let ack = round.ack(&buffer[..read]);
                        reader.stream.write_all(ack)?;
                    }
                }
                if read < buffer.len() {
                    break;
                }
            }
        }
        round.give_up_late();
    }
}

fn connect(address: SocketAddr, transport: Transport, number: usize) -> Result<Reader> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let id = format!("{}-{number}", std::process::id());
    let (upgrade, query) = match transport {
        Transport::WebSocket => (
            "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "?environment=production".to_owned(),
        ),
        Transport::Sse => (
            "accept: text/event-stream\r\n",
            format!("?environment=production&instance=bench&instance_id={id}&epoch=1&revision=1"),
        ),
    };
    write!(stream, "GET /v1/stream{query} HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\n{upgrade}\r\n")?;
    let mut head = Vec::new();
    let mut byte = [0; 512];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut byte)?;
        ensure!(read > 0, "no answer");
        head.extend_from_slice(&byte[..read]);
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 101") || head.starts_with(b"HTTP/1.1 200"),
        "refused: {}",
        String::from_utf8_lossy(&head)
    );
    if transport == Transport::WebSocket {
        let hello = format!(r#"{{"type":"hello","sdk":"bench/1","instance":"bench","instance_id":"{id}","epoch":1,"revision":1}}"#);
        stream.write_all(&masked(hello.as_bytes()))?;
    }
    stream.set_nonblocking(true)?;
    Ok(Reader {
        stream: mio::net::TcpStream::from_std(stream),
        number,
        carried: Vec::new(),
    })
}

/// A client's text frame. The mask is zero: what is masked with it stays as it is.
fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

impl Reader {
    /// How many whole deltas came with `bytes`.
    fn deltas(&mut self, transport: Transport, bytes: &[u8]) -> usize {
        if transport == Transport::Sse {
            // A delta is much smaller than a read, and heartbeats come between, so that an event is not cut in two.
            return bytes.windows(12).filter(|window| *window == b"event: delta").count();
        }
        let joined;
        let mut rest = if self.carried.is_empty() {
            bytes
        } else {
            self.carried.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.carried);
            &joined
        };
        let mut deltas = 0;
        while let Some((header, length)) = header(rest) {
            let Some(payload) = rest.get(header..header + length) else { break };
            deltas += usize::from(payload.starts_with(br#"{"type":"delta""#));
            rest = &rest[header + length..];
        }
        self.carried = rest.to_vec();
        deltas
    }
}

fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? {
        126 => Some((4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])))),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        short => Some((2, usize::from(*short))),
    }
}

#[derive(Default)]
struct Round {
    seen: usize,
    started: Option<Instant>,
    acknowledged: Vec<u8>,
    revision: Vec<u8>,
}

impl Round {
    fn count(&mut self, deltas: usize, of: usize) {
        self.started.get_or_insert_with(Instant::now);
        self.seen += deltas;
        if self.seen >= of {
            self.tell();
        }
    }

    fn tell(&mut self) {
        println!("all {} {}", self.seen, now());
        self.seen = 0;
        self.started = None;
    }

    /// A reader was missed.
    fn give_up_late(&mut self) {
        if self.started.is_some_and(|started| started.elapsed() > Duration::from_secs(10)) {
            self.tell();
        }
    }

    /// The acknowledgement of the delta in `bytes`; all readers acknowledge the same.
    fn ack(&mut self, bytes: &[u8]) -> &[u8] {
        // A heartbeat may have come before it in the same read.
        let delta = bytes.windows(14).position(|window| window == br#""type":"delta""#).unwrap_or_default();
        let bytes = bytes.get(delta..).unwrap_or_default();
        let member = |name: &str| {
            let at = bytes.windows(name.len()).position(|window| window == name.as_bytes())? + name.len();
            let rest = bytes.get(at..)?;
            let end = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b'"'))?;
            rest.get(..end)
        };
        let (Some(revision), Some(hash)) = (member("\"revision\":"), member("\"hash\":\"")) else {
            return &self.acknowledged;
        };
        if self.revision != revision {
            self.revision = revision.to_vec();
            let (revision, hash) = (String::from_utf8_lossy(revision), String::from_utf8_lossy(hash));
            let ack = format!(r#"{{"type":"ack","epoch":1,"revision":{revision},"hash":"{hash}"}}"#);
            self.acknowledged = masked(ack.as_bytes());
        }
        &self.acknowledged
    }
}
