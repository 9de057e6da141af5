//! What goes wrong on the way, and that the client gets over it.

use std::time::Duration;

use ripcord_proto::frame::{Goodbye, KillEnd, encode_goodbye};
use ripcord_sdk::engine::Reason;
use ripcord_sdk::{Client, ConnectionError, Context, State};

use crate::builder;
use crate::server::{Detail, PATIENCE, Peer, Server, eventually};
use crate::world::{World, frame_of, kill};

/// A client in sync with a world.
async fn ready(server: &mut Server, world: &World) -> (Client, Peer) {
    let client = builder(server).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    (client, stream)
}

#[tokio::test]
async fn a_gap_is_healed_by_a_snapshot() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let (client, mut stream) = ready(&mut server, &world).await;
    world.put("checkout", true);
    stream.send(frame_of(&world.put("other", true))).await;
    assert!(stream.resync().await.contains("does not start at 1:1"));
    assert_eq!(client.status().position.unwrap().revision.0, 1, "the last good state stays in force");
    stream.send(world.frame()).await;
    assert_eq!(stream.ack().await.revision, world.position().revision);
    assert!(client.bool("checkout", &Context::new("user-1"), false));
}

#[tokio::test]
async fn a_wrong_hash_is_healed_by_a_snapshot() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let (_client, mut stream) = ready(&mut server, &world).await;
    let mut delta = world.put("checkout", true);
    delta.hash = ripcord_proto::digest::Digest::ZERO;
    stream.send(frame_of(&delta)).await;
    assert!(stream.resync().await.contains("content hash"));
    stream.send(world.frame()).await;
    assert_eq!(stream.ack().await.hash, world.hash());
}

#[tokio::test]
async fn garbage_is_healed_by_a_snapshot_and_half_a_frame_by_a_new_stream() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let (client, mut stream) = ready(&mut server, &world).await;
    stream.send("{\"type\":\"delta\",").await;
    stream.resync().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    stream.break_off().await;
    let (mut stream, hello) = server.greeted().await;
    assert_eq!(hello.position(), Some(world.position()));
    stream.send(frame_of(&world.put("checkout", true))).await;
    assert_eq!(stream.ack().await.revision, world.position().revision);
    eventually("the client is Ready", || client.status().state == State::Ready).await;
}

#[tokio::test]
async fn a_silent_stream_is_given_up_and_opened_anew() {
    let (mut server, world) = (Server::start().await, World::new());
    let client = builder(&server).silence_timeout(Duration::from_secs(1)).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    let (mut again, hello) = server.greeted().await;
    assert_eq!(hello.hash, Some(world.hash()));
    eventually("the client is Stale", || client.status().state == State::Stale).await;
    again.send(world.heartbeat(true)).await;
    again.ack().await;
    eventually("the client is Ready", || client.status().state == State::Ready).await;
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_is_found_again() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let (client, stream) = ready(&mut server, &world).await;
    let address = server.address;
    drop((stream, server));
    eventually("the client says that it is stale", || client.status().state == State::Stale).await;
    assert!(matches!(client.status().error, Some(ConnectionError::Unreachable(_))));
    assert!(
        !client.bool("checkout", &Context::new("user-1"), true),
        "the state in memory is still evaluated"
    );
    world.put("checkout", true);
    let mut server = Server::restart(address).await;
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    assert!(client.bool("checkout", &Context::new("user-1"), false));
}

