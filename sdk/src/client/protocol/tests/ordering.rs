//! The normal case, reconnects and heartbeats.

use super::world::frame_of;
use super::*;

#[test]
fn the_first_state_is_applied_and_then_acknowledged() {
    let world = World::new();
    let mut harness = Harness::connected();
    assert_eq!(harness.state(), State::Connecting);
    harness.hear(&world.frame());
    assert_eq!(harness.state(), State::Ready);
    let applied = harness.done.iter().position(|effect| matches!(effect, Effect::Apply(_))).unwrap();
    let acked = harness
        .done
        .iter()
        .position(|effect| matches!(effect, Effect::Send(ClientFrame::Ack(_))))
        .unwrap();
    assert!(applied < acked);
    let acks = harness.acks();
    assert_eq!(acks.len(), 1);
    assert_eq!((acks[0].revision, acks[0].hash), (world.position().revision, world.hash()));
}

#[test]
fn a_delta_that_starts_here_is_applied_without_compiling_the_rest() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    harness.hear(&frame_of(&world.put("other", true)));
    let Some(Effect::Apply(apply)) = harness.done.iter().find(|effect| matches!(effect, Effect::Apply(_))) else {
        panic!("it is applied");
    };
    let crate::client::changes::Recompile::Only(touched) = &apply.diff.recompile else {
        panic!("only what changed is compiled");
    };
    assert_eq!(touched.flags.iter().map(ripcord_proto::FlagKey::as_str).collect::<Vec<_>>(), ["other"]);
    assert_eq!(harness.position(), Some(world.position()));
}

#[test]
fn ordinary_revisions_in_a_burst_share_an_acknowledgement_and_a_kill_never_waits() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    harness.pass(Duration::from_secs(1));
    harness.forget();
    for _ in 0..10 {
        harness.hear(&frame_of(&world.put("checkout", true)));
    }
    assert_eq!(harness.acks().len(), 1, "the first at once");
    harness.hear(&frame_of(&world.commit(&world::kill(1, "checkout"))));
    assert_eq!(harness.acks().last().unwrap().revision, world.position().revision);
    harness.hear(&frame_of(&world.put("other", true)));
    assert_eq!(harness.acks(), []);
    harness.pass(Duration::from_millis(100));
    assert_eq!(harness.acks().last().unwrap().revision, world.position().revision);
}

#[test]
fn a_new_stream_begins_with_what_the_client_has() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    harness.lose();
    assert_eq!(harness.state(), State::Stale);
    let hello = harness.connect();
    assert_eq!((hello.position(), hello.hash), (Some(world.position()), Some(world.hash())));
    assert_eq!(harness.state(), State::Stale, "an open stream alone proves nothing");
    harness.hear(&world.heartbeat(true));
    assert_eq!(harness.state(), State::Ready);
    assert_eq!(harness.applies(), 0);
    assert_eq!(harness.acks().len(), 1, "the server learns which provisional kills are in force");
}

#[test]
fn a_silent_stream_is_given_up() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    harness.pass(Duration::from_secs(44));
    assert_eq!(harness.state(), State::Ready);
    harness.pass(Duration::from_secs(1));
    assert_eq!((harness.state(), harness.disconnects()), (State::Stale, 1));
    assert_eq!(harness.error(), Some(ConnectionError::Silent(Duration::from_secs(45))));
    harness.connect();
}

#[test]
fn the_client_gives_a_sign_of_life_now_and_then() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    for _ in 0..4 {
        harness.pass(Duration::from_secs(15));
        harness.hear(&world.heartbeat(true));
    }
    let beats = harness
        .done
        .iter()
        .filter(|effect| matches!(effect, Effect::Send(ClientFrame::Heartbeat(_))))
        .count();
    assert_eq!(beats, 4);
}

#[test]
fn a_goodbye_with_a_time_is_honoured() {
    let world = World::new();
    for _ in 0..20 {
        let mut harness = Harness::ready(&world);
        harness.hear(&goodbye(None, Some(8_000)));
        assert_eq!((harness.state(), harness.disconnects()), (State::Stale, 1));
        let parted = harness.now;
        harness.connect();
        let wait = harness.now.since(parted.instant);
        assert!((Duration::from_secs(8)..=Duration::from_secs(16)).contains(&wait), "{wait:?}");
    }
}

#[test]
fn a_refused_client_says_so_and_tries_again_slowly() {
    let mut harness = Harness::new();
    harness.protocol.due(harness.now);
    harness.protocol.lost(
        StreamError::Refused {
            status: 401,
            detail: "unknown key".to_owned(),
        },
        harness.now,
    );
    harness.forget();
    assert_eq!(
        harness.error(),
        Some(ConnectionError::Refused {
            status: 401,
            detail: "unknown key".to_owned()
        })
    );
    assert_eq!(harness.state(), State::Unauthorised);
    let refused = harness.now;
    harness.connect();
    assert!(harness.now.since(refused.instant) >= Duration::from_secs(30));
}

#[test]
fn a_goodbye_for_good_is_tried_again_slowly() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    harness.hear(&goodbye(Some(false), None));
    let parted = harness.now;
    harness.connect();
    assert!(harness.now.since(parted.instant) >= Duration::from_secs(30));
}

#[test]
fn closing_says_goodbye_and_nothing_happens_after_it() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    harness.protocol.close(harness.now);
    harness.collect();
    assert!(harness.done.iter().any(|effect| matches!(effect, Effect::Send(ClientFrame::Goodbye(_)))));
    assert_eq!(harness.state(), State::Closed);
    harness.forget();
    harness.lose();
    harness.pass(Duration::from_hours(1));
    assert_eq!(harness.state(), State::Closed);
    assert_eq!(harness.done.len(), 0);
    harness.hear(&frame_of(&world.put("checkout", true)));
    assert_eq!((harness.state(), harness.applies()), (State::Closed, 0));
}

#[test]
fn a_frame_of_a_kind_that_only_newer_clients_know_is_skipped() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    harness.hear(r#"{"type":"weather","sunny":true}"#);
    assert_eq!((harness.state(), harness.resyncs()), (State::Ready, 0));
}

#[test]
fn the_state_is_compared_beside_the_stream_by_its_tag() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    for _ in 0..6 {
        harness.pass(Duration::from_secs(15));
        harness.hear(&world.heartbeat(true));
    }
    let tag = ripcord_proto::frame::snapshot_tag(world.position(), &world.hash(), &world.overlay).unwrap();
    let asked: Vec<_> = harness
        .done
        .iter()
        .filter_map(|effect| if let Effect::Fetch(tag) = effect { Some(tag.clone()) } else { None })
        .collect();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.as_ref() == Some(&tag)), "{asked:?}");
}

#[test]
fn a_snapshot_that_supersedes_the_position_of_the_client_is_taken_although_it_is_older() {
    let mut world = World::new();
    let older = world.clone();
    world.put("checkout", true);
    world.put("checkout", false);
    let ahead = world.position();
    let mut harness = Harness::ready(&world);
    harness.hear(&older.frame());
    assert_eq!(harness.position(), Some(ahead), "a node that is behind takes nothing back");
    harness.hear(&older.superseding(ripcord_proto::Position::new(1, 99)));
    assert_eq!(harness.position(), Some(ahead), "it was meant for another position");
    harness.hear(&older.superseding(ahead));
    assert_eq!((harness.position(), harness.state()), (Some(older.position()), State::Ready));
}
