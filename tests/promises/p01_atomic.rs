//! Promise 1: a reader sees revision N whole or not at all.

mod rollbacks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_sdk::Context;
use ripcord_tests::stream::{Next, Reader, Sse, WebSocket};
use ripcord_tests::waiting::pace;
use ripcord_tests::{Api, App, Cluster, Outcome, Replica, SOON, World, eventually, flags, on_both_stores};
use serde_json::json;

/// How often the coupled flags are flipped together.
const FLIPS: u64 = 2_000;

/// These tests keep every core busy: one at a time, or their deadlines mean nothing.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Between two remote reads of everything.
const PAUSE: Duration = Duration::from_millis(2);

/// The two flags that must always agree.
const COUPLED: [&str; 2] = ["left", "right"];

/// Tells the readers to end, and counts how often they looked.
#[derive(Default)]
struct Watch {
    over: AtomicBool,
    looks: AtomicU64,
}

impl Watch {
    fn goes_on(&self) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }
}

fn agree(left: &str, right: &str, place: &str) -> Outcome {
    ensure!(left == right, "{place}: left is {left:?}, right is {right:?}");
    Ok(())
}

async fn flip(api: &Api, variant: &str) -> Outcome {
    let changes = COUPLED.map(|key| flags::put(key, &flags::boolean(variant)));
    api.commit(&changes).await?.ok()?;
    Ok(())
}

async fn flip_for_long(api: &Api, watch: &Watch) -> Outcome {
    for turn in 0..FLIPS {
        if let Err(error) = flip(api, if turn % 2 == 0 { "on" } else { "off" }).await {
            watch.over.store(true, Ordering::Relaxed);
            return Err(error.context(format!("flip {turn}")));
        }
    }
    watch.over.store(true, Ordering::Relaxed);
    Ok(())
}

/// The views of an SDK.
async fn sdk_views_agree(app: App, watch: Arc<Watch>) -> Outcome {
    let user = Context::new("user-1");
    while watch.goes_on() {
        for _ in 0..100 {
            let view = app.client().view();
            let (left, right) = (view.bool("left", &user, false), view.bool("right", &user, false));
            ensure!(left == right, "an SDK view at {:?} has left {left}, right {right}", view.position());
        }
        // Looks often, and leaves the machine to the writer in between.
        pace(Duration::from_micros(500)).await;
    }
    Ok(())
}

/// Remote reads of everything at once: the snapshot and the list of flags.
async fn remote_reads_agree(api: Api, watch: Arc<Watch>) -> Outcome {
    while watch.goes_on() {
        let snapshot = api.snapshot().await?;
        let variant = |key: &str| snapshot["flags"][key]["default"].as_str().unwrap_or_default().to_owned();
        agree(&variant("left"), &variant("right"), "/v1/snapshot")?;
        let list = api.get("flags").await?.ok()?;
        let listed = |key: &str| {
            let items = list["items"].as_array().into_iter().flatten();
            items
                .filter(|item| item["key"] == key)
                .map(|item| item["flag"]["default"].to_string())
                .collect::<String>()
        };
        agree(&listed("left"), &listed("right"), "the list of flags")?;
        pace(PAUSE).await;
    }
    Ok(())
}

/// Frames of a stream, applied as the protocol says.
async fn frames_agree(mut reader: impl Reader, place: &str, watch: Arc<Watch>) -> anyhow::Result<Replica> {
    let mut replica = Replica::default();
    while watch.goes_on() {
        match tokio::time::timeout(Duration::from_millis(200), reader.next()).await {
            Ok(Ok(Next::Frame(frame))) => replica.apply(&frame).with_context(|| place.to_owned())?,
            Ok(Ok(Next::End)) => anyhow::bail!("{place} ended"),
            Ok(Err(error)) => return Err(error),
            Err(_) => continue,
        }
        let variant = |key| replica.default_variant(key).unwrap_or_default().to_owned();
        agree(&variant("left"), &variant("right"), place)?;
    }
    Ok(replica)
}

