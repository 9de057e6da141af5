//! The straight line, reconnects, and the signs of life.

use super::world::frame_of;
use super::*;

#[test]
fn the_first_state_is_applied_and_then_acknowledged() {
    let world = World::new();
    let mut bench = Bench::connected();
    assert_eq!(bench.state(), State::Connecting);
    bench.hear(&world.frame());
    assert_eq!(bench.state(), State::Ready);
    let applied = bench.done.iter().position(|effect| matches!(effect, Effect::Apply(_))).unwrap();
    let acked = bench
        .done
        .iter()
        .position(|effect| matches!(effect, Effect::Send(ClientFrame::Ack(_))))
        .unwrap();
    assert!(applied < acked);
    let acks = bench.acks();
    assert_eq!(acks.len(), 1);
    assert_eq!((acks[0].revision, acks[0].hash), (world.position().revision, world.hash()));
}

#[test]
fn a_delta_that_starts_here_is_applied_without_compiling_the_rest() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    bench.hear(&frame_of(&world.put("other", true)));
    let Some(Effect::Apply(apply)) = bench.done.iter().find(|effect| matches!(effect, Effect::Apply(_))) else {
        panic!("it is applied");
    };
    let crate::client::changes::Step::From(touched) = &apply.difference.step else {
        panic!("only what changed is compiled");
    };
    assert_eq!(touched.flags.iter().map(ripcord_proto::FlagKey::as_str).collect::<Vec<_>>(), ["other"]);
    assert_eq!(bench.position(), Some(world.position()));
}

#[test]
fn ordinary_revisions_in_a_burst_share_an_acknowledgement_and_a_kill_never_waits() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    bench.pass(Duration::from_secs(1));
    bench.forget();
    for _ in 0..10 {
        bench.hear(&frame_of(&world.put("checkout", true)));
    }
    assert_eq!(bench.acks().len(), 1, "the first at once");
    bench.hear(&frame_of(&world.commit(&world::kill(1, "checkout"))));
    assert_eq!(bench.acks().last().unwrap().revision, world.position().revision);
    bench.hear(&frame_of(&world.put("other", true)));
    assert_eq!(bench.acks(), []);
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.acks().last().unwrap().revision, world.position().revision);
}

#[test]
fn a_new_stream_begins_with_what_the_client_has() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    bench.lose();
    assert_eq!(bench.state(), State::Stale);
    let hello = bench.connect();
    assert_eq!((hello.position(), hello.hash), (Some(world.position()), Some(world.hash())));
    assert_eq!(bench.state(), State::Stale, "an open stream alone proves nothing");
    bench.hear(&world.heartbeat(true));
    assert_eq!(bench.state(), State::Ready);
    assert_eq!(bench.applies(), 0);
    assert_eq!(bench.acks().len(), 1, "the server learns which provisional kills are in force");
}

#[test]
fn a_silent_stream_is_given_up() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    bench.pass(Duration::from_secs(44));
    assert_eq!(bench.state(), State::Ready);
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.state(), bench.disconnects()), (State::Stale, 1));
    assert_eq!(bench.trouble(), "nothing was heard from the server for 45 s");
    bench.connect();
}

#[test]
fn the_client_gives_a_sign_of_life_now_and_then() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    for _ in 0..4 {
        bench.pass(Duration::from_secs(15));
        bench.hear(&world.heartbeat(true));
    }
    let beats = bench
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
        let mut bench = Bench::ready(&world);
        bench.hear(&goodbye(None, Some(8_000)));
        assert_eq!((bench.state(), bench.disconnects()), (State::Stale, 1));
        let parted = bench.now;
        bench.connect();
        let wait = bench.now.since(parted.instant);
        assert!((Duration::from_secs(8)..=Duration::from_secs(16)).contains(&wait), "{wait:?}");
    }
}

#[test]
fn a_refused_client_says_so_and_tries_again_slowly() {
    let mut bench = Bench::new();
    bench.protocol.due(bench.now);
    bench.protocol.lost(
        Lost::Refused {
            status: 401,
            detail: "a valid key is needed".to_owned(),
        },
        bench.now,
    );
    bench.forget();
    assert_eq!(
        bench.trouble(),
        "the server refused this client (401): a valid key is needed; check the key and its environments"
    );
    let refused = bench.now;
    bench.connect();
    assert!(bench.now.since(refused.instant) >= Duration::from_secs(30));
}

#[test]
fn a_goodbye_for_good_is_tried_again_slowly() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    bench.hear(&goodbye(Some(false), None));
    let parted = bench.now;
    bench.connect();
    assert!(bench.now.since(parted.instant) >= Duration::from_secs(30));
}

#[test]
fn closing_says_goodbye_and_nothing_happens_after_it() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    bench.protocol.close(bench.now);
    bench.collect();
    assert!(bench.done.iter().any(|effect| matches!(effect, Effect::Send(ClientFrame::Goodbye(_)))));
    assert_eq!(bench.state(), State::Closed);
    bench.forget();
    bench.lose();
    bench.pass(Duration::from_hours(1));
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.done.len(), 0);
    bench.hear(&frame_of(&world.put("checkout", true)));
    assert_eq!((bench.state(), bench.applies()), (State::Closed, 0));
}

#[test]
fn a_frame_of_a_kind_that_only_newer_clients_know_is_skipped() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    bench.hear(r#"{"type":"weather","sunny":true}"#);
    assert_eq!((bench.state(), bench.resyncs()), (State::Ready, 0));
}

#[test]
fn the_state_is_compared_beside_the_stream_by_its_tag() {
    let world = World::new();
    let mut bench = Bench::ready(&world);
    for _ in 0..6 {
        bench.pass(Duration::from_secs(15));
        bench.hear(&world.heartbeat(true));
    }
    let tag = ripcord_proto::frame::snapshot_tag(world.position(), &world.hash(), &world.overlay).unwrap();
    let asked: Vec<_> = bench
        .done
        .iter()
        .filter_map(|effect| if let Effect::Fetch(tag) = effect { Some(tag.clone()) } else { None })
        .collect();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.as_ref() == Some(&tag)), "{asked:?}");
}
