//! The rules of the overlay: what puts a kill into it, and what takes it out. They are functions of what is known, and do no I/O.

use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{Kill, KillId, Snapshot};

use crate::commit::state::EnvironmentState;

/// How the log has settled a kill, if it has: it is in force there with all that it covers, or it has ended. An id that has ended
/// never comes back.
pub(crate) fn settled(kill: &Kill, state: &EnvironmentState) -> Option<KillEnd> {
    if state.ended_kills.contains(&kill.id) {
        return Some(KillEnd::Restored);
    }
    let committed = state.snapshot.kills.value(kill.id.as_str())?;
    committed.flags.is_superset(&kill.flags).then_some(KillEnd::Merged)
}

/// Removes provisional kills that the log has settled from the overlay. Returns whether there were any.
pub(crate) fn settle(overlay: &mut Overlay, state: &EnvironmentState) -> bool {
    let how = |kill: &Kill| Some((kill.id.clone(), settled(kill, state)?));
    let ended: Vec<(KillId, KillEnd)> = overlay.kills.values().filter_map(how).collect();
    for (id, how) in &ended {
        end(overlay, id, *how);
    }
    !ended.is_empty()
}

/// Puts a kill in force.
pub(crate) fn put(overlay: &mut Overlay, kill: Kill) {
    // Both in force and ended would be lifted by a reader that catches up.
    overlay.ended.remove(&kill.id);
    overlay.kills.insert(kill.id.clone(), kill);
}

/// Ends a kill of the overlay. Returns whether it was in force there.
pub(crate) fn end(overlay: &mut Overlay, id: &KillId, how: KillEnd) -> bool {
    let was_in_force = overlay.kills.remove(id).is_some();
    if was_in_force {
        overlay.ended.insert(id.clone(), how);
    }
    was_in_force
}

/// The overlay after a state with the kills of `before` was replaced by `after`: a kill that the new log neither has nor has ended
/// stays in force until it is merged.
pub(crate) fn replaced(overlay: &Overlay, before: &Snapshot, after: &EnvironmentState) -> Overlay {
    let mut overlay = overlay.clone();
    for kill in before.kills.iter().filter_map(|entry| entry.value().ok()) {
        if settled(kill, after).is_none() && overlay.ended.get(&kill.id) != Some(&KillEnd::Withdrawn) {
            put(&mut overlay, kill.clone());
        }
    }
    settle(&mut overlay, after);
    overlay
}
