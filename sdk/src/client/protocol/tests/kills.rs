//! Provisional kills are kept until a frame says how they ended.

use ripcord_proto::Kill;
use ripcord_proto::frame::KillEnd;

use super::world::{frame_of, kill};
use super::*;

/// In sync, with one provisional kill in force.
fn killed() -> (Harness, World, Kill) {
    let mut world = World::new();
    let kill = kill(1, "checkout");
    let mut harness = Harness::ready(&world);
    world.overlay.kills.insert(kill.id.clone(), kill.clone());
    harness.hear(&world.overlay_frame());
    (harness, world, kill)
}

/// The state of a node that does not know the kill.
fn ignorant(world: &World) -> World {
    World {
        overlay: Overlay::default(),
        ..world.clone()
    }
}

fn ended(world: &World, kill: &Kill, how: KillEnd) -> World {
    let mut world = ignorant(world);
    world.overlay.ended.insert(kill.id.clone(), how);
    world
}

#[test]
fn a_provisional_kill_is_applied_kept_on_disk_and_confirmed_by_its_id_at_once() {
    let (mut harness, world, kill) = killed();
    assert_eq!(harness.applies(), 1);
    assert!(harness.done.iter().any(|effect| matches!(effect, Effect::Cache(Urgency::Urgent))));
    let acks = harness.acks();
    assert_eq!(acks.last().unwrap().kills, [kill.id]);
    assert_eq!(acks.last().unwrap().revision, world.position().revision);
}

#[test]
fn a_node_that_does_not_know_of_a_kill_cannot_lift_it() {
    let (mut harness, mut world, kill) = killed();
    harness.lose();
    harness.connect();
    world.put("other", true);
    harness.hear(&ignorant(&world).frame());
    harness.hear(&ignorant(&world).overlay_frame());
    harness.hear(&world.heartbeat(true));
    assert_eq!(harness.kills(), [kill.id]);
}

#[test]
fn a_kill_that_was_restored_or_withdrawn_is_let_go() {
    for how in [KillEnd::Restored, KillEnd::Withdrawn] {
        let (mut harness, world, kill) = killed();
        harness.forget();
        harness.hear(&ended(&world, &kill, how).overlay_frame());
        assert_eq!((harness.kills().len(), harness.applies()), (0, 1));
    }
}

#[test]
fn between_the_provisional_kill_and_the_committed_one_lies_no_moment() {
    let (mut harness, mut world, kill) = killed();
    harness.hear(&ended(&world, &kill, KillEnd::Merged).overlay_frame());
    assert_eq!(harness.kills(), std::slice::from_ref(&kill.id), "the revision that holds it has not come");
    harness.hear(&frame_of(&world.commit(&kill)));
    assert_eq!(harness.kills(), [], "it is in force as a committed one");
    harness.hear(&frame_of(&world.restore(&kill.id)));
    assert_eq!(harness.kills(), []);
}

#[test]
fn a_kill_that_was_merged_and_restored_while_the_client_was_away_is_let_go_once_it_has_caught_up() {
    let (mut harness, mut world, kill) = killed();
    world.commit(&kill);
    world.restore(&kill.id);
    harness.lose();
    harness.connect();
    let after = ended(&world, &kill, KillEnd::Merged);
    harness.hear(&after.overlay_frame());
    assert_eq!(harness.kills(), [kill.id]);
    harness.hear(&after.frame());
    assert_eq!(harness.kills(), []);
}

#[test]
fn a_committed_snapshot_that_holds_the_id_takes_over() {
    let (mut harness, mut world, kill) = killed();
    world.commit(&kill);
    harness.hear(&ignorant(&world).frame());
    assert_eq!(harness.kills(), []);
    let held = harness.protocol.held().unwrap();
    assert!(held.snapshot.kills.get(kill.id.as_str()).is_some());
}

#[test]
fn a_state_that_is_compiled_anew_has_the_kill_on_it_too() {
    let (mut harness, mut world, kill) = killed();
    harness.forget();
    harness.hear(&frame_of(&world.rebucket(ripcord_proto::settings::Bucketing::V2)));
    let overlay = harness.done.iter().find_map(|effect| {
        if let Effect::Apply(apply) = effect {
            apply.diff.overlay.clone()
        } else {
            None
        }
    });
    assert_eq!(overlay, Some(vec![kill]));
}

#[test]
fn a_kill_is_kept_over_a_restart_whatever_the_start_policy() {
    let (harness, world, kill) = killed();
    let overlay = harness.protocol.overlay();
    let mut restarted = Harness::new();
    restarted.protocol.restore_kills(&overlay);
    restarted.connect();
    restarted.hear(&ignorant(&world).frame());
    assert_eq!(restarted.kills(), [kill.id]);
}

#[test]
fn a_kill_that_is_said_to_be_in_force_and_ended_at_once_has_ended() {
    let (mut harness, mut world, kill) = killed();
    world.overlay.ended.insert(kill.id.clone(), KillEnd::Restored);
    harness.hear(&world.overlay_frame());
    assert_eq!(harness.kills(), []);
}

#[test]
fn an_overlay_that_comes_before_any_state_is_kept_for_it() {
    let (_, world, kill) = killed();
    let mut harness = Harness::connected();
    harness.hear(&world.overlay_frame());
    harness.hear(&ignorant(&world).frame());
    assert_eq!(harness.kills(), [kill.id]);
}
