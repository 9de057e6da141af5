//! Streams from end to end: a real server on a free port, real sockets.

mod bodies;
mod faults;
mod harness;
mod tls;

use std::time::Duration;

use ripcord_proto::Position;
use ripcord_proto::frame::{KillEnd, Overlay, ServerFrame};

use self::harness::{Client, HttpNode, eventually, hello};
use crate::fleet::ConfirmationTarget;
use crate::snapshot::fixture::{self, Stage};

#[test]
fn a_new_reader_gets_a_snapshot_and_then_each_delta() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut client = Client::connect(&node, hello("a", None)).await;
        let ServerFrame::Snapshot(snapshot, hash, _) = client.next().await else {
            panic!("a snapshot comes first");
        };
        assert_eq!(snapshot.content_hash(), hash);
        node.stage().put(true);
        let ServerFrame::Delta(delta) = client.next().await else {
            panic!("a delta follows");
        };
        assert_eq!(snapshot.apply(&delta).unwrap().position, Position::new(1, 2));
    });
}

#[test]
fn a_reader_with_nothing_new_gets_only_a_heartbeat() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut client = Client::connect(&node, hello("a", Some(Position::new(1, 1)))).await;
        assert!(matches!(client.frame().await, ServerFrame::Heartbeat(beat) if beat.fresh && beat.revision.0 == 1));
    });
}

#[test]
fn a_reader_that_is_behind_gets_one_delta_for_all_it_missed() {
    HttpNode::run(Stage::new(200), async |node| {
        for round in 0..10 {
            node.stage().put(round % 2 == 0);
        }
        let mut client = Client::connect(&node, hello("a", Some(Position::new(1, 1)))).await;
        let ServerFrame::Delta(delta) = client.next().await else {
            panic!("a delta is smaller than the snapshot");
        };
        assert_eq!((delta.from.0, delta.to), (1, Position::new(1, 11)));
        assert_eq!(delta.changed.flags.len(), 1);
    });
}

#[test]
fn another_hash_at_the_same_revision_and_another_epoch_are_healed_with_a_snapshot() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut diverged = hello("a", Some(Position::new(1, 1)));
        diverged.hash = Some(ripcord_proto::digest::Digest::ZERO);
        let mut client = Client::connect(&node, diverged).await;
        assert!(matches!(client.next().await, ServerFrame::Snapshot(..)));
        node.stage().next_epoch();
        assert!(matches!(client.next().await, ServerFrame::Snapshot(snapshot, ..) if snapshot.position == Position::new(2, 1)));
    });
}

#[test]
fn a_provisional_kill_is_an_overlay_over_the_revision_that_the_reader_has() {
    HttpNode::run(Stage::new(3), async |node| {
        let kill = fixture::kill(1, "flag-1");
        let id = kill.id.clone();
        let overlay = Overlay {
            kills: [(id.clone(), kill)].into(),
            ended: [].into(),
        };
        let mut early = Client::connect(&node, hello("early", Some(Position::new(1, 1)))).await;
        assert!(matches!(early.frame().await, ServerFrame::Heartbeat(_)));
        node.stage().overlay(overlay.clone());
        assert!(matches!(early.next().await, ServerFrame::Overlay(seen) if seen == overlay));
        let mut late = Client::connect(&node, hello("late", Some(Position::new(1, 1)))).await;
        assert!(matches!(late.next().await, ServerFrame::Overlay(seen) if seen == overlay));

        early.ack(&node, Position::new(1, 1), vec![id.clone()]).await;
        let target = ConfirmationTarget::Kill(id.clone());
        let confirmed = node.fleet.wait(&node.environment(), &target, Duration::from_millis(300), None).await.unwrap();
        assert_eq!((confirmed.applied.connected, confirmed.applied.confirmed), (2, 1));
        assert_eq!(confirmed.applied.missing[0].instance.name, "late");

        let ended = Overlay {
            kills: [].into(),
            ended: [(id, KillEnd::Withdrawn)].into(),
        };
        node.stage().overlay(ended.clone());
        assert!(matches!(late.next().await, ServerFrame::Overlay(seen) if seen == ended));
    });
}

