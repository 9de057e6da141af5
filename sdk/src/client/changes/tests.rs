use super::*;
use crate::client::protocol::tests::world::{World, kill};

fn named(changes: &Changes) -> Vec<&str> {
    match changes {
        Changes::Everything => vec!["everything"],
        Changes::Flags(keys) => keys.iter().map(FlagKey::as_str).collect(),
    }
}

#[test]
fn a_delta_concerns_the_flags_that_it_puts_and_takes_out() {
    let mut world = World::new();
    let before = world.snapshot.clone();
    assert_eq!(named(&Changes::of_delta(&before, &world.put("other", true))), ["other"]);
    let before = world.snapshot.clone();
    assert_eq!(named(&Changes::of_delta(&before, &world.remove("checkout"))), ["checkout"]);
}

#[test]
fn a_kill_concerns_the_flags_that_it_covers_when_it_comes_and_when_it_goes() {
    let mut world = World::new();
    let before = world.snapshot.clone();
    let kill = kill(1, "checkout");
    assert_eq!(named(&Changes::of_delta(&before, &world.commit(&kill))), ["checkout"]);
    let before = world.snapshot.clone();
    assert_eq!(named(&Changes::of_delta(&before, &world.restore(&kill.id))), ["checkout"]);
}

#[test]
fn a_kill_of_everything_concerns_everything() {
    let mut everything = kill(1, "checkout");
    everything.scope = KillScope::All(ripcord_proto::kill::AllFlags);
    assert_eq!(Changes::of_kills([&everything]), Changes::Everything);
}

#[test]
fn other_settings_concern_everything_and_are_compiled_anew() {
    let mut world = World::new();
    let before = world.snapshot.clone();
    let mut delta = world.put("checkout", true);
    delta.changed.settings = Some(before.settings.clone());
    assert_eq!(Changes::of_delta(&before, &delta), Changes::Everything);
    assert!(matches!(Recompile::of_delta(&delta), Recompile::Everything));
}
