//! Leases expire without contact, and only heartbeats marked `fresh` renew them.

use super::*;

/// In sync with a flag whose lease is a minute.
fn leased() -> (Harness, World) {
    let mut world = World::new();
    world.put_leased("risky", true, Some(60));
    let mut harness = Harness::ready(&world);
    harness.hear(&world.heartbeat(true));
    harness.forget();
    (harness, world)
}

fn since_contact(harness: &Harness) -> Option<u32> {
    harness
        .done
        .iter()
        .rev()
        .find_map(|effect| if let Effect::SinceContact(seconds) = effect { Some(*seconds) } else { None })
}

#[test]
fn a_lease_runs_out_when_its_time_is_up_whether_connected_or_not() {
    let (mut harness, world) = leased();
    for _ in 0..5 {
        harness.pass(Duration::from_secs(11));
        harness.hear(&world.heartbeat(false));
    }
    assert_eq!(since_contact(&harness), None, "55 s");
    harness.pass(Duration::from_secs(5));
    assert_eq!(since_contact(&harness), Some(60));
    harness.hear(&world.heartbeat(true));
    assert_eq!(since_contact(&harness), Some(0));
}

#[test]
fn a_node_that_is_behind_renews_no_lease() {
    let (mut harness, mut world) = leased();
    let behind = world.clone();
    world.put("other", true);
    harness.hear(&world.frame());
    harness.pass(Duration::from_secs(30));
    harness.hear(&behind.heartbeat(true));
    harness.pass(Duration::from_secs(30));
    assert_eq!(since_contact(&harness), Some(60));
}

#[test]
fn each_lease_runs_out_at_its_own_time() {
    let (mut harness, mut world) = leased();
    world.put_leased("riskier", true, Some(10));
    harness.hear(&world.frame());
    harness.pass(Duration::from_secs(10));
    assert_eq!(since_contact(&harness), Some(10));
    harness.pass(Duration::from_secs(50));
    assert_eq!(since_contact(&harness), Some(60));
}

#[test]
fn a_lease_that_comes_too_late_is_told_before_it_is_served() {
    let mut world = World::new();
    let mut harness = Harness::ready(&world);
    harness.pass(Duration::from_secs(20));
    harness.protocol.heard(harness.now);
    harness.forget();
    world.put_leased("risky", true, Some(10));
    harness.hear(&world.frame());
    let told = harness.done.iter().position(|effect| matches!(effect, Effect::SinceContact(20))).unwrap();
    let applied = harness.done.iter().position(|effect| matches!(effect, Effect::Apply(_))).unwrap();
    assert!(told < applied);
}

/// Restarted from a cache whose last fresh heartbeat is `ago`.
fn restarted(ago: jiff::SignedDuration) -> Harness {
    let (harness, _) = leased();
    let held = harness.protocol.held().unwrap().clone();
    let mut restarted = Harness::new();
    let last_fresh = Some(restarted.now.wall - ago);
    let restored = Restored {
        state: held,
        overlay: Overlay::default(),
        last_fresh,
    };
    restarted.protocol.restore(restored, restarted.now);
    restarted.collect();
    restarted
}

#[test]
fn a_restart_does_not_renew_a_lease() {
    let mut harness = restarted(jiff::SignedDuration::from_secs(50));
    assert_eq!(since_contact(&harness), None);
    harness.pass(Duration::from_secs(10));
    assert_eq!(since_contact(&harness), Some(60));
}

#[test]
fn a_clock_that_went_back_counts_as_run_out() {
    let harness = restarted(jiff::SignedDuration::from_secs(-5));
    assert_eq!(since_contact(&harness), Some(u32::MAX));
}

#[test]
fn fresh_heartbeats_are_written_down_often_enough_for_the_shortest_lease() {
    let (mut harness, world) = leased();
    for _ in 0..8 {
        harness.pass(Duration::from_secs(15));
        harness.hear(&world.heartbeat(true));
    }
    let written = harness.done.iter().filter(|effect| matches!(effect, Effect::Cache(_))).count();
    assert_eq!(written, 8);
}