#[test]
fn acknowledgements_are_counted_and_timed() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut clients = Vec::new();
        for name in ["a", "b", "c"] {
            let mut client = Client::connect(&node, hello(name, Some(Position::new(1, 1)))).await;
            client.frame().await;
            clients.push(client);
        }
        node.stage().pull(true);
        let target = ConfirmationTarget::Revision(Position::new(1, 2));
        for client in &mut clients[..2] {
            assert!(matches!(client.next().await, ServerFrame::Delta(_)));
            client.ack(&node, Position::new(1, 2), vec![]).await;
        }
        let environment = node.environment();
        let two = || {
            node.fleet
                .report(&environment, &target)
                .is_some_and(|report| crate::fleet::merge(&target, report, vec![]).applied.confirmed == 2)
        };
        eventually(two).await;
        clients[2].next().await;
        clients[2].ack(&node, Position::new(1, 2), vec![]).await;
        let all = node.fleet.wait(&environment, &target, Duration::from_secs(5), None).await.unwrap();
        assert!(all.complete);
        assert_eq!((all.applied.connected, all.applied.confirmed), (3, 3));
        assert!(all.applied.p50_ms.unwrap() <= all.applied.max_ms.unwrap());
        assert_eq!(all.nodes, ["node-1"]);
    });
}

#[test]
fn an_event_stream_carries_the_same_frames_and_resumes_by_its_last_event() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut events = node.events("?instance=web&instance_id=i1", None).await;
        let (id, snapshot) = events.next().await;
        assert_eq!(id.as_deref(), Some("1:1"));
        assert!(matches!(snapshot, ServerFrame::Snapshot(..)));
        node.stage().put(true);
        let (id, delta) = events.next().await;
        assert!(matches!(delta, ServerFrame::Delta(_)));
        drop(events);
        node.stage().put(false);
        let mut resumed = node.events("?instance=web&instance_id=i1", id.as_deref()).await;
        let (id, delta) = resumed.next().await;
        assert_eq!(id.as_deref(), Some("1:3"));
        assert!(matches!(delta, ServerFrame::Delta(delta) if delta.from.0 == 2));
    });
}

#[test]
fn nobody_speaks_for_another_key_s_instance_and_people_who_watch_are_not_counted() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut web = node.events("?instance=web&instance_id=i1&epoch=1&revision=1", None).await;
        web.event().await;
        // The same id with other keys.
        let mut other = node.events_as("other", "?instance=other&instance_id=i1&epoch=1&revision=1", None).await;
        other.event().await;
        let mut person = node.events_as("viewer", "?instance=person&instance_id=i1&epoch=1&revision=1", None).await;
        person.event().await;
        let mut watching = Client::connect_as(&node, "viewer", hello("person-ws", Some(Position::new(1, 1)))).await;
        watching.frame().await;
        assert_eq!(node.fleet.connections(&node.environment()).len(), 2);
        node.stage().put(true);
        web.next().await;
        watching.next().await;
        watching.ack(&node, Position::new(1, 2), vec![]).await;
        let body = serde_json::json!({"instance_id": "i1", "epoch": 1, "revision": 2, "hash": node.stage().served.hash});
        assert_eq!(node.post_ack_as("viewer", &body).await, 403);
        assert_eq!(node.post_ack_as("browser", &body).await, 403);
        assert_eq!(node.post_ack_as("other", &body).await, 204);
        let target = ConfirmationTarget::Revision(Position::new(1, 2));
        let half = node.fleet.report(&node.environment(), &target).unwrap();
        assert!(
            !half.is_settled(),
            "the other key's acknowledgement counts for its own instance alone: {half:?}"
        );
        assert_eq!(node.post_ack(&body).await, 204);
        let whole = node.fleet.wait(&node.environment(), &target, Duration::from_secs(5), None).await.unwrap();
        assert_eq!((whole.applied.connected, whole.applied.confirmed, whole.sent.connected), (2, 2, 0));
    });
}

