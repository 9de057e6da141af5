//! What going back costs: the commit of a rollback of 1,000 flags against that of one flag, on each store, and the plan of a
//! large environment with the share of users that it affects.
//!
//! `cargo bench -p ripcord-benches --bench rollback`. Redis is measured where `redis-server` is installed.

mod rollbacks;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ripcord_benches::environments;
use ripcord_benches::redis_server::{Durability, RedisServer};
use ripcord_benches::table::{Row, print};
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::{FlagKey, TargetName};
use ripcord_server::bench::{EmbeddedStore, Environments, Flush, MemoryStore, RollbackSpec, SampleUsers, SystemClock, plan};

/// Flags of the environment in which commits are timed, all of which a rollback puts back.
const FLAGS: usize = 1_000;
/// Commits that are timed.
const COMMITS: usize = 200;
/// Flags of the environment that is planned for, how many of them differ, and the users that are looked at.
const PLANNED: (usize, usize, usize) = (10_000, 1_000, 10_000);
/// Plans that are timed.
const PLANS: usize = 10;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(std::env::current_dir()?)?;
    let store = EmbeddedStore::open(&directory.path().join("embedded"), Flush::EachCommit, Arc::new(SystemClock))?;
    let mut rows = commits("embedded", &environments::start(Arc::new(store)).await?, 15.0).await?;
    match RedisServer::start(Durability::Nothing).await? {
        Some(redis) => rows.extend(over_redis(directory.path(), &redis).await?),
        None => eprintln!("redis-server is not installed; its rows are left out"),
    }
    rows.extend(plans().await?);
    print("rollback", &rows);
    Ok(())
}

async fn over_redis(directory: &Path, redis: &RedisServer) -> anyhow::Result<Vec<Row>> {
    let store = environments::redis_store(redis, directory, "one").await?;
    commits("Redis", &environments::start(store).await?, 30.0).await
}

/// The environment goes forth and back between two states, of all flags and of one.
async fn commits(store: &str, environments: &Environments, most: f64) -> anyhow::Result<Vec<Row>> {
    rollbacks::put(environments, 0..FLAGS, 0).await?;
    rollbacks::put(environments, 0..FLAGS, 1).await?;
    let one = FlagKey::new("flag-7")?;
    let single = forth_and_back(environments, &RollbackScope::Flags([one].into())).await?;
    let whole = forth_and_back(environments, &RollbackScope::Environment).await?;
    let mut plain = Vec::with_capacity(COMMITS);
    for turn in 0..COMMITS {
        let since = Instant::now();
        rollbacks::put(environments, 7..8, turn % 2).await?;
        plain.push(since.elapsed().as_secs_f64());
    }
    let (plain, single, whole) = (rollbacks::p50(&plain), rollbacks::p50(&single), rollbacks::p50(&whole));
    Ok(vec![
        Row::new(format!("commit of one flag, {store}, {FLAGS} flags, p50"), rollbacks::millis(plain)),
        Row::new(format!("rollback of one flag, {store}, p50"), rollbacks::millis(single)).ratio(single / plain, most),
        Row::new(format!("rollback of {FLAGS} flags in one commit, {store}, p50"), rollbacks::millis(whole)).ratio(whole / plain, most),
        Row::new(format!("the same, against 10 ms, {store}"), rollbacks::millis(whole)).ratio(whole / 0.010, 1.0),
    ])
}

async fn forth_and_back(environments: &Environments, scope: &RollbackScope) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(COMMITS);
    for turn in 0..COMMITS {
        let spec = rollbacks::spec(TargetName::Revision(ripcord_proto::Revision(1 + turn as u64 % 2)), scope.clone());
        let prepared = rollbacks::prepared(environments, &spec).await?;
        let draft = rollbacks::rollback_of(&prepared)?;
        let since = Instant::now();
        let committed = environments.commit(draft).await?;
        times.push(since.elapsed().as_secs_f64());
        rollbacks::ended(environments, &committed).await?;
    }
    Ok(times)
}

/// The plan of an environment of which a tenth differs, with the share of users.
async fn plans() -> anyhow::Result<Vec<Row>> {
    let (flags, differing, users) = PLANNED;
    let environments = environments::start(Arc::new(MemoryStore::new())).await?;
    rollbacks::put(&environments, 0..flags, 0).await?;
    rollbacks::put(&environments, 0..differing, 1).await?;
    let spec: RollbackSpec = rollbacks::spec(TargetName::Revision(ripcord_proto::Revision(1)), RollbackScope::Environment);
    let mut times = Vec::with_capacity(PLANS);
    for _ in 0..PLANS {
        let since = Instant::now();
        let prepared = rollbacks::prepared(&environments, &spec).await?;
        let plan = plan(&environments, &prepared, SampleUsers::Synthetic(users)).await?;
        times.push(since.elapsed().as_secs_f64());
        anyhow::ensure!(
            plan.flags.len() == differing && plan.users.contexts == users as u64,
            "another plan than was asked for"
        );
        anyhow::ensure!(plan.users.changed > 0, "no user is affected");
    }
    let took = rollbacks::p50(&times);
    Ok(vec![
        Row::new(
            format!("plan of {flags} flags, {differing} of them different, {users} users, p50"),
            rollbacks::millis(took),
        )
        .ratio(took / 2.0, 1.0),
    ])
}
