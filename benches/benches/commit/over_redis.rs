//! Commits over Redis against the bare calls, a block of the one after a block of the other: both meet the same machine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_benches::environments::{attach, redis_store};
use ripcord_benches::redis_server::{Durability, RedisServer};
use ripcord_benches::table::Row;
use ripcord_proto::{EnvironmentKey, Position};
use ripcord_server::bench::{Environments, Listener, Publication};
use tokio::sync::mpsc;

use crate::drafts::{draft_of, put, start};
use crate::statistics::{micros, p50, p99};
use crate::timed::{BLOCK, BLOCKS, timed};

/// The rows of a Redis with this durability; none where it is not installed.
pub async fn rows(directory: &Path, durability: Durability) -> anyhow::Result<Vec<Row>> {
    let directory = directory.join(durability.name());
    std::fs::create_dir(&directory)?;
    let Some(redis) = RedisServer::start(durability).await? else {
        eprintln!("redis-server is not installed; its rows are left out");
        return Ok(Vec::new());
    };
    let environments = start(redis_store(&redis, &directory, "one").await?, 100).await?;
    let mut scripts = redis.bare_scripts("handed-over").await?;
    let (mut bare, mut commits) = (Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        bare.extend(scripts.block(BLOCK).await?);
        commits.extend(timed(&environments, block * BLOCK, BLOCK).await?);
    }
    let alone = alone(&redis)?;
    let other = attach(redis_store(&redis, &directory, "two").await?).await?;
    let mut swaps = listen(&other);
    let (mut bare_feed, mut hand_over) = (Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        bare_feed.extend(redis.bare_hand_over(BLOCK).await?);
        hand_over.extend(handed_over(&environments, &mut swaps, (BLOCKS + block) * BLOCK, BLOCK).await?);
    }
    let name = durability.name();
    Ok(vec![
        Row::new(format!("bare EVALSHA of the same script, {name}, p50"), micros(p50(&bare))),
        Row::new("the same by a thread that drives its own connection, p50", micros(p50(&alone))),
        Row::new(format!("commit, Redis with {name}, one writer, p50"), micros(p50(&commits))).ratio(p50(&commits) / p50(&bare), 1.5),
        Row::new(format!("bare XADD to XREAD BLOCK hand-over, {name}, p99"), micros(p99(&bare_feed))),
        Row::new(format!("commit on one node to in force on another, {name}, p99"), micros(p99(&hand_over))).ratio(p99(&hand_over) / p99(&bare_feed), 2.0),
    ])
}

/// The bare calls without the way from the caller's thread to the connection's and back, which commits have too.
fn alone(redis: &RedisServer) -> anyhow::Result<Vec<f64>> {
    let calls = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { redis.bare_scripts("alone").await?.block(BLOCKS * BLOCK).await })
    };
    let calls = std::thread::scope(|scope| scope.spawn(calls).join());
    calls.map_err(|_| anyhow::anyhow!("the bare calls panicked"))?
}

fn listen(to: &Environments) -> mpsc::UnboundedReceiver<(Position, Instant)> {
    let (swapped, swaps) = mpsc::unbounded_channel();
    to.board().listen(Arc::new(Swaps(swapped)));
    swaps
}

/// From the submission on one node to the swap on another.
async fn handed_over(from: &Environments, swaps: &mut mpsc::UnboundedReceiver<(Position, Instant)>, first: usize, commits: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(commits);
    for number in first..first + commits {
        let draft = draft_of(vec![put(number % 100, number + 1)?])?;
        let start = Instant::now();
        let committed = from.commit(draft).await?;
        loop {
            let swap = tokio::time::timeout(Duration::from_secs(5), swaps.recv()).await?;
            let (position, at) = swap.ok_or_else(|| anyhow::anyhow!("the other node ended"))?;
            if position >= committed.position {
                times.push(at.saturating_duration_since(start).as_secs_f64());
                break;
            }
        }
    }
    Ok(times)
}

/// Sends what was swapped in, and when.
struct Swaps(mpsc::UnboundedSender<(Position, Instant)>);

impl Listener for Swaps {
    fn published(&self, _: &EnvironmentKey, publication: &Publication) {
        // Without a receiver the bench has ended.
        let _ = self.0.send((publication.served.snapshot.position, publication.at));
    }

    fn removed(&self, _: &EnvironmentKey) {}
}
