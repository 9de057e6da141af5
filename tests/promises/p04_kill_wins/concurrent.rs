//! The kill stands whatever happens at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Api, Cluster, Outcome, Replica, SOON, World, eventually, flags, on_both_stores};
use serde_json::json;

use super::{assert_alive, assert_killed};

/// Edits, untags, deletes and makes a flag again until told to end. Refusals are as good as successes here.
async fn rage(api: Api, flag: &'static str, over: Arc<AtomicBool>) -> Outcome {
    let mut turn = rand::random_range(0..4_u32);
    while !over.load(Ordering::Relaxed) {
        let answer = match turn % 4 {
            0 => api.put_flag(flag, &flags::tagged("on", &["payments"])).await?,
            1 => api.put_flag(flag, &flags::boolean("on")).await?,
            2 => api.delete(&format!("flags/{flag}?reason=a+test")).await?,
            _ => {
                api.commit(&[flags::delete(flag), flags::put(flag, &flags::tagged("on", &["payments", "other"]))])
                    .await?
            }
        };
        // A machine under load may find Redis silent for a moment: nothing is changed then, and the kill must hold all the same.
        ensure!(answer.status < 500 || answer.status == 503, "{} {}", answer.status, answer.body);
        turn += 1;
    }
    Ok(())
}

/// From the first frame that has the kill on, no frame is without it.
async fn never_without(mut reader: WebSocket, id: String, over: Arc<AtomicBool>) -> Outcome {
    let mut replica = Replica::default();
    let mut seen = false;
    while !over.load(Ordering::Relaxed) {
        let Ok(frame) = reader.frame(Duration::from_millis(300)).await else {
            continue;
        };
        replica.apply(&frame)?;
        let there = replica.kills.contains_key(&id);
        ensure!(there || !seen, "the kill was gone at revision {}", replica.revision);
        seen |= there;
    }
    ensure!(seen, "the stream never had the kill");
    Ok(())
}

async fn a_kill_survives_concurrent_edits_untagging_deletion_and_recreation(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let over = Arc::new(AtomicBool::new(false));
    let raging: Vec<_> = (0..4).map(|_| tokio::spawn(rage(admin.clone(), "checkout", Arc::clone(&over)))).collect();
    let id = eventually(SOON, "the kill is taken, whether the flag is there or not", || async {
        ripcord_tests::api::id_of(&admin.kill(&json!({"tag": "payments"})).await?.ok()?)
    })
    .await?;
    // Once a flag was tagged under the kill it is latched, whatever its later definitions say.
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let watching = tokio::spawn(never_without(WebSocket::connect(&sdk, "watch").await?, id.clone(), Arc::clone(&over)));
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let answer = admin.post("explain", &json!({"flag": "checkout", "context": {"targetingKey": "u"}})).await?;
        let fine = answer.status == 404 || answer.body["reason"] == "KILLED" || answer.body["reason"] == "FLAG_NOT_FOUND" || answer.body["reason"] == "ERROR";
        ensure!(fine, "{} {}", answer.status, answer.body);
    }
    over.store(true, Ordering::Relaxed);
    for rage in raging {
        rage.await??;
    }
    watching.await??;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    assert_killed(&admin, "checkout").await?;
    admin.restore(&id).await?.ok()?;
    assert_alive(&admin, "checkout").await?;
    Ok(())
}

async fn a_kill_goes_ahead_of_writes_that_wait(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let (admin, over) = (admin.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    admin.put_flag(&format!("busy-{writer}"), &flags::number(n)).await?.ok()?;
                    n += 1;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        let id = admin.kill_flag("checkout").await?;
        slowest = slowest.max(started.elapsed());
        admin.restore(&id).await?.ok()?;
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    // A quarter of a second, and what a busy machine adds.
    ensure!(slowest < Duration::from_secs(5), "a kill among 32 writers took {slowest:?}");
    Ok(())
}

async fn of_kills_at_the_same_time_one_stands_for_each_scope(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let killing: Vec<_> = (0..16)
        .map(|_| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.kill_flag("checkout").await })
        })
        .collect();
    let mut ids = Vec::new();
    for kill in killing {
        ids.push(kill.await??);
    }
    ids.dedup();
    ensure!(ids.len() == 1 && admin.kills().await? == ids, "sixteen kills of one flag made {ids:?}");
    Ok(())
}

on_both_stores!(
    a_kill_survives_concurrent_edits_untagging_deletion_and_recreation,
    a_kill_goes_ahead_of_writes_that_wait,
    of_kills_at_the_same_time_one_stands_for_each_scope
);

/// Two nodes: edits on both, the kill on one, the death of the one that took it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_survives_the_death_of_the_node_that_took_it() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    cluster.agree().await?;
    let over = Arc::new(AtomicBool::new(false));
    let raging = tokio::spawn(rage(b.clone(), "checkout", Arc::clone(&over)));
    let id = eventually(SOON, "the kill is taken", || async {
        ripcord_tests::api::id_of(&a.kill(&json!({"tag": "payments"})).await?.ok()?)
    })
    .await?;
    cluster.a.kill();
    eventually(SOON, "the other node has the kill", || async {
        ensure!(b.kills().await? == std::slice::from_ref(&id));
        Ok(())
    })
    .await?;
    over.store(true, Ordering::Relaxed);
    raging.await??;
    b.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    assert_killed(&b, "checkout").await?;
    cluster.a.restart().await?;
    cluster.agree().await?;
    assert_killed(&a, "checkout").await?;
    Ok(())
}
