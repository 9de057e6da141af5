//! Clients that do not do their part, and too many at once.

use std::time::{Duration, Instant};

use ripcord_proto::Position;
use ripcord_proto::frame::ServerFrame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{Client, HttpNode, eventually, hello};
use crate::snapshot::fixture::Stage;

/// A connection on which a WebSocket is open and nothing more is done.
async fn opened(node: &HttpNode) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let request = "GET /v1/stream HTTP/1.1\r\nhost: x\r\nx-api-key: good\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

#[test]
fn a_client_that_never_says_hello_is_cut_off() {
    let patient = |settings: &mut crate::stream::StreamSettings, _: &mut _| {
        settings.heartbeat = Duration::from_millis(600);
        settings.hello = Duration::from_millis(100);
    };
    HttpNode::run_with(Stage::new(1), patient, async |node| {
        let _mute = opened(&node).await;
        eventually(|| node.streams.open() == 0).await;
    });
}

#[test]
fn a_client_that_is_silent_for_three_heartbeats_is_lost() {
    let quick = |settings: &mut crate::stream::StreamSettings, _: &mut _| settings.heartbeat = Duration::from_millis(700);
    HttpNode::run_with(Stage::new(1), quick, async |node| {
        let mut alive = Client::connect(&node, hello("alive", Some(Position::new(1, 1)))).await;
        let _deaf = Client::connect(&node, hello("deaf", Some(Position::new(1, 1)))).await;
        let environment = node.environment();
        let lost = |name: &str| {
            node.fleet
                .connections(&environment)
                .iter()
                .any(|connected| connected.instance.name == name && connected.lost)
        };
        // Reading answers the pings that come with heartbeats.
        while !lost("deaf") {
            assert!(matches!(alive.frame().await, ServerFrame::Heartbeat(_)));
        }
        assert!(!lost("alive"));
    });
}

#[test]
fn a_reader_that_takes_no_byte_is_cut_off_whatever_it_reads_by() {
    let impatient = |settings: &mut crate::stream::StreamSettings, _: &mut _| {
        settings.heartbeat = Duration::from_secs(6);
        settings.stuck = Duration::from_millis(200);
    };
    HttpNode::run_with(Stage::new(20_000), impatient, async |node| {
        let _stuck = Client::connect(&node, hello("stuck", None)).await;
        let mut events = TcpStream::connect(node.address).await.unwrap();
        events
            .write_all(b"GET /v1/stream HTTP/1.1\r\nhost: x\r\nx-api-key: good\r\n\r\n")
            .await
            .unwrap();
        eventually(|| node.streams.open() == 2).await;
        eventually(|| node.streams.open() == 0).await;
    });
}

#[test]
fn a_storm_is_let_in_at_a_bounded_rate_and_who_serves_what_was_killed_goes_first() {
    let narrow = |settings: &mut crate::stream::StreamSettings, _: &mut _| settings.admissions_per_second = 20.0;
    let mut stage = Stage::new(3);
    stage.put(true);
    stage.pull(false);
    stage.put(true);
    HttpNode::run_with(stage, narrow, async |node| {
        let began = Instant::now();
        let mut waiting = Vec::new();
        for number in 0..16 {
            let revision = if number < 8 { 3 } else { 1 };
            let mut client = Client::connect(&node, hello(&number.to_string(), Some(Position::new(1, revision)))).await;
            waiting.push(actix_web::rt::spawn(async move {
                client.next().await;
                (Instant::now(), revision)
            }));
        }
        let mut arrivals = Vec::new();
        for arrival in waiting {
            arrivals.push(arrival.await.unwrap());
        }
        arrivals.sort_unstable();
        let took = began.elapsed();
        assert!(took > Duration::from_millis(400), "{took:?}");
        // Those who came first and are merely behind had the burst to themselves; then the killed go first.
        let last_killed = arrivals.iter().rposition(|(_, revision)| *revision == 1).unwrap();
        assert!(last_killed < 14, "{arrivals:?}");
    });
}

#[test]
fn beyond_the_limit_streams_are_refused_with_a_time_to_come_back() {
    let few = |settings: &mut crate::stream::StreamSettings, _: &mut _| settings.connections = 2;
    HttpNode::run_with(Stage::new(1), few, async |node| {
        let _one = Client::connect(&node, hello("one", None)).await;
        let _other = Client::connect(&node, hello("other", None)).await;
        assert_eq!(Client::refused(&node, "good").await, 503);
        assert_eq!(node.get_status("/v1/stream", "good").await, 503);
        assert_eq!(node.get_status("/v1/snapshot", "good").await, 200);
    });
}
