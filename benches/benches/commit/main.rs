//! How long a commit takes, from the draft to the swap: against a bare append with fdatasync on the same disk, and against the
//! bare script on the same Redis. What is compared is timed in turn, block by block.
//!
//! `cargo bench -p ripcord-benches --bench commit`, or some of it: `-- embedded large redis redis-always`. Redis is measured where
//! `redis-server` is installed.

mod drafts;
mod over_redis;
mod statistics;
mod timed;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ripcord_benches::redis_server::Durability;
use ripcord_benches::table::{Row, print};
use ripcord_server::bench::{EmbeddedStore, Environments, Flush, MemoryStore, SystemClock};

use self::drafts::{draft_of, put, start};
use self::statistics::{mean, micros, p50, p99};
use self::timed::{BLOCK, BLOCKS, timed};

/// Writers at once, and commits of each.
const WRITERS: usize = 64;
const EACH: usize = 100;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    let directory = tempfile::tempdir_in(std::env::current_dir()?)?;
    let mut rows = Vec::new();
    if wanted("embedded") {
        rows.extend(embedded(directory.path()).await?);
    }
    if wanted("large") {
        rows.push(without_a_store(100, "0.1 ms").await?);
        rows.push(without_a_store(10_000, "2 ms").await?);
    }
    if wanted("redis") {
        rows.extend(over_redis::rows(directory.path(), Durability::Nothing).await?);
    }
    if wanted("redis-always") {
        rows.extend(over_redis::rows(directory.path(), Durability::Always).await?);
    }
    print("commit", &rows);
    Ok(())
}

async fn embedded(directory: &Path) -> anyhow::Result<Vec<Row>> {
    let mut file = std::fs::File::create(directory.join("bare"))?;
    let store = Arc::new(EmbeddedStore::open(&directory.join("embedded"), Flush::EachCommit, Arc::new(SystemClock))?);
    let environments = start(store, 100).await?;
    let (mut bare, mut one) = (Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        bare.extend(appends_with_fdatasync(&mut file)?);
        one.extend(timed(&environments, block * BLOCK, BLOCK).await?);
    }
    let one_rate = 1.0 / mean(&one);
    let many_rate = concurrent(&environments).await?;
    Ok(vec![
        Row::new("append of 200 bytes with fdatasync, p50", micros(p50(&bare))),
        Row::new("commit, embedded store, one writer, p50", micros(p50(&one))).ratio(p50(&one) / p50(&bare), 1.4),
        Row::new("the same, p99", micros(p99(&one))),
        Row::new("commits a second, one writer", format!("{one_rate:.0}")),
        Row::new(format!("commits a second, {WRITERS} writers"), format!("{many_rate:.0}")).at_least(many_rate / one_rate, 5.0),
    ])
}

/// What a commit costs beyond the store when there are so many flags: the store is memory here.
async fn without_a_store(flags: usize, limit: &str) -> anyhow::Result<Row> {
    let environments = start(Arc::new(MemoryStore::new()), flags).await?;
    let commits = timed(&environments, 0, 500).await?;
    let what = format!("one-flag commit to swap at {flags} flags, without a store, p50");
    Ok(Row::new(what, micros(p50(&commits))).limit(limit))
}

/// A block of appends of 200 bytes to a file, each followed by fdatasync.
fn appends_with_fdatasync(file: &mut std::fs::File) -> anyhow::Result<Vec<f64>> {
    let bytes = [b'x'; 200];
    let mut times = Vec::with_capacity(BLOCK);
    for _ in 0..BLOCK {
        let start = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

/// Commits a second with many writers at once.
async fn concurrent(environments: &Environments) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let environments = environments.clone();
        writers.spawn(async move {
            for number in 0..EACH {
                environments.submit(draft_of(vec![put(writer, 1_000_000 + number)?])?).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok((WRITERS * EACH) as f64 / start.elapsed().as_secs_f64())
}
