//! How long a commit takes, from the draft to the swap: against a bare append with fdatasync on the same disk, and against a bare
//! script that does the same writes on the same Redis.
//!
//! `cargo bench -p ripcord-benches --bench commit`. Redis is measured where `redis-server` is installed.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_benches::redis_server::RedisServer;
use ripcord_benches::table::{Row, print};
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, table::Member as _};
use ripcord_server::clock::SystemClock;
use ripcord_server::commit::{Answer, Answerer, Ask, Author, ChangesServed, Draft};
use ripcord_server::environment::{Environments, Orphans, Rooms};
use ripcord_server::snapshot::board::Listener;
use ripcord_server::snapshot::publication::Publication;
use ripcord_server::store::Store;
use ripcord_server::store::embedded::{EmbeddedStore, Flush};
use ripcord_server::store::memory::MemoryStore;
use ripcord_server::store::redis::{RedisConfig, RedisStore};
use ripcord_server::system::{SystemAsk, SystemDraft};
use ripcord_server::tasks::TaskSet;

/// Commits that are timed one by one.
const COMMITS: usize = 2_000;
/// Writers at once, and commits of each.
const WRITERS: usize = 64;
const EACH: usize = 100;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(std::env::current_dir()?)?;
    let mut rows = embedded(directory.path()).await?;
    rows.extend(large(directory.path()).await?);
    match RedisServer::start(directory.path())? {
        Some(redis) => rows.extend(over_redis(directory.path(), &redis).await?),
        None => eprintln!("redis-server is not installed; its rows are left out"),
    }
    print("commit", &rows);
    Ok(())
}

async fn embedded(directory: &Path) -> anyhow::Result<Vec<Row>> {
    let bare = appends_with_fdatasync(&directory.join("bare"))?;
    let store = Arc::new(EmbeddedStore::open(&directory.join("embedded"), Flush::EachCommit)?);
    let environments = start(store, 100).await?;
    let one = timed(&environments, COMMITS).await?;
    let one_rate = 1.0 / mean(&one);
    let many_rate = concurrent(&environments).await?;
    Ok(vec![
        Row::new("append of 200 bytes with fdatasync, p50", micros(p50(&bare))),
        Row::new("commit, embedded store, one writer, p50", micros(p50(&one))).ratio(p50(&one) / p50(&bare), 1.6),
        Row::new("the same, p99", micros(p99(&one))),
        Row::new("commits a second, one writer", format!("{one_rate:.0}")),
        Row::new(format!("commits a second, {WRITERS} writers"), format!("{many_rate:.0}")).at_least(many_rate / one_rate, 5.0),
    ])
}

/// What a commit costs beyond the store when there are 10,000 flags: the store is memory here.
async fn large(_: &Path) -> anyhow::Result<Vec<Row>> {
    let environments = start(Arc::new(MemoryStore::new()), 10_000).await?;
    let commits = timed(&environments, 500).await?;
    Ok(vec![
        Row::new("one-flag commit to swap at 10,000 flags, without a store, p50", micros(p50(&commits))).limit("2 ms"),
    ])
}

async fn over_redis(directory: &Path, redis: &RedisServer) -> anyhow::Result<Vec<Row>> {
    let open = |node: &str| {
        let (url, directory, node) = (redis.url(), directory.join(node), node.to_owned());
        RedisStore::open(RedisConfig { url, directory, node })
    };
    let environments = start(Arc::new(open("one").await?), 100).await?;
    let commits = timed(&environments, COMMITS).await?;
    let bare = redis.bare_scripts(COMMITS).await?;
    let other = attach(Arc::new(open("two").await?)).await?;
    let hand_over = handed_over(&environments, &other, 500).await?;
    let bare_feed = redis.bare_hand_over(500).await?;
    Ok(vec![
        Row::new("bare EVALSHA with the same writes, p50", micros(p50(&bare))),
        Row::new("commit, Redis, one writer, p50", micros(p50(&commits))).ratio(p50(&commits) / p50(&bare), 1.5),
        Row::new("bare XADD to XREAD BLOCK hand-over, p99", micros(p99(&bare_feed))),
        Row::new("commit on one node to in force on another, p99", micros(p99(&hand_over))).ratio(p99(&hand_over) / p99(&bare_feed), 2.0),
    ])
}

