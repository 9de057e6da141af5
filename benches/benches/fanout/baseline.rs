//! The floor: bare threads that write the same bytes to as many sockets, and nothing else.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use anyhow::Result;

use crate::publisher::Stage;
use crate::transport::Transport;
use ripcord_benches::process::{listener, now};

const THREADS: usize = 2;

/// Accepts `readers`, then writes a kill to all of them for each line of input and says when it began.
pub fn run(transport: Transport, readers: usize) -> Result<()> {
    let listener = listener()?;
    println!("{}", listener.local_addr()?);
    let mut shares: Vec<Vec<TcpStream>> = (0..THREADS).map(|_| Vec::new()).collect();
    for number in 0..readers {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        greet(&mut stream, transport)?;
        shares[number % THREADS].push(stream);
    }
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (start, end) = (Arc::new(Barrier::new(THREADS + 1)), Arc::new(Barrier::new(THREADS + 1)));
    for mut share in shares {
        let (bytes, start, end) = (Arc::clone(&bytes), Arc::clone(&start), Arc::clone(&end));
        thread::spawn(move || {
            loop {
                start.wait();
                let bytes = bytes.lock().map(|bytes| bytes.clone()).unwrap_or_default();
                for stream in &mut share {
                    // A reader that is gone is missed by the readers' own count.
                    let _ = stream.write_all(&bytes);
                }
                end.wait();
            }
        });
    }
    let mut stage = Stage::new(100);
    for _ in std::io::stdin().lock().lines() {
        let frame = stage.next_frame();
        if let Ok(mut bytes) = bytes.lock() {
            *bytes = match transport {
                Transport::WebSocket => frame.websocket().to_vec(),
                Transport::Sse => frame.sse_chunk().to_vec(),
            };
        }
        let began = now();
        start.wait();
        end.wait();
        println!("killed {began}");
    }
    Ok(())
}

fn greet(stream: &mut TcpStream, transport: Transport) -> Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1_024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..read]);
    }
    let answer: &[u8] = match transport {
        Transport::WebSocket => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        Transport::Sse => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
    };
    Ok(stream.write_all(answer)?)
}
