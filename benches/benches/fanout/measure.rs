//! What is measured, in order, and what it must be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ripcord_benches::table::{self, Row};

use crate::transport::{Acks, Transport};
use ripcord_benches::process::{KEY, Process, word};

const KILLS: usize = 20;
/// Processes that the readers are spread over: the limit of open files is per process.
const READER_PROCESSES: usize = 2;

/// All figures, or those whose names are given: `fanout`, `end-to-end`, `memory`, `snapshot`.
pub fn all(chosen: &[String]) -> Result<()> {
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|choice| choice == name);
    if wanted("fanout") {
        table::print("kill to the last reader, server and readers on the same cores", &fan_out()?);
    }
    if wanted("end-to-end") {
        table::print(
            "kill over REST to the last reader, all of `ripcord serve` on the embedded store",
            &end_to_end()?,
        );
    }
    if wanted("memory") {
        table::print("resident memory of an idle connection", &memory()?);
    }
    if wanted("snapshot") {
        table::print("GET /v1/snapshot", &snapshots()?);
    }
    Ok(())
}

/// The figures of a number of kills.
struct Kills {
    /// From the kill to the last reader, or to the last confirmation counted: the median, in milliseconds.
    last: f64,
    /// CPU time of one kill.
    cpu: Duration,
}

impl Kills {
    fn figure(&self) -> String {
        format!("{:.1} ms, {:.1} ms CPU", self.last, self.cpu.as_secs_f64() * 1e3)
    }
}

fn fan_out() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for transport in [Transport::Sse, Transport::WebSocket] {
        for readers in [1_000, 5_000, 10_000] {
            let floor = baseline(transport, readers)?;
            let name = transport.as_str();
            rows.push(Row::new(
                format!("{readers} {name}: bare threads"),
                format!("{:.1} ms, {:?} CPU", floor.last, floor.cpu),
            ));
            let ours = served(transport, readers, Acks::No)?;
            let row = Row::new(format!("{readers} {name}: ripcord"), ours.figure());
            rows.push(row.ratio(ours.last / floor.last, 1.3));
            rows.push(cpu_row(readers, &ours, &floor, 1.6));
            if transport == Transport::WebSocket {
                let confirmed = served(transport, readers, Acks::Yes)?;
                let row = Row::new(format!("{readers} {name}: confirmations counted"), confirmed.figure());
                rows.push(row.ratio(confirmed.last / floor.last, 2.3));
                rows.push(cpu_row(readers, &confirmed, &floor, 2.0));
            }
        }
    }
    Ok(rows)
}

fn cpu_row(readers: usize, ours: &Kills, floor: &Kills, limit: f64) -> Row {
    let row = Row::new(format!("{readers}: CPU of one kill"), format!("{:.1} ms", ours.cpu.as_secs_f64() * 1e3));
    row.ratio(ours.cpu.as_secs_f64() / floor.cpu.as_secs_f64().max(0.000_1), limit)
}

fn start_readers(address: SocketAddr, transport: Transport, count: usize, acks: Acks) -> Result<Vec<Process>> {
    let (address, share) = (address.to_string(), (count / READER_PROCESSES).to_string());
    let mut readers = Vec::new();
    for _ in 0..READER_PROCESSES {
        readers.push(Process::start("role-readers", &[&address, transport.as_str(), &share, acks.as_str()])?);
    }
    for process in &mut readers {
        ensure!(process.hear()? == ["ready"]);
    }
    Ok(readers)
}

fn baseline(transport: Transport, count: usize) -> Result<Kills> {
    let mut server = Process::start("role-baseline", &[transport.as_str(), &count.to_string()])?;
    let address = server.address()?;
    let mut readers = start_readers(address, transport, count, Acks::No)?;
    kills(&mut server, &mut readers, count, Acks::No)
}

fn served(transport: Transport, count: usize, acks: Acks) -> Result<Kills> {
    let mut server = Process::start("role-server", &["100"])?;
    let address = server.address()?;
    let mut readers = start_readers(address, transport, count, acks)?;
    kills(&mut server, &mut readers, count, acks)
}

