//! The straight line: connect, apply, acknowledge, change.

use ripcord_sdk::engine::Reason;
use ripcord_sdk::{Client, Context, Counting, State};

use crate::server::{PATIENCE, Server};
use crate::world::{World, frame_of, kill};

fn client(server: &Server) -> Client {
    let builder = Client::builder(&server.url(), "rc_sdk_test").environment("production").instance("a");
    builder.counting(Counting::Off).start().unwrap()
}

#[tokio::test]
async fn a_change_is_served_and_confirmed() {
    let (mut server, mut world) = (Server::start().await, World::new());
    let client = client(&server);
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
    assert!(client.bool("checkout", &user, false));
    stream.send(frame_of(&world.commit(&kill(1, "checkout")))).await;
    assert_eq!(stream.ack().await.revision, world.position().revision);
    assert_eq!(client.bool_detail("checkout", &user, true).reason, Reason::Killed);
    client.close().await;
    assert_eq!(client.status().state, State::Closed);
    assert!(!client.bool("checkout", &user, true), "what was in force goes on answering");
}