#[test]
fn a_name_that_hides_something_is_refused() {
    HttpNode::run(Stage::new(1), async |node| {
        for name in ["a%0ACONFIRMED", "a%1B%5B2K", "a%C2%9B", "a%E2%80%AEb"] {
            let refused = node.get_status(&format!("/v1/stream?instance={name}&instance_id=i1"), "good").await;
            assert_eq!(refused, 400, "{name}");
        }
        let mut client = Client::connect(&node, hello("a\u{1b}[2K", None)).await;
        assert!(matches!(client.frame().await, ServerFrame::Goodbye(_)));
    });
}

#[test]
fn a_reader_of_events_acknowledges_by_post_and_one_that_cannot_counts_as_sent() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut acks = node.events("?instance=web&instance_id=i1&epoch=1&revision=1", None).await;
        let mut mute = node.events("?instance=mute&instance_id=i2&epoch=1&revision=1&acknowledges=false", None).await;
        acks.event().await;
        mute.event().await;
        node.stage().put(true);
        acks.next().await;
        mute.next().await;
        let hash = node.stage().served.hash;
        let body = serde_json::json!({"instance_id": "i1", "epoch": 1, "revision": 2, "hash": hash});
        assert_eq!(node.post_ack(&body).await, 204);
        let stranger = serde_json::json!({"instance_id": "i9", "epoch": 1, "revision": 2, "hash": hash});
        assert_eq!(node.post_ack(&stranger).await, 404);
        let target = ConfirmationTarget::Revision(Position::new(1, 2));
        let counted = node.fleet.wait(&node.environment(), &target, Duration::from_secs(5), None).await.unwrap();
        assert_eq!((counted.applied.connected, counted.applied.confirmed), (1, 1));
        assert_eq!((counted.sent.connected, counted.sent.confirmed), (1, 1));
    });
}

#[test]
fn a_poller_that_has_the_snapshot_is_told_so() {
    HttpNode::run(Stage::new(3), async |node| {
        let (status, tag, body) = node.snapshot(None).await;
        assert_eq!(status, 200);
        assert!(tag.starts_with("\"1:1-"), "{tag}");
        assert!(matches!(ServerFrame::parse(&body), Ok(ServerFrame::Snapshot(..))));
        assert_eq!(node.snapshot(Some(&tag)).await.0, 304);
        node.stage().overlay(Overlay {
            kills: [(fixture::kill(1, "flag-1").id, fixture::kill(1, "flag-1"))].into(),
            ended: [].into(),
        });
        assert_eq!(node.snapshot(Some(&tag)).await.0, 200, "the tag covers the overlay too");
    });
}

#[test]
fn a_revoked_key_ends_its_streams_and_no_others() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut kept = Client::connect_as(&node, "other", hello("kept", Some(Position::new(1, 1)))).await;
        let mut ended = Client::connect(&node, hello("ended", Some(Position::new(1, 1)))).await;
        kept.frame().await;
        ended.frame().await;
        node.streams.revoke("good");
        assert!(matches!(ended.next().await, ServerFrame::Goodbye(goodbye) if goodbye.retry == Some(false)));
        assert!(ended.is_closed().await);
        node.stage().put(true);
        assert!(matches!(kept.next().await, ServerFrame::Delta(_)));
    });
}

#[test]
fn without_a_valid_key_there_is_no_stream() {
    HttpNode::run(Stage::new(3), async |node| {
        assert_eq!(Client::refused(&node, "wrong").await, 401);
        assert_eq!(Client::refused(&node, "browser").await, 403);
        assert_eq!(node.get_status("/v1/stream", "wrong").await, 401);
        assert_eq!(node.get_status("/v1/stream?environment=elsewhere", "good").await, 403);
        assert_eq!(node.get_status("/v1/snapshot", "wrong").await, 401);
    });
}

