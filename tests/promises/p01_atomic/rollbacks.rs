//! Rollbacks forth and back, under the eyes of every reader.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::ensure;
use ripcord_tests::{Api, App, Cluster, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::json;

use super::{ALONE, COUPLED, Watch, remote_reads_agree, sdk_views_agree};

/// How often the environment is rolled back, forth and back by turns, under the readers of the same node.
const ROLLBACKS: u64 = 1_000;
/// The same on Redis, and under readers of another node.
const FEWER: u64 = 200;
/// Flags that go along with the coupled ones, which lie first and last.
const BETWEEN: usize = 20;

/// Revision 1: everything is off; revision 2: everything is on.
async fn two_states(admin: &Api) -> Outcome {
    for variant in ["off", "on"] {
        let between = (0..BETWEEN).map(|n| flags::put(&format!("m-{n}"), &flags::boolean(variant)));
        let coupled = COUPLED.iter().map(|key| flags::put(key, &flags::boolean(variant)));
        let changes: Vec<_> = coupled.chain(between).collect();
        admin.commit(&changes).await?.ok()?;
    }
    Ok(())
}

async fn roll(times: u64, api: &Api, watch: &Watch) -> Outcome {
    let mut outcome = Ok(());
    for turn in 0..times {
        let body = json!({"to": 1 + turn % 2});
        outcome = match api.post("rollbacks?wait=20s", &body).await {
            Ok(done) if done.status == 201 && done.body["state"] == "confirmed" => Ok(()),
            Ok(done) => Err(anyhow::anyhow!("rollback {turn} answered {}: {}", done.status, done.body)),
            Err(error) => Err(error.context(format!("rollback {turn}"))),
        };
        if outcome.is_err() {
            break;
        }
    }
    watch.over.store(true, Ordering::Relaxed);
    outcome
}

async fn a_rollback_is_never_seen_half_done(world: World) -> Outcome {
    let _alone = ALONE.lock().await;
    let admin = world.admin();
    two_states(&admin).await?;
    let watch = Arc::new(Watch::default());
    let app = App::start(&admin.role("sdk").await?, "rollbacks").await?;
    let views = tokio::spawn(sdk_views_agree(app, Arc::clone(&watch)));
    let reads = tokio::spawn(remote_reads_agree(admin.clone(), Arc::clone(&watch)));
    let times = if world.redis.is_some() { FEWER } else { ROLLBACKS };
    roll(times, &admin, &watch).await?;
    views.await??;
    reads.await??;
    ensure!(admin.revision().await? == 2 + times, "every rollback is one revision");
    Ok(())
}

on_both_stores!(a_rollback_is_never_seen_half_done);

/// The same with the readers on another node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_never_seen_half_done_by_another_node() -> Outcome {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await?;
    let writer = cluster.a.admin();
    let reader = writer.role("sdk").await?.at(&cluster.b.url());
    eventually(SOON, "the other node knows the key", || async { reader.snapshot().await.map(drop) }).await?;
    two_states(&writer).await?;
    cluster.agree().await?;
    let watch = Arc::new(Watch::default());
    let app = App::start(&reader, "rollbacks").await?;
    let views = tokio::spawn(sdk_views_agree(app, Arc::clone(&watch)));
    let reads = tokio::spawn(remote_reads_agree(cluster.b.admin(), Arc::clone(&watch)));
    roll(FEWER, &writer, &watch).await?;
    views.await??;
    reads.await??;
    cluster.agree().await?;
    Ok(())
}