/// From sending the request, through the commit and its fsync, to the last reader.
fn end_to_end() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (transport, readers) in [(Transport::Sse, 10_000), (Transport::WebSocket, 10_000)] {
        let floor = baseline(transport, readers)?;
        let mut server = Process::start("role-end-to-end", &["100"])?;
        let address = server.address()?;
        let mut clients = start_readers(address, transport, readers, Acks::Yes)?;
        let ours = kills(&mut server, &mut clients, readers, Acks::No)?;
        let row = Row::new(format!("{readers} {}", transport.as_str()), ours.figure());
        rows.push(row.ratio(ours.last / floor.last, 2.3));
    }
    Ok(rows)
}

fn kills(server: &mut Process, readers: &mut [Process], count: usize, acks: Acks) -> Result<Kills> {
    std::thread::sleep(Duration::from_millis(500));
    let mut lasts = Vec::new();
    let mut before = Duration::ZERO;
    // The first warms up and is not counted.
    for kill in 0..=KILLS {
        if kill == 1 {
            before = server.cpu()?;
        }
        let began: u64 = word(&server.ask("kill")?, 1)?;
        let (mut seen, mut last) = (0, 0);
        for process in readers.iter_mut() {
            let words = process.hear()?;
            seen += word::<usize>(&words, 1)?;
            last = last.max(word::<u64>(&words, 2)?);
        }
        ensure!(seen == count, "{} of {count} readers were missed in kill {kill}", count - seen.min(count));
        let mut took = (last - began) as f64 / 1e6;
        if acks == Acks::Yes {
            let words = server.ask("settle")?;
            let (confirmed, connected): (usize, usize) = (word(&words, 1)?, word(&words, 2)?);
            ensure!(confirmed == count && connected == count, "{confirmed} of {connected} have confirmed");
            took = word(&words, 3)?;
        }
        if kill > 0 {
            lasts.push(took);
        }
    }
    let cpu = (server.cpu()? - before) / u32::try_from(KILLS)?;
    lasts.sort_by(f64::total_cmp);
    let last = *lasts.get(KILLS / 2).context("no kill")?;
    let kills = Kills { last, cpu };
    eprintln!(
        "{count} readers: {}, from {:.1} to {:.1} ms",
        kills.figure(),
        lasts.first().unwrap_or(&last),
        lasts.last().unwrap_or(&last)
    );
    Ok(kills)
}

fn memory() -> Result<Vec<Row>> {
    let count = 10_000;
    let mut rows = Vec::new();
    for (transport, limit) in [(Transport::Sse, 14.0), (Transport::WebSocket, 14.0)] {
        let mut server = Process::start("role-server", &["100"])?;
        let address = server.address()?;
        // What the first few connections bring up is not an idle connection's.
        drop(start_readers(address, transport, 100, Acks::Yes)?);
        std::thread::sleep(Duration::from_millis(500));
        let before = server.resident()?;
        let mut readers = start_readers(address, transport, count, Acks::Yes)?;
        for _ in 0..3 {
            server.ask("kill")?;
            for process in &mut readers {
                process.hear()?;
            }
        }
        std::thread::sleep(Duration::from_secs(2));
        let each = (server.resident()?.saturating_sub(before)) as f64 / count as f64;
        let name = format!("{} with {count} open", transport.as_str());
        rows.push(Row::new(name, format!("{each:.1} KiB")).limit(&format!("{limit} KiB")));
    }
    Ok(rows)
}

fn snapshots() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for flags in ["100", "1000"] {
        let (mut bare_server, mut server) = (Process::start("role-server", &[flags])?, Process::start("role-end-to-end", &[flags])?);
        let (handler, address) = (bare_server.address()?, server.address()?);
        let tag = tag_of(address)?;
        for (status, known, bare) in [(200, "-", "/bare/200"), (304, tag.as_str(), "/bare/304")] {
            let floor = rate(handler, bare, "-")?;
            let ours = rate(address, "/v1/snapshot", known)?;
            let row = Row::new(format!("{flags} flags, {status}"), format!("{ours:.0}/s (bare handler {floor:.0}/s)"));
            rows.push(row.at_least(ours / floor, 0.7));
        }
    }
    Ok(rows)
}

fn rate(address: SocketAddr, path: &str, tag: &str) -> Result<f64> {
    word(&Process::start("role-pollers", &[&address.to_string(), path, tag])?.hear()?, 0)
}

fn tag_of(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET /v1/snapshot?environment=production HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: "));
    Ok(tag.context("no etag")?.to_owned())
}
