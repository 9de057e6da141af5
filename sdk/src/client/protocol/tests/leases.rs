//! Leases run out unheard, and only a node that vouches for itself renews them.

use super::*;

/// In sync with a flag whose lease is a minute.
fn leased() -> (Bench, World) {
    let mut world = World::new();
    world.put_leased("risky", true, Some(60));
    let mut bench = Bench::ready(&world);
    bench.hear(&world.heartbeat(true));
    bench.forget();
    (bench, world)
}

fn unheard(bench: &Bench) -> Option<u32> {
    bench
        .done
        .iter()
        .rev()
        .find_map(|effect| if let Effect::Unheard(seconds) = effect { Some(*seconds) } else { None })
}

#[test]
fn a_lease_runs_out_when_its_time_is_up_whether_connected_or_not() {
    let (mut bench, world) = leased();
    for _ in 0..5 {
        bench.pass(Duration::from_secs(11));
        bench.hear(&world.heartbeat(false));
    }
    assert_eq!(unheard(&bench), None, "55 s");
    bench.pass(Duration::from_secs(5));
    assert_eq!(unheard(&bench), Some(60));
    bench.hear(&world.heartbeat(true));
    assert_eq!(unheard(&bench), Some(0));
}

#[test]
fn a_node_that_is_behind_renews_no_lease() {
    let (mut bench, mut world) = leased();
    let behind = world.clone();
    world.put("other", true);
    bench.hear(&world.frame());
    bench.pass(Duration::from_secs(30));
    bench.hear(&behind.heartbeat(true));
    bench.pass(Duration::from_secs(30));
    assert_eq!(unheard(&bench), Some(60));
}

#[test]
fn each_lease_runs_out_at_its_own_time() {
    let (mut bench, mut world) = leased();
    world.put_leased("riskier", true, Some(10));
    bench.hear(&world.frame());
    bench.pass(Duration::from_secs(10));
    assert_eq!(unheard(&bench), Some(10));
    bench.pass(Duration::from_secs(50));
    assert_eq!(unheard(&bench), Some(60));
}

#[test]
fn a_lease_that_comes_too_late_is_told_before_it_is_served() {
    let mut world = World::new();
    let mut bench = Bench::ready(&world);
    bench.pass(Duration::from_secs(20));
    bench.protocol.heard(bench.now);
    bench.forget();
    world.put_leased("risky", true, Some(10));
    bench.hear(&world.frame());
    let told = bench.done.iter().position(|effect| matches!(effect, Effect::Unheard(20))).unwrap();
    let applied = bench.done.iter().position(|effect| matches!(effect, Effect::Apply(_))).unwrap();
    assert!(told < applied);
}

/// Restarted from a cache whose last fresh heartbeat is `ago`.
fn restarted(ago: jiff::SignedDuration) -> Bench {
    let (bench, _) = leased();
    let held = bench.protocol.held().unwrap().clone();
    let mut restarted = Bench::new();
    let last_fresh = Some(restarted.now.wall - ago);
    let restored = Restored {
        held,
        overlay: Overlay::default(),
        last_fresh,
    };
    restarted.protocol.restore(restored, restarted.now);
    restarted.collect();
    restarted
}

#[test]
fn a_restart_does_not_renew_a_lease() {
    let mut bench = restarted(jiff::SignedDuration::from_secs(50));
    assert_eq!(unheard(&bench), None);
    bench.pass(Duration::from_secs(10));
    assert_eq!(unheard(&bench), Some(60));
}

#[test]
fn a_clock_that_went_back_counts_as_run_out() {
    let bench = restarted(jiff::SignedDuration::from_secs(-5));
    assert_eq!(unheard(&bench), Some(u32::MAX));
}

#[test]
fn fresh_heartbeats_are_written_down_often_enough_for_the_shortest_lease() {
    let (mut bench, world) = leased();
    for _ in 0..8 {
        bench.pass(Duration::from_secs(15));
        bench.hear(&world.heartbeat(true));
    }
    let written = bench.done.iter().filter(|effect| matches!(effect, Effect::Cache(_))).count();
    assert_eq!(written, 8);
}
