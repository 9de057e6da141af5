//! What is measured, and what it must be.

use anyhow::{Context as _, Result};
use ripcord_benches::process::{Process, word};
use ripcord_benches::table::{self, Row};

use crate::callers::{ROUND, Request};

/// Rounds of each; the first warms up and is not counted.
const ROUNDS: usize = 9;

/// One round of one server.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Answers a second.
    rate: f64,
    /// Microseconds.
    p50: u64,
    /// Microseconds.
    p99: u64,
    /// Bytes of a body.
    body: usize,
    /// Microseconds of the server's CPU time for one answer.
    cpu: f64,
}

/// All figures.
pub fn all() -> Result<()> {
    let mut server = Process::start("role-server", &[])?;
    let words = server.hear()?;
    let (address, key): (String, String) = (word(&words, 0)?, word(&words, 1)?);
    let mut ours = Process::start("role-callers", &[&address, &key])?;
    let body = |kind: Request, ours: &mut Process| Ok::<_, anyhow::Error>(round(ours, &server, kind)?.body.to_string());
    let (single, bulk) = (body(Request::Single, &mut ours)?, body(Request::Bulk, &mut ours)?);
    let mut handler = Process::start("role-baseline", &[&single, &bulk])?;
    let address = handler.address()?.to_string();
    let mut baseline = Process::start("role-callers", &[&address, &key])?;
    let mut rows = Vec::new();
    for (kind, share) in [(Request::Single, 0.7), (Request::Bulk, 0.5)] {
        let (mut own, mut floor) = (Vec::new(), Vec::new());
        for number in 0..ROUNDS {
            let pair = (round(&mut baseline, &handler, kind)?, round(&mut ours, &server, kind)?);
            if number > 0 {
                floor.push(pair.0);
                own.push(pair.1);
            }
        }
        let ratio = median(own.iter().zip(&floor).map(|(own, floor)| own.rate / floor.rate));
        rows.push(row(kind, "bare actix handler", &floor, &handler)?);
        rows.push(row(kind, "ripcord", &own, &server)?.at_least(ratio, share));
    }
    table::print(
        "OFREP, 100 flags, 64 connections: answers a second · p50 · p99 · the server's CPU for one · resident",
        &rows,
    );
    Ok(())
}

fn round(callers: &mut Process, server: &Process, kind: Request) -> Result<Round> {
    let before = server.cpu()?;
    let words = callers.ask(kind.as_str())?;
    let rate: f64 = word(&words, 0)?;
    let cpu = server.cpu()?.saturating_sub(before).as_secs_f64();
    Ok(Round {
        rate,
        cpu: cpu * 1e6 / (rate * ROUND.as_secs_f64()).max(1.0),
        p50: word(&words, 1)?,
        p99: word(&words, 2)?,
        body: word(&words, 3)?,
    })
}

fn row(kind: Request, who: &str, rounds: &[Round], process: &Process) -> Result<Row> {
    let first = rounds.first().context("no round")?;
    let micros = |of: fn(&Round) -> u64| median(rounds.iter().map(|round| of(round) as f64)) / 1e3;
    let figure = format!(
        "{:.0}/s · {:.2} ms · {:.2} ms · {:.1} µs · {:.1} MiB",
        median(rounds.iter().map(|round| round.rate)),
        micros(|round| round.p50),
        micros(|round| round.p99),
        median(rounds.iter().map(|round| round.cpu)),
        process.resident()? as f64 / 1024.0
    );
    Ok(Row::new(format!("{}, {} bytes: {who}", kind.as_str(), first.body), figure))
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
