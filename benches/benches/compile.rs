//! How long a change takes from the bytes of its frame to being in force, and how long a whole state takes.
//!
//! `cargo bench -p ripcord-benches --bench compile`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use arc_swap::ArcSwap;
use ripcord_benches::table::{Row, print};
use ripcord_benches::workload;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::{self, ServerFrame};
use ripcord_proto::references::{self, TouchedKeys};
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, FlagKey, Position, Snapshot};
use ripcord_sdk::engine::Compiled;

const ROUNDS: usize = 300;

fn main() -> anyhow::Result<()> {
    let mut rows = vec![one_flag_delta(1_000)?.limit("200 µs"), one_flag_delta(10_000)?];
    let large = workload::snapshot(10_000)?;
    let text = frame::encode_snapshot(&large, &large.content_hash(), &frame::Overlay::default())?;
    rows.push(Row::new(
        "10,000 flags: parse the snapshot's frame",
        millis(fastest(20, || drop(black_box(ServerFrame::parse(&text))))),
    ));
    rows.push(Row::new(
        "10,000 flags: compile",
        millis(fastest(20, || drop(black_box(Compiled::new(&large))))),
    ));
    let touched = TouchedKeys {
        flags: [FlagKey::new(workload::ROLLOUT)?].into(),
        ..TouchedKeys::default()
    };
    let check = fastest(ROUNDS, || drop(black_box(references::check(&large.flags, &large.segments, &touched))));
    rows.push(Row::new("10,000 flags: check what a one-flag change refers to", micros(check)));
    print("compilation", &rows);
    Ok(())
}

/// A delta of one flag: parse the frame, apply it and prove the content hash, compile, swap.
fn one_flag_delta(flags: usize) -> anyhow::Result<Row> {
    let before = workload::snapshot(flags)?;
    let text = delta_text(&before)?;
    let compiled = Compiled::new(&before);
    let in_force = ArcSwap::from_pointee(compiled.clone());
    let mut failed = None;
    let time = fastest(ROUNDS, || {
        if let Err(error) = put_in_force(&text, &before, &compiled, &in_force) {
            failed = Some(error);
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    ensure!(in_force.load().position().revision.0 == 2, "the delta is in force");
    Ok(Row::new(format!("{flags} flags: a one-flag delta, frame bytes → in force"), micros(time)))
}

fn put_in_force(text: &str, before: &Snapshot, compiled: &Compiled, in_force: &ArcSwap<Compiled>) -> anyhow::Result<()> {
    let ServerFrame::Delta(delta) = ServerFrame::parse(text)? else {
        bail!("a delta was encoded");
    };
    let next = before.apply(&delta)?;
    in_force.store(Arc::new(compiled.update(&next, &TouchedKeys::by(&delta))));
    Ok(())
}

/// The frame that puts another definition in place of one flag.
fn delta_text(before: &Snapshot) -> anyhow::Result<String> {
    let mut after = before.clone();
    after.position = Position::new(1, 2);
    let key = FlagKey::new(workload::FIVE_RULES)?;
    let mut definition = workload::five_rules();
    definition["description"] = "changed".into();
    after.flags.insert(Arc::new(Entry::new(key, Flag::from_value(&definition)?, after.position)?));
    let hash = after.content_hash();
    frame::encode_delta(&Delta::between(before, &after, hash, Urgency::Ordinary)).context("a delta can be encoded")
}

fn fastest(rounds: usize, mut work: impl FnMut()) -> Duration {
    let timed = (0..rounds).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    timed.min().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
