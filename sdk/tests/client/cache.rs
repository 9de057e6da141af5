//! Starting without the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ripcord_sdk::engine::Reason;
use ripcord_sdk::{CacheStatus, Client, Context, Source, StartPolicy, State};

use crate::builder;
use crate::server::{PATIENCE, Server};
use crate::world::{World, kill};

/// A client that has run against `world` and was closed, with its cache in `directory`; the server is gone.
async fn left_behind(world: &World, directory: &Path) -> Server {
    let mut server = Server::start().await;
    let client = builder(&server).cache_dir(directory).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    stream.send(world.heartbeat(true)).await;
    client.close().await;
    assert!(matches!(client.status().cache, CacheStatus::Written { .. }), "{:?}", client.status().cache);
    server
}

fn file(directory: &Path) -> PathBuf {
    fs::read_dir(directory).unwrap().next().unwrap().unwrap().path()
}

/// A new client that finds the server refusing every connection.
fn restarted(server: Server, directory: &Path, policy: StartPolicy) -> Client {
    let builder = builder(&server).cache_dir(directory).start_policy(policy);
    drop(server);
    builder.start().unwrap()
}

#[tokio::test]
async fn the_last_known_state_answers_and_the_status_says_so() {
    let (mut world, directory) = (World::new(), tempfile::tempdir().unwrap());
    world.put("checkout", true);
    let server = left_behind(&world, directory.path()).await;
    let client = restarted(server, directory.path(), StartPolicy::LastKnown);
    client.ready_within(PATIENCE).await.unwrap();
    assert!(client.bool("checkout", &Context::new("user-1"), false));
    let status = client.status();
    assert_eq!(
        (status.state, status.source, status.position),
        (State::Stale, Source::Cache, Some(world.position()))
    );
    assert!(matches!(status.cache, CacheStatus::Loaded { .. }));
    assert!(status.cache_age().unwrap() < PATIENCE);
}

#[tokio::test]
async fn another_policy_leaves_the_cached_state_alone() {
    let (mut world, directory) = (World::new(), tempfile::tempdir().unwrap());
    world.put("checkout", true);
    let server = left_behind(&world, directory.path()).await;
    let client = restarted(server, directory.path(), StartPolicy::CallersDefaults);
    client.ready_within(PATIENCE).await.unwrap();
    assert_eq!(client.bool_detail("checkout", &Context::new("user-1"), false).reason, Reason::NotReady);
}

#[tokio::test]
async fn a_provisional_kill_outlives_the_process() {
    let (mut world, directory) = (World::new(), tempfile::tempdir().unwrap());
    world.put("checkout", true);
    let kill = kill(1, "checkout");
    world.overlay.kills.insert(kill.id.clone(), kill.clone());
    let server = left_behind(&world, directory.path()).await;
    let client = restarted(server, directory.path(), StartPolicy::LastKnown);
    client.ready_within(PATIENCE).await.unwrap();
    assert_eq!(client.bool_detail("checkout", &Context::new("user-1"), true).reason, Reason::Killed);
    assert_eq!(client.status().provisional_kills, [kill.id]);
}

#[tokio::test]
async fn a_damaged_cache_is_ignored_and_named() {
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let server = left_behind(&world, directory.path()).await;
    let path = file(directory.path());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"enabled\":true", "\"enabled\":false")).unwrap();
    let client = restarted(server, directory.path(), StartPolicy::LastKnown);
    client.ready_within(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(client.status().cache, CacheStatus::Ignored { .. }), "{:?}", client.status().cache);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_harms_nothing_and_is_named() {
    let (mut server, world) = (Server::start().await, World::new());
    let directory = tempfile::tempdir().unwrap();
    let occupied = directory.path().join("a-file");
    fs::write(&occupied, "x").unwrap();
    let client = builder(&server).cache_dir(&occupied).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    client.close().await;
    assert!(matches!(client.status().cache, CacheStatus::Unwritable { .. }), "{:?}", client.status().cache);
}