/// Appends of 200 bytes to a file, each followed by fdatasync.
fn appends_with_fdatasync(path: &Path) -> anyhow::Result<Vec<f64>> {
    let mut file = std::fs::File::create(path)?;
    let bytes = [b'x'; 200];
    let mut times = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        let start = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

async fn attach(store: Arc<dyn Store>) -> anyhow::Result<Environments> {
    let rooms = Rooms {
        store,
        board: Arc::default(),
        clock: Arc::new(SystemClock),
        tasks: TaskSet::default(),
        orphans: Orphans::default(),
    };
    Ok(Environments::start(rooms, Arc::new(|_| ripcord_proto::frame::Overlay::default())).await?)
}

/// Environments over `store`, with `flags` flags in `production`.
async fn start(store: Arc<dyn Store>, flags: usize) -> anyhow::Result<Environments> {
    let environments = attach(store).await?;
    let record = EnvironmentRecord {
        key: production()?,
        description: None,
        created: jiff::Timestamp::now(),
    };
    let draft = SystemDraft {
        author: author(),
        reason: None,
        asks: vec![SystemAsk::CreateEnvironment(record)],
        call: None,
        answer: no_answer(),
    };
    environments.submit_system(draft).await?;
    let asks = (0..flags).map(|number| put(number, 0)).collect::<anyhow::Result<Vec<_>>>()?;
    environments.submit(draft_of(asks)?).await?;
    Ok(environments)
}

async fn timed(environments: &Environments, commits: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(commits);
    for number in 0..commits {
        let draft = draft_of(vec![put(number % 100, number + 1)?])?;
        let start = Instant::now();
        environments.submit(draft).await?;
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

/// From the submission on one node to the swap on another.
async fn handed_over(from: &Environments, to: &Environments, commits: usize) -> anyhow::Result<Vec<f64>> {
    let (swapped, mut swaps) = tokio::sync::mpsc::unbounded_channel();
    to.board().listen(Arc::new(Swaps(swapped)));
    let mut times = Vec::with_capacity(commits);
    for number in 0..commits {
        let draft = draft_of(vec![put(number % 100, 2_000_000 + number)?])?;
        let start = Instant::now();
        let committed = from.submit(draft).await?;
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

/// Tells what was swapped in, and when.
struct Swaps(tokio::sync::mpsc::UnboundedSender<(Position, Instant)>);

impl Listener for Swaps {
    fn published(&self, _: &EnvironmentKey, publication: &Publication) {
        // The bench has ended where nobody listens.
        let _ = self.0.send((publication.served.snapshot.position, publication.at));
    }

    fn removed(&self, _: &EnvironmentKey) {}
}

fn production() -> anyhow::Result<EnvironmentKey> {
    Ok(EnvironmentKey::new("production")?)
}

fn author() -> Author {
    let actor = Actor {
        name: "bench".to_owned(),
        role: Role::Pipeline,
        key: None,
    };
    Author {
        actor,
        origin: Origin {
            node: "bench".to_owned(),
            address: None,
            request: None,
        },
    }
}

fn no_answer() -> Answerer {
    Answerer(Arc::new(|_| Answer {
        status: 200,
        body: Box::default(),
    }))
}

fn put(number: usize, version: usize) -> anyhow::Result<Ask> {
    let json = format!(
        r#"{{"description": "version {version}", "enabled": true, "variants": {{"on": true, "off": false}}, "default": "off", "safe": "off",
        "rules": [{{"serve": {{"split": [{{"variant": "on", "weight": 25}}, {{"variant": "off", "weight": 75}}]}}}}]}}"#
    );
    Ok(Ask::PutFlag(FlagKey::new(&format!("flag-{number}"))?, Box::new(Flag::parse(&json)?)))
}

fn draft_of(asks: Vec<Ask>) -> anyhow::Result<Draft> {
    Ok(Draft {
        environment: production()?,
        author: author(),
        reason: None,
        asks,
        release: None,
        precondition: None,
        plan: None,
        changes_served: ChangesServed::Refuse,
        call: None,
        answered: None,
        answer: no_answer(),
    })
}

fn percentile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[place]
}

fn p50(times: &[f64]) -> f64 {
    percentile(times, 0.5)
}

fn p99(times: &[f64]) -> f64 {
    percentile(times, 0.99)
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

fn micros(seconds: f64) -> String {
    format!("{:.0} µs", seconds * 1e6)
}
