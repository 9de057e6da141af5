//! Rollbacks forth and back, under the eyes of every reader.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::ensure;
use ripcord_tests::{Api, App, Cluster, Outcome, SOON, eventually, flags, on_both_stores};
use serde_json::json;

use super::{ALONE, COUPLED, Watch, remote_reads_agree, sdk_views_agree};

/// How often the environment is rolled back, forth and back by turns.
const ROLLBACKS: u64 = 1_000;
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

async fn roll_for_long(api: &Api, watch: &Watch) -> Outcome {
    let mut outcome = Ok(());
    for turn in 0..ROLLBACKS {
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

on_both_stores! {
    async fn a_rollback_is_never_seen_half_done(world) {
        let _alone = ALONE.lock().await;
        let admin = world.admin();
        two_states(&admin).await?;
        let watch = Arc::new(Watch::default());
        let app = App::start(&admin.role("sdk").await?, "rollbacks").await?;
        let views = tokio::spawn(sdk_views_agree(app, Arc::clone(&watch)));
        let reads = tokio::spawn(remote_reads_agree(admin.clone(), Arc::clone(&watch)));
        roll_for_long(&admin, &watch).await?;
        views.await??;
        reads.await??;
        ensure!(admin.revision().await? == 2 + ROLLBACKS, "every rollback is one revision");
    }
}

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
    roll_for_long(&writer, &watch).await?;
    views.await??;
    reads.await??;
    cluster.agree().await?;
    Ok(())
}