async fn readers_of(api: Api, writer: Api, name: &str) -> Outcome {
    let _alone = ALONE.lock().await;
    let watch = Arc::new(Watch::default());
    flip(&writer, "off").await?;
    eventually(SOON, "the flags are there", || async { api.with_key(Some(writer.key())).flag("right").await }).await?;
    let app = App::start(&api, name).await?;
    let (ws, sse) = (WebSocket::connect(&api, "raw-ws").await?, Sse::connect(&api, "raw-sse", "raw-sse-1").await?);
    let readers = [
        tokio::spawn(sdk_views_agree(app.clone(), Arc::clone(&watch))),
        tokio::spawn(remote_reads_agree(api.with_key(Some(writer.key())), Arc::clone(&watch))),
    ];
    let streams = [
        tokio::spawn(frames_agree(ws, "WebSocket frames", Arc::clone(&watch))),
        tokio::spawn(frames_agree(sse, "SSE frames", Arc::clone(&watch))),
    ];
    let written = flip_for_long(&writer, &watch).await;
    for reader in readers {
        reader.await??;
    }
    for stream in streams {
        let replica = stream.await??;
        ensure!(replica.revision > 1, "a stream saw no flip");
    }
    ensure!(watch.looks.load(Ordering::Relaxed) > 1_000, "the readers hardly looked");
    written
}

/// The torn-read test: every kind of reader, on one node.
async fn coupled_flags_are_never_seen_half_flipped(world: World) -> Outcome {
    let admin = world.admin();
    readers_of(admin.role("sdk").await?, admin, "torn-read").await?;
    Ok(())
}

async fn a_commit_with_one_bad_change_of_many_changes_nothing(world: World) -> Outcome {
    let admin = world.admin();
    let before = admin.revision().await?;
    let mut changes: Vec<_> = (0..50).map(|n| flags::put(&format!("flag-{n}"), &flags::boolean("on"))).collect();
    changes.push(json!({"put_flag": {"key": "bad", "flag": {"variants": {"on": true}, "default": "onn", "safe": null}}}));
    let problem = admin.commit(&changes).await?.problem(422, "INVALID")?;
    ensure!(problem["errors"][0]["path"] == "changes[50].put_flag.flag.default", "{problem}");
    ensure!(admin.revision().await? == before, "something was committed");
    ensure!(
        admin.snapshot().await?["flags"].as_object().is_some_and(serde_json::Map::is_empty),
        "something was applied"
    );
    Ok(())
}

async fn a_commit_that_would_break_another_flag_changes_nothing(world: World) -> Outcome {
    let admin = world.admin();
    let mut needy = flags::boolean("on");
    needy["requires"] = json!([{"flag": "base", "variant": "on"}]);
    admin
        .commit(&[flags::put("base", &flags::boolean("on")), flags::put("needy", &needy)])
        .await?
        .ok()?;
    let before = admin.revision().await?;
    let changes = [flags::put("bystander", &flags::boolean("on")), flags::delete("base")];
    let answer = admin.commit(&changes).await?;
    ensure!(
        [409, 422].contains(&answer.status),
        "deleting what another flag requires answers {} {}",
        answer.status,
        answer.body
    );
    ensure!(admin.revision().await? == before, "something was committed");
    admin.get("flags/bystander").await?.problem(404, "FLAG_NOT_FOUND")?;
    Ok(())
}

on_both_stores!(
    coupled_flags_are_never_seen_half_flipped,
    a_commit_with_one_bad_change_of_many_changes_nothing,
    a_commit_that_would_break_another_flag_changes_nothing
);

/// The same with the writer on one node and the readers on the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coupled_flags_are_never_seen_half_flipped_by_another_node() -> Outcome {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::start().await?;
    let writer = cluster.a.admin();
    let reader = writer.role("sdk").await?.at(&cluster.b.url());
    eventually(SOON, "the other node knows the key", || async { reader.snapshot().await.map(drop) }).await?;
    let watch = Arc::new(Watch::default());
    flip(&writer, "off").await?;
    cluster.agree().await?;
    let app = App::start(&reader, "torn-read").await?;
    let ws = WebSocket::connect(&reader, "raw-ws").await?;
    let views = tokio::spawn(sdk_views_agree(app, Arc::clone(&watch)));
    let reads = tokio::spawn(remote_reads_agree(cluster.b.admin(), Arc::clone(&watch)));
    let frames = tokio::spawn(frames_agree(ws, "frames of the other node", Arc::clone(&watch)));
    flip_for_long(&writer, &watch).await?;
    views.await??;
    reads.await??;
    frames.await??;
    cluster.agree().await?;
    Ok(())
}
