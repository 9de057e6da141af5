//! The other ways to the server.

use std::time::Duration;

use ripcord_sdk::{Client, Context, StartError, State, Transport};

use crate::builder;
use crate::server::{Detail, PATIENCE, Server, eventually};
use crate::world::{World, frame_of};

#[tokio::test]
async fn over_sse_changes_come_on_the_stream_and_are_confirmed_beside_it() {
    let (mut server, mut world) = (Server::start().await, World::new());
    server.answer("/v1/stream/ack", Detail::status(204));
    let client = builder(&server).transport(Transport::Sse).start().unwrap();
    let (mut events, head) = server.events().await;
    assert!(
        head.contains("environment=production") && head.contains("instance=a") && head.contains("instance_id="),
        "{head}"
    );
    events.send(&world.frame()).await;
    client.ready_within(PATIENCE).await.unwrap();
    events.send(&frame_of(&world.put("checkout", true))).await;
    let confirmed = |revision: u64| format!("\"revision\":{revision}");
    eventually("it is confirmed", || {
        server.requests("/v1/stream/ack").iter().any(|request| request.body.contains(&confirmed(2)))
    })
    .await;
    assert!(client.bool("checkout", &Context::new("user-1"), false));
    drop(events);
    let (_again, head) = server.events().await;
    assert_eq!(crate::server::header(&head, "last-event-id"), Some("1:2"));
}

#[tokio::test]
async fn over_sse_a_gap_is_healed_by_fetching_the_state() {
    let (mut server, mut world) = (Server::start().await, World::new());
    server.answer("/v1/stream/ack", Detail::status(204));
    let client = builder(&server).transport(Transport::Sse).start().unwrap();
    let (mut events, _) = server.events().await;
    events.send(&world.frame()).await;
    client.ready_within(PATIENCE).await.unwrap();
    world.put("checkout", true);
    let delta = frame_of(&world.put("other", true));
    server.answer("/v1/snapshot", Detail::body(world.frame()));
    events.send(&delta).await;
    eventually("it is healed", || client.status().position == Some(world.position())).await;
    assert_eq!(client.status().state, State::Ready);
}

#[tokio::test]
async fn polling_finds_changes_and_asks_by_tag() {
    let (server, mut world) = (Server::start().await, World::new());
    let tagged = |world: &World| Detail {
        status: 200,
        headers: "etag: \"a-tag\"\r\n",
        body: world.frame(),
    };
    server.answer("/v1/snapshot", tagged(&world));
    let every = Duration::from_millis(20);
    let client = builder(&server).transport(Transport::Poll { every }).start().unwrap();
    client.ready_within(PATIENCE).await.unwrap();
    world.put("checkout", true);
    server.answer("/v1/snapshot", tagged(&world));
    eventually("it is polled", || client.bool("checkout", &Context::new("user-1"), false)).await;
    server.answer("/v1/snapshot", Detail::status(304));
    let before = server.requests("/v1/snapshot").len();
    eventually("it polls again", || server.requests("/v1/snapshot").len() > before + 2).await;
    let last = server.requests("/v1/snapshot").pop().unwrap();
    assert_eq!(crate::server::header(&last.head, "if-none-match"), Some("\"a-tag\""));
    assert_eq!(client.status().state, State::Ready);
    server.answer("/v1/snapshot", Detail::status(500));
    eventually("failures show", || client.status().state == State::Stale).await;
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let start = |address: &str, key: &str| Client::builder(address, key).start();
    assert!(matches!(start("localhost:8016", "rc_sdk_x"), Err(StartError::Address { .. })));
    assert!(matches!(start("ftp://localhost", "rc_sdk_x"), Err(StartError::Address { .. })));
    assert!(matches!(start("http://localhost", "rc_sdk_\n"), Err(StartError::Key(_))));
    let builder = || Client::builder("http://localhost", "rc_sdk_x");
    assert!(matches!(builder().environment("No Such Name").start(), Err(StartError::Environment(_))));
    assert!(matches!(builder().root_certificate("no PEM").start(), Err(StartError::Certificate(_))));
}
