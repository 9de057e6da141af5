//! An update that does not fit is never applied, and the client recovers from it with a limited number of requests.

use super::world::frame_of;
use super::*;

#[test]
fn a_gap_is_healed_by_a_snapshot_and_never_skipped_over() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    let before = harness.position();
    world.put("checkout", true);
    harness.hear(&frame_of(&world.put("other", true)));
    assert_eq!((harness.state(), harness.position(), harness.resyncs()), (State::Resyncing, before, 1));
    harness.hear(&frame_of(&world.put("third", true)));
    assert_eq!(harness.resyncs(), 1, "one was asked for already");
    harness.hear(&world.frame());
    assert_eq!((harness.state(), harness.position()), (State::Ready, Some(world.position())));
}

#[test]
fn a_delta_that_leads_elsewhere_than_it_says_is_not_applied() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    let before = harness.position();
    let mut delta = world.put("checkout", true);
    delta.hash = ripcord_proto::digest::Digest::ZERO;
    harness.hear(&frame_of(&delta));
    assert_eq!((harness.state(), harness.position(), harness.applies()), (State::Resyncing, before, 0));
}

#[test]
fn a_frame_that_cannot_be_read_may_have_been_a_kill() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    for garbage in [
        "",
        "{",
        "null",
        "[]",
        r#"{"type":"delta","epoch":1}"#,
        r#"{"type":"delta","epoch":1,"from":1,"revision":2,"hash":"x"}"#,
    ] {
        harness.hear(garbage);
        assert_eq!((harness.state(), harness.resyncs()), (State::Resyncing, 1), "{garbage}");
        harness.hear(&world.frame());
        assert_eq!(harness.state(), State::Ready);
        harness.forget();
    }
}

#[test]
fn states_that_disagree_with_themselves_again_and_again_are_asked_for_ever_more_rarely() {
    let world = World::new();
    let mut harness = Harness::ready(&world);
    let wrong = world
        .frame()
        .replace(&world.hash().to_string(), &ripcord_proto::digest::Digest::ZERO.to_string());
    for _ in 0..3 {
        harness.hear(&wrong);
        assert_eq!(harness.state(), State::Resyncing);
    }
    harness.hear(&wrong);
    assert_eq!(
        (harness.state(), harness.resyncs()),
        (State::Stale, 3),
        "the last good state stays, and the client says so"
    );
    assert_eq!(harness.position(), Some(world.position()));
    harness.forget();
    let mut asked = 0;
    for _ in 0..120 {
        harness.pass(Duration::from_secs(30));
        harness.protocol.heard(harness.now);
        let now = harness.resyncs();
        if now > asked {
            asked = now;
            harness.hear(&wrong);
        }
    }
    assert!((4..=20).contains(&asked), "{asked} times in an hour");
    harness.hear(&world.frame());
    assert_eq!(harness.state(), State::Ready);
}

#[test]
fn a_resync_that_is_not_answered_is_asked_for_again() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    world.put("checkout", true);
    harness.hear(&frame_of(&world.put("other", true)));
    harness.pass(Duration::from_secs(11));
    assert_eq!(harness.resyncs(), 2);
}

#[test]
fn the_position_never_goes_back_within_an_epoch() {
    let mut world = World::new();
    let old = world.frame();
    world.put("checkout", true);
    let mut harness = Harness::ready(&world);
    harness.hear(&old);
    assert_eq!((harness.position(), harness.applies()), (Some(world.position()), 0));
    assert_eq!(harness.state(), State::Stale);
    assert!(matches!(harness.error(), Some(ConnectionError::Behind { .. })), "{:?}", harness.error());
    harness.hear(&world.heartbeat(true));
    assert_eq!(harness.state(), State::Ready, "it has caught up");
}

#[test]
fn an_older_epoch_is_refused_and_a_newer_one_taken() {
    let mut world = World::new();
    let old = world.clone();
    world.next_epoch();
    let mut harness = Harness::ready(&old);
    harness.hear(&world.frame());
    assert_eq!((harness.state(), harness.position()), (State::Ready, Some(world.position())));
    let mut late = old.clone();
    harness.hear(&frame_of(&late.put("checkout", true)));
    harness.hear(&late.frame());
    assert_eq!(harness.position(), Some(world.position()));
}

#[test]
fn a_delta_of_another_epoch_does_not_fit() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    world.next_epoch();
    harness.hear(&frame_of(&world.put("checkout", true)));
    assert_eq!((harness.state(), harness.resyncs()), (State::Resyncing, 1));
}

#[test]
fn the_state_of_another_environment_is_refused() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    world.put("checkout", true);
    let other = world.frame().replacen("\"production\"", "\"staging\"", 1);
    harness.hear(&other);
    assert_eq!((harness.state(), harness.applies()), (State::Stale, 0));
    assert!(
        matches!(harness.error(), Some(ConnectionError::OtherEnvironment { ref received, .. }) if received.as_str() == "staging"),
        "{:?}",
        harness.error()
    );
}

#[test]
fn a_node_whose_heartbeats_run_ahead_of_its_changes_is_asked_for_them() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    world.put("checkout", true);
    harness.hear(&world.heartbeat(true));
    assert_eq!(harness.state(), State::Ready, "the change may still be under way");
    harness.hear(&world.heartbeat(true));
    assert_eq!((harness.state(), harness.resyncs()), (State::Resyncing, 1));
}

#[test]
fn a_client_that_waits_to_be_let_in_does_not_ask_for_everything_anew() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    harness.lose();
    world.put("checkout", true);
    harness.connect();
    for _ in 0..5 {
        harness.hear(&world.heartbeat(true));
    }
    assert_eq!((harness.state(), harness.resyncs()), (State::Stale, 0));
}

#[test]
fn a_stream_that_is_silent_about_changes_is_given_up_once_that_was_seen_twice() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    world.put("checkout", true);
    harness.protocol.fetched(FetchResult::State(world.frame()), harness.now);
    harness.collect();
    assert_eq!(
        (harness.position(), harness.disconnects()),
        (Some(world.position()), 0),
        "what came temporary the stream is in force"
    );
    harness.hear(&frame_of(&world.put("other", true)));
    world.put("third", true);
    harness.protocol.fetched(FetchResult::State(world.frame()), harness.now);
    harness.collect();
    assert_eq!(harness.disconnects(), 0, "the stream had shown the first one");
    world.put("fourth", true);
    harness.protocol.fetched(FetchResult::State(world.frame()), harness.now);
    harness.collect();
    assert_eq!((harness.disconnects(), harness.state()), (1, State::Stale));
}

#[test]
fn a_delta_that_came_by_another_way_already_is_only_confirmed() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    let delta = frame_of(&world.put("checkout", true));
    harness.protocol.fetched(FetchResult::State(world.frame()), harness.now);
    harness.forget();
    harness.hear(&delta);
    assert_eq!((harness.state(), harness.resyncs(), harness.applies()), (State::Ready, 0, 0));
}
