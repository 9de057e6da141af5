//! What does not fit is never applied, and is healed within bounds.

use super::world::frame_of;
use super::*;

#[test]
fn a_gap_is_healed_by_a_snapshot_and_never_skipped_over() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    let before = bench.position();
    world.put("checkout", true);
    bench.hear(&frame_of(&world.put("other", true)));
    assert_eq!((bench.state(), bench.position(), bench.resyncs()), (State::Resyncing, before, 1));
    bench.hear(&frame_of(&world.put("third", true)));
    assert_eq!(bench.resyncs(), 1, "one was asked for already");
    bench.hear(&world.frame());
    assert_eq!((bench.state(), bench.position()), (State::Ready, Some(world.position())));
}

#[test]
fn a_delta_that_leads_elsewhere_than_it_says_is_not_applied() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    let before = bench.position();
    let mut delta = world.put("checkout", true);
    delta.hash = ripcord_proto::digest::Digest::ZERO;
    bench.hear(&frame_of(&delta));
    assert_eq!((bench.state(), bench.position(), bench.applies()), (State::Resyncing, before, 0));
}

#[test]
fn a_frame_that_cannot_be_read_may_have_been_a_kill() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    for garbage in [
        "",
        "{",
        "null",
        "[]",
        r#"{"type":"delta","epoch":1}"#,
        r#"{"type":"delta","epoch":1,"from":1,"revision":2,"hash":"x"}"#,
    ] {
        bench.hear(garbage);
        assert_eq!((bench.state(), bench.resyncs()), (State::Resyncing, 1), "{garbage}");
        bench.hear(&world.frame());
        assert_eq!(bench.state(), State::Ready);
        bench.forget();
    }
}

#[test]
fn states_that_disagree_with_themselves_again_and_again_are_asked_for_ever_more_rarely() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    let wrong = world
        .frame()
        .replace(&world.hash().to_string(), &ripcord_proto::digest::Digest::ZERO.to_string());
    for _ in 0..3 {
        bench.hear(&wrong);
        assert_eq!(bench.state(), State::Resyncing);
    }
    bench.hear(&wrong);
    assert_eq!(
        (bench.state(), bench.resyncs()),
        (State::Stale, 3),
        "the last good state stays, and the client says so"
    );
    assert_eq!(bench.position(), Some(world.position()));
    bench.forget();
    let mut asked = 0;
    for _ in 0..120 {
        bench.pass(Duration::from_secs(30));
        bench.protocol.heard(bench.now);
        let now = bench.resyncs();
        if now > asked {
            asked = now;
            bench.hear(&wrong);
        }
    }
    assert!((4..=20).contains(&asked), "{asked} times in an hour");
    bench.hear(&world.frame());
    assert_eq!(bench.state(), State::Ready);
}

#[test]
fn a_resync_that_is_not_answered_is_asked_for_again() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    world.put("checkout", true);
    bench.hear(&frame_of(&world.put("other", true)));
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.resyncs(), 2);
}

#[test]
fn the_position_never_goes_back_within_an_epoch() {
    let mut world = World::new();
    let old = world.frame();
    world.put("checkout", true);
    let mut bench = Bench::ready(&world);
    bench.hear(&old);
    assert_eq!((bench.position(), bench.applies()), (Some(world.position()), 0));
    assert_eq!(bench.state(), State::Stale);
    assert!(bench.trouble().contains("behind"), "{}", bench.trouble());
    bench.hear(&world.heartbeat(true));
    assert_eq!(bench.state(), State::Ready, "it has caught up");
}

#[test]
fn an_older_epoch_is_refused_and_a_newer_one_taken() {
    let mut world = World::new();
    let old = world.clone();
    world.next_epoch();
    let mut bench = Bench::ready(&old);
    bench.hear(&world.frame());
    assert_eq!((bench.state(), bench.position()), (State::Ready, Some(world.position())));
    let mut late = old.clone();
    bench.hear(&frame_of(&late.put("checkout", true)));
    bench.hear(&late.frame());
    assert_eq!(bench.position(), Some(world.position()));
}

#[test]
fn a_delta_of_another_epoch_does_not_fit() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    world.next_epoch();
    bench.hear(&frame_of(&world.put("checkout", true)));
    assert_eq!((bench.state(), bench.resyncs()), (State::Resyncing, 1));
}

#[test]
fn the_state_of_another_environment_is_refused() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    world.put("checkout", true);
    let other = world.frame().replacen("\"production\"", "\"staging\"", 1);
    bench.hear(&other);
    assert_eq!((bench.state(), bench.applies()), (State::Stale, 0));
    assert!(bench.trouble().contains("staging"), "{}", bench.trouble());
}

#[test]
fn a_node_whose_heartbeats_run_ahead_of_its_changes_is_asked_for_them() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    world.put("checkout", true);
    bench.hear(&world.heartbeat(true));
    assert_eq!(bench.state(), State::Ready, "the change may still be under way");
    bench.hear(&world.heartbeat(true));
    assert_eq!((bench.state(), bench.resyncs()), (State::Resyncing, 1));
}

#[test]
fn a_client_that_waits_to_be_let_in_does_not_ask_for_everything_anew() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    bench.lose();
    world.put("checkout", true);
    bench.connect();
    for _ in 0..5 {
        bench.hear(&world.heartbeat(true));
    }
    assert_eq!((bench.state(), bench.resyncs()), (State::Stale, 0));
}

#[test]
fn a_stream_that_is_silent_about_changes_is_given_up_once_that_was_seen_twice() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    world.put("checkout", true);
    bench.protocol.fetched(Fetched::State(world.frame()), bench.now);
    bench.collect();
    assert_eq!(
        (bench.position(), bench.disconnects()),
        (Some(world.position()), 0),
        "what came beside the stream is in force"
    );
    bench.hear(&frame_of(&world.put("other", true)));
    world.put("third", true);
    bench.protocol.fetched(Fetched::State(world.frame()), bench.now);
    bench.collect();
    assert_eq!(bench.disconnects(), 0, "the stream had shown the first one");
    world.put("fourth", true);
    bench.protocol.fetched(Fetched::State(world.frame()), bench.now);
    bench.collect();
    assert_eq!((bench.disconnects(), bench.state()), (1, State::Stale));
}

#[test]
fn a_delta_that_came_by_another_way_already_is_only_confirmed() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    let delta = frame_of(&world.put("checkout", true));
    bench.protocol.fetched(Fetched::State(world.frame()), bench.now);
    bench.forget();
    bench.hear(&delta);
    assert_eq!((bench.state(), bench.resyncs(), bench.applies()), (State::Ready, 0, 0));
}
