//! Promise 2: revisions only go forward for every reader, and a gap is healed by a fresh snapshot.

use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, Sse, WebSocket, hello, hello_having};
use ripcord_tests::{App, Outcome, Replica, SOON, Server, Setup, World, eventually, flags, on_both_stores};
use serde_json::json;

/// `Replica` refuses a step back and a delta that does not start where it stands.
async fn every_stream_goes_forward_without_a_gap(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    let mut ws = WebSocket::connect(&sdk, "ws").await?;
    let mut sse = Sse::connect(&sdk, "sse", "sse-1").await?;
    let writers = (0..4).map(|writer| {
        let admin = admin.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                admin.put_flag(&format!("flag-{writer}"), &flags::number(n)).await?.ok()?;
            }
            Outcome::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    let last = admin.revision().await?;
    ensure!(last == 200, "200 commits made revision {last}");
    let (mut over_ws, mut over_sse) = (Replica::default(), Replica::default());
    while over_ws.revision < last {
        over_ws.apply(&ws.frame(SOON).await?)?;
    }
    while over_sse.revision < last {
        over_sse.apply(&sse.frame(SOON).await?)?;
    }
    let snapshot = admin.snapshot().await?;
    ensure!(
        over_ws.hash == snapshot["hash"] && over_sse.hash == snapshot["hash"],
        "the hashes differ at {last}"
    );
    ensure!(over_ws.flags == over_sse.flags, "the two streams tell different flags");
    ensure!(
        serde_json::to_value(&over_ws.flags)? == snapshot["flags"],
        "the stream and the snapshot tell different flags"
    );
    Ok(())
}

async fn an_sdk_only_goes_forward(world: World) -> Outcome {
    let admin = world.admin();
    let app = App::start(&admin.role("sdk").await?, "forward").await?;
    let watching = {
        let app = app.clone();
        tokio::spawn(async move {
            let mut last = 0;
            while last < 100 {
                let revision = app.revision();
                ensure!(revision >= last, "the SDK went from {last} back to {revision}");
                last = revision;
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        })
    };
    for n in 0..100 {
        admin.put_flag("counter", &flags::number(n)).await?.ok()?;
    }
    tokio::time::timeout(SOON, watching).await???;
    Ok(())
}

async fn a_reader_that_was_away_is_told_only_what_it_missed(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("first", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "away").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    stream.close().await?;
    for n in 0..20 {
        admin.put_flag("second", &flags::number(n)).await?.ok()?;
    }
    let mut replica = Replica::default();
    replica.apply(&snapshot)?;
    let mut stream = WebSocket::resume(&sdk, &hello_having("away", &snapshot)).await?;
    while replica.revision < 21 {
        replica.apply(&stream.expect("delta", SOON).await?)?;
    }
    ensure!(replica.snapshots == 1, "it was sent everything again");
    ensure!(replica.hash == admin.snapshot().await?["hash"], "and does not hold what the server holds");
    Ok(())
}

async fn a_reader_whose_content_differs_is_given_a_snapshot(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("first", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "differs").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    let mut claim = hello_having("differs", &snapshot);
    claim["hash"] = json!("00".repeat(32));
    let mut other = WebSocket::resume(&sdk, &claim).await?;
    other.expect("snapshot", SOON).await?;
    stream.send(&json!({"type": "resync", "why": "a test"})).await?;
    stream.expect("snapshot", SOON).await?;
    Ok(())
}

async fn a_reader_from_an_older_epoch_is_given_a_snapshot(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("first", &flags::boolean("on")).await?.ok()?;
    let frame = WebSocket::resume(&sdk, &claiming(0, 7)).await?.expect("snapshot", SOON).await?;
    ensure!(frame.data["revision"] == 1, "{}", frame.data);
    Ok(())
}

/// It has seen what this node has not: the node may be behind, and waits rather than take it back.
async fn a_reader_that_is_ahead_of_the_node_is_not_taken_back(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("first", &flags::boolean("on")).await?.ok()?;
    for (epoch, revision) in [(1, 999), (7, 1)] {
        let mut ahead = WebSocket::resume(&sdk, &claiming(epoch, revision)).await?;
        while let Ok(frame) = ahead.frame(Duration::from_millis(500)).await {
            ensure!(
                frame.kind == "heartbeat" || frame.kind == "overlay",
                "from {epoch}:{revision} it was sent {}",
                frame.data
            );
        }
    }
    Ok(())
}

on_both_stores!(
    every_stream_goes_forward_without_a_gap,
    an_sdk_only_goes_forward,
    a_reader_that_was_away_is_told_only_what_it_missed,
    a_reader_whose_content_differs_is_given_a_snapshot,
    a_reader_from_an_older_epoch_is_given_a_snapshot,
    a_reader_that_is_ahead_of_the_node_is_not_taken_back
);

/// A hello that claims this position.
fn claiming(epoch: u64, revision: u64) -> serde_json::Value {
    let mut claim = hello("elsewhere");
    claim["epoch"] = json!(epoch);
    claim["revision"] = json!(revision);
    claim["hash"] = json!("11".repeat(32));
    claim
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_go_on_where_they_were_after_a_restart() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for n in 0..10 {
        admin.put_flag("counter", &flags::number(n)).await?.ok()?;
    }
    let app = App::start(&admin.role("sdk").await?, "restart").await?;
    server.stop()?;
    server.restart().await?;
    ensure!(admin.revision().await? == 10);
    let answer = admin.put_flag("counter", &flags::number(11)).await?;
    ensure!(answer.revision()? == 11, "{}", answer.body);
    eventually(SOON, "the SDK has come back", || async {
        ensure!(app.revision() == 11, "it is at {}", app.revision());
        Ok(())
    })
    .await
}
