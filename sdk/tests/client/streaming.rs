//! The normal case: connect, apply, acknowledge, change.

use std::sync::mpsc;
use std::time::Duration;

use ripcord_proto::frame::ClientFrame;
use ripcord_sdk::engine::Reason;
use ripcord_sdk::{BoolFlag, Changes, ConnectionError, Context, NotReady, Source, StartPolicy, State, StatusWatch};

use crate::builder;
use crate::server::{PATIENCE, Server, eventually};
use crate::world::{World, frame_of, kill};

const CHECKOUT: BoolFlag = BoolFlag::new("checkout", false);

#[tokio::test]
async fn a_change_is_served_and_confirmed() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let user = Context::new("user-1");
    assert_eq!(client.bool_detail("checkout", &user, true).reason, Reason::NotReady);
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    let ack = stream.ack().await;
    assert_eq!((ack.revision, ack.hash), (world.position().revision, world.hash()));
    client.ready_within(PATIENCE).await.unwrap();
    assert!(!client.bool("checkout", &user, true));
    stream.send(frame_of(&world.put("checkout", true))).await;
    assert_eq!(stream.ack().await.revision, world.position().revision);
    assert!(client.get(&CHECKOUT, &user));
    stream.send(frame_of(&world.commit(&kill(1, "checkout")))).await;
    assert_eq!(stream.ack().await.revision, world.position().revision);
    assert_eq!(client.bool_detail("checkout", &user, true).reason, Reason::Killed);
    client.close().await;
    eventually("the client is Closed", || client.status().state == State::Closed).await;
    assert!(!client.bool("checkout", &user, true), "the last state is still evaluated");
}

#[tokio::test]
async fn a_view_answers_from_one_revision() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    let (view, user) = (client.view(), Context::new("user-1"));
    stream.send(frame_of(&world.put("checkout", true))).await;
    stream.ack().await;
    assert!(client.bool("checkout", &user, false));
    assert!(!view.get(&CHECKOUT, &user));
    assert_eq!(view.position().unwrap().revision.0, 1);
    assert_eq!(client.view().position(), Some(world.position()));
}

#[tokio::test]
async fn listeners_hear_which_flags_changed() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let (sender, heard) = mpsc::channel();
    let _subscription = client.on_change(move |changes| sender.send(changes.clone()).unwrap());
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    let next = || heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next(), Changes::Everything);
    stream.send(frame_of(&world.put("other", true))).await;
    stream.ack().await;
    let changes = next();
    assert!(changes.affect("other") && !changes.affect("checkout"));
}

#[tokio::test]
async fn dropping_the_last_handle_says_goodbye() {
    let (mut server, world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    let clone = client.clone();
    drop(client);
    eventually("the client is Ready", || clone.status().state == State::Ready).await;
    drop(clone);
    assert!(matches!(stream.next().await, ClientFrame::Goodbye(_)));
    stream.gone().await;
}

#[test]
fn a_client_needs_no_runtime_of_the_application() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let server = runtime.block_on(Server::start());
    let client = builder(&server).start().unwrap();
    let NotReady::TimedOut { error, .. } = client.wait_until_ready(Duration::from_millis(1)).unwrap_err() else {
        panic!("it is not closed");
    };
    assert_eq!(error, None);
    let serving = runtime.spawn(async move {
        let mut server = server;
        let mut stream = server.stream().await;
        stream.send(World::new().frame()).await;
        stream.ack().await;
        (server, stream)
    });
    client.wait_until_ready(PATIENCE).unwrap();
    assert_eq!((client.status().state, client.status().source), (State::Ready, Source::Server));
    drop(runtime.block_on(serving).unwrap());
}

#[tokio::test]
async fn an_application_that_is_content_with_its_defaults_may_start_without_the_server() {
    let mut gone = Server::start().await;
    let client = builder(&gone).start_policy(StartPolicy::CallersDefaults).start().unwrap();
    let impatient = builder(&gone).start_policy(StartPolicy::NotReady).start().unwrap();
    drop((gone.stream().await, gone.stream().await, gone));
    client.ready_within(PATIENCE).await.unwrap();
    assert!(client.bool("checkout", &Context::new("user-1"), true));
    let failure = impatient.ready_within(Duration::from_millis(50)).await.unwrap_err();
    let NotReady::TimedOut { waited, error } = failure else {
        panic!("it timed out: {failure}");
    };
    assert_eq!(waited, Duration::from_millis(50));
    assert!(matches!(error, Some(ConnectionError::Unreachable(_))), "{error:?}");
}

/// The next state that a watcher sees.
async fn status_of(status: &mut StatusWatch) -> State {
    tokio::time::timeout(PATIENCE, status.next()).await.unwrap().unwrap().state
}

#[tokio::test]
async fn the_status_can_be_watched() {
    let (mut server, world) = (Server::start().await, World::new());
    let client = builder(&server).start().unwrap();
    let mut status = client.watch_status();
    let mut stream = server.stream().await;
    stream.send(world.frame()).await;
    stream.ack().await;
    drop(stream);
    while status_of(&mut status).await != State::Stale {}
    client.close().await;
    while status_of(&mut status).await != State::Closed {}
    drop(client);
    assert_eq!(status.next().await, None);
}