#[test]
fn the_end_of_the_server_is_a_goodbye_that_asks_to_come_back() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut client = Client::connect(&node, hello("a", Some(Position::new(1, 1)))).await;
        let mut events = node.events("?epoch=1&revision=1", None).await;
        client.frame().await;
        events.event().await;
        let closing = node.streams.close(Duration::from_secs(7), Duration::from_secs(5));
        let seen = async {
            assert!(matches!(client.next().await, ServerFrame::Goodbye(goodbye) if goodbye.retry_after_ms == Some(7_000)));
            assert!(matches!(events.next().await, (_, ServerFrame::Goodbye(_))));
            assert!(client.is_closed().await);
        };
        tokio::join!(closing, seen);
        assert_eq!(node.streams.open(), 0);
        assert_eq!(Client::refused(&node, "good").await, 503);
    });
}

#[test]
fn what_is_no_frame_ends_the_stream_with_the_reason() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut client = Client::connect(&node, hello("a", Some(Position::new(1, 1)))).await;
        client.frame().await;
        client.send_text(r#"{"type":"snapshto"}"#).await;
        assert!(matches!(client.next().await, ServerFrame::Goodbye(goodbye) if goodbye.why.contains("not a frame")));
        assert!(client.is_closed().await);
        eventually(|| node.streams.open() == 0).await;
    });
}

#[test]
fn a_deleted_environment_sends_its_readers_away() {
    HttpNode::run(Stage::new(3), async |node| {
        let mut client = Client::connect(&node, hello("a", Some(Position::new(1, 1)))).await;
        client.frame().await;
        let environment = node.environment();
        node.stage().board.remove(&environment);
        assert!(matches!(client.next().await, ServerFrame::Goodbye(goodbye) if goodbye.retry == Some(false)));
        assert_eq!(Client::refused(&node, "good").await, 404);
    });
}

#[test]
fn a_stuck_reader_delays_nobody_and_gets_the_newest_when_it_reads_again() {
    HttpNode::run(Stage::new(2_000), async |node| {
        let mut stuck = Client::connect(&node, hello("stuck", None)).await;
        let mut quick = Client::connect(&node, hello("quick", Some(Position::new(1, 1)))).await;
        quick.frame().await;
        for round in 0..200u64 {
            node.stage().put(round % 2 == 0);
            let ServerFrame::Delta(delta) = quick.next().await else {
                panic!("the quick one gets deltas");
            };
            assert!(delta.to.revision.0 <= round + 2);
        }
        let mut frames = 0;
        let mut at = Position::START;
        while at < Position::new(1, 201) {
            frames += 1;
            at = match stuck.next().await {
                ServerFrame::Snapshot(snapshot, ..) | ServerFrame::Superseding(snapshot, ..) => snapshot.position,
                ServerFrame::Delta(delta) => delta.to,
                ServerFrame::Overlay(_) | ServerFrame::Heartbeat(_) | ServerFrame::Goodbye(_) => at,
            };
        }
        assert!(frames <= 200, "{frames} frames");
    });
}

#[test]
fn a_stuck_reader_of_events_gets_whole_frames_and_the_newest_when_it_reads_again() {
    HttpNode::run(Stage::new(2_000), async |node| {
        let mut stuck = node.events("?instance=stuck&instance_id=i1", None).await;
        let mut quick = node.events("?instance=quick&instance_id=i2", None).await;
        quick.next().await;
        for _ in 0..40 {
            node.stage().next_epoch();
            assert!(matches!(quick.next().await.1, ServerFrame::Snapshot(..)));
        }
        let mut positions = vec![Position::START];
        while positions.last() < Some(&Position::new(41, 1)) {
            let (_, frame) = stuck.next().await;
            assert!(matches!(&frame, ServerFrame::Snapshot(snapshot, ..) if snapshot.flags.len() == 2_000));
            if let ServerFrame::Snapshot(snapshot, ..) = frame {
                positions.push(snapshot.position);
            }
        }
        assert!(positions.is_sorted(), "{positions:?}");
        assert!(positions.len() < 40, "{positions:?}");
    });
}