#[tokio::test]
async fn a_goodbye_is_honoured() {
    let (mut server, world) = (Server::start().await, World::new());
    let (client, mut stream) = ready(&mut server, &world).await;
    let goodbye = Goodbye {
        why: "shutting down".to_owned(),
        retry_after_ms: Some(300),
        retry: None,
    };
    stream.send(encode_goodbye(&goodbye).unwrap()).await;
    let parted = std::time::Instant::now();
    stream.gone().await;
    let parting = ConnectionError::Goodbye("shutting down".to_owned());
    eventually("the goodbye is named", || client.status().error.as_ref() == Some(&parting)).await;
    server.stream().await.send(world.heartbeat(true)).await;
    assert!(parted.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_refused_key_is_named_and_a_server_that_is_full_is_waited_for() {
    let mut server = Server::start().await;
    let mut refusal = Detail::status(401);
    refusal.body =
        r#"{"type":"urn:ripcord:problem:UNAUTHENTICATED","title":"x","status":401,"code":"UNAUTHENTICATED","detail":"the key is not valid"}"#.to_owned();
    server.answer("/v1/stream", refusal);
    let client = builder(&server).start().unwrap();
    let refused = ConnectionError::Refused {
        status: 401,
        detail: "the key is not valid".to_owned(),
    };
    eventually("the refusal is named", || client.status().error.as_ref() == Some(&refused)).await;
    assert_eq!(client.status().state, State::Unauthorised);
    server.answer(
        "/v1/stream",
        Detail {
            status: 503,
            headers: "retry-after: 1\r\n",
            body: String::new(),
        },
    );
    let waiting = builder(&server).start().unwrap();
    eventually("the wait is named", || matches!(waiting.status().error, Some(ConnectionError::Goodbye(_)))).await;
    server.allow("/v1/stream");
    server.stream().await.send(World::new().frame()).await;
    waiting.ready_within(PATIENCE).await.unwrap();
    assert_eq!(client.status().state, State::Unauthorised, "it tries again in half a minute or more");
}

#[tokio::test]
async fn a_provisional_kill_is_kept_over_a_reconnect_until_it_is_ended() {
    let (mut server, mut world) = (Server::start().await, World::new());
    world.put("checkout", true);
    let (client, mut stream) = ready(&mut server, &world).await;
    let (user, kill) = (Context::new("user-1"), kill(1, "checkout"));
    let ignorant = world.clone();
    world.overlay.kills.insert(kill.id.clone(), kill.clone());
    stream.send(world.overlay_frame()).await;
    assert_eq!(stream.ack().await.kills, std::slice::from_ref(&kill.id));
    assert_eq!(client.bool_detail("checkout", &user, true).reason, Reason::Killed);
    drop(stream);
    let mut other = server.stream().await;
    other.send(ignorant.heartbeat(true)).await;
    assert_eq!(other.ack().await.kills, std::slice::from_ref(&kill.id));
    assert!(!client.bool("checkout", &user, true));
    let mut after = ignorant;
    after.overlay.ended.insert(kill.id.clone(), KillEnd::Withdrawn);
    other.send(after.overlay_frame()).await;
    assert_eq!(other.ack().await.kills, []);
    assert!(client.bool("checkout", &user, false));
}

#[tokio::test]
async fn changes_that_the_stream_is_silent_about_come_by_comparison() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let client = builder(&server).reconcile_every(Duration::from_secs(1)).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    world.put("checkout", true);
    server.answer("/v1/snapshot", Detail::body(world.frame()));
    assert_eq!(stream.ack().await.revision, world.position().revision);
    assert!(client.bool("checkout", &Context::new("user-1"), false));
    let asked = &server.requests("/v1/snapshot")[0];
    assert_eq!(crate::server::header(&asked.head, "authorization"), Some("Bearer rc_sdk_test"));
    assert!(crate::server::header(&asked.head, "if-none-match").unwrap().starts_with("\"1:1-"));
    world.put("checkout", false);
    server.answer("/v1/snapshot", Detail::body(world.frame()));
    let (_again, hello) = server.greeted().await;
    assert_eq!(hello.position(), Some(world.position()), "the dead stream was given up");
}

#[tokio::test]
async fn a_lease_that_runs_out_is_seen_by_the_client_and_by_a_pinned_view() {
    let (mut server, mut world) = (Server::start().await, World::new());
    world.put_leased("checkout", true, Some(5));
    let (client, mut stream) = ready(&mut server, &world).await;
    let (view, user) = (client.view(), Context::new("user-1"));
    stream.send(world.heartbeat(true)).await;
    assert!(client.bool("checkout", &user, false));
    eventually("the lease runs out", || {
        client.bool_detail("checkout", &user, true).reason == Reason::LeaseExpired
    })
    .await;
    assert!(!view.bool("checkout", &user, true));
    stream.send(world.heartbeat(true)).await;
    eventually("the lease is renewed", || client.bool("checkout", &user, false)).await;
}
