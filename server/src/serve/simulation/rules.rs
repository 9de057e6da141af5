//! The rules of a simulation.
//!
//! 1. A kill in force on a node stays in force there until someone restores it.
//! 2. A node that calls itself fresh serves no flag live that is covered by an answered kill, once the kill is older than [`GRACE`]:
//!    by its store, if the kill is in the log; by its peers, whatever they know.
//! 3. What a node knows, the peers that it reaches know.
//! 4. When everything works again, all nodes agree, every answered kill is in the log, and every restored one is lifted (unless Redis
//!    lost the restore).

use std::collections::BTreeSet;

use ripcord_proto::KillId;
use ripcord_proto::commit::Sealed;

use super::world::{SimulatedWorld, TICK};
use crate::peer::StoreStanding;

/// How long a node may call itself fresh without knowing of a kill: the shortest lease, in milliseconds.
const GRACE: u64 = 5_000;

/// The kills in force at the end of a log.
fn kills_in(entries: &[Sealed]) -> BTreeSet<KillId> {
    let mut kills = BTreeSet::new();
    for change in entries.iter().flat_map(|entry| &entry.commit.changes) {
        if let Some(kill) = change.kill() {
            kills.insert(kill.id.clone());
        } else if let Some(id) = change.restored() {
            kills.remove(id);
        }
    }
    kills
}

/// Notes who has which kill in force, and since when.
pub(super) fn note(world: &mut SimulatedWorld) {
    let now = world.now;
    let ids: Vec<KillId> = world.answered.keys().cloned().collect();
    let in_log = kills_in(&world.redis.entries);
    world.logged.retain(|id, _| in_log.contains(id));
    for id in in_log {
        world.logged.entry(id).or_insert(now);
    }
    for node in world.nodes.iter_mut().filter(|node| node.is_alive) {
        for id in &ids {
            if node.has_in_force(id) {
                node.in_force.entry(id.clone()).or_insert(now);
            }
        }
    }
}

/// Notes kills that no node has any more: those that were only in memory, or that Redis lost before any node had written them down.
pub(super) fn note_losses(world: &mut SimulatedWorld) {
    let in_redis = kills_in(&world.redis.entries);
    let mirrors: Vec<_> = world.nodes.iter().map(|node| kills_in(&node.mirror)).collect();
    // A kill that was restored is nowhere in force, and is not lost.
    for (id, answered) in world.answered.iter_mut().filter(|(_, answered)| !answered.may_have_ended) {
        let in_mirror = mirrors.iter().any(|kills| kills.contains(id));
        let in_memory = world.nodes.iter().any(|node| node.is_alive && node.has_in_force(id));
        let in_journal = world.nodes.iter().any(|node| node.journal.taker(id).is_some());
        answered.is_lost |= !(in_mirror || in_memory || in_journal || in_redis.contains(id));
    }
}

/// Rules 1 to 3.
pub(super) fn check(world: &SimulatedWorld) -> Result<(), String> {
    for (id, answered) in &world.answered {
        if answered.may_have_ended || answered.is_lost {
            continue;
        }
        for node in world.nodes.iter().filter(|node| node.is_alive && !node.has_in_force(id)) {
            if node.in_force.contains_key(id) {
                return Err(format!("1: {id} was in force on {} and is not any more, but nobody restored it", node.name));
            }
            let is_old = world.now - answered.at > GRACE;
            if is_old && node.verdict(world.instant()).fresh {
                let by_store = node.store_standing() == StoreStanding::Current;
                let in_log = world.logged.get(id).is_some_and(|since| world.now - since > GRACE);
                if !by_store || in_log {
                    return Err(format!(
                        "2: {} calls itself fresh and serves what {id} kills (by its store: {by_store})",
                        node.name
                    ));
                }
            }
        }
    }
    peers_know(world)
}

fn peers_know(world: &SimulatedWorld) -> Result<(), String> {
    for (from, knows) in world.nodes.iter().enumerate().filter(|(_, node)| node.is_alive) {
        for (to, other) in world.nodes.iter().enumerate().filter(|(_, node)| node.is_alive) {
            let reach = |since: u64| world.now - since > GRACE;
            if from == to || !world.links[from][to].is_some_and(reach) {
                continue;
            }
            for (id, since) in &knows.in_force {
                let Some(answered) = world.answered.get(id) else { continue };
                let is_open = !answered.may_have_ended && !answered.is_lost && knows.has_in_force(id);
                if is_open && reach(*since) && !other.has_in_force(id) && reach(other.started) {
                    return Err(format!("3: {} knows {id}, and {}, which it reaches, does not", knows.name, other.name));
                }
            }
        }
    }
    Ok(())
}

/// Rule 4.
pub(super) fn all_agree(world: &SimulatedWorld) -> Result<(), String> {
    let first = &world.nodes[0];
    if world.nodes.iter().all(|node| node.entries.is_empty()) {
        // The nodes died before they had written anything down, and Redis lost it.
        return Ok(());
    }
    for node in &world.nodes {
        if node.state.head != first.state.head {
            return Err(format!(
                "4: {} is at {:?}, {} at {:?}",
                node.name, node.state.head, first.name, first.state.head
            ));
        }
        if !node.verdict(world.instant()).fresh {
            return Err(format!("4: {} does not call itself fresh: {:?}", node.name, node.verdict(world.instant())));
        }
        if !node.overlay.kills.is_empty() || !node.journal.pending().is_empty() {
            return Err(format!("4: {} still has provisional kills {:?}", node.name, node.overlay.kills.keys()));
        }
    }
    for (id, answered) in &world.answered {
        let is_in_force = first.has_in_force(id);
        if !is_in_force && !answered.may_have_ended && !answered.is_lost {
            return Err(format!("4: {id} is lost after {} ms", world.now - answered.at + TICK));
        }
        if is_in_force && answered.is_restored && !world.has_lost_data {
            return Err(format!("4: {id} was restored and is in force"));
        }
    }
    Ok(())
}
