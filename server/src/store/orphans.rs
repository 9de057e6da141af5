//! What must outlive a log that is replaced: the kills and revocations of entries that the new log lacks. Safest wins.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::{EnvironmentKey, Kill, KillId};

use super::LogName;
use super::journal::JournalRecord;

/// The kills in force after `orphaned` entries, except those that the new log has settled. An id that the new log has ended stays
/// ended.
fn orphaned_kills(orphaned: &[Sealed], is_settled: impl Fn(&Kill) -> bool) -> Vec<Kill> {
    let mut kills = BTreeMap::<KillId, Kill>::new();
    for change in orphaned.iter().flat_map(|entry| &entry.commit.changes) {
        if let Some(kill) = change.kill() {
            kills.insert(kill.id.clone(), kill.clone());
        } else if let Some(id) = change.restored() {
            kills.remove(id);
        }
    }
    kills.into_values().filter(|kill| !is_settled(kill)).collect()
}

/// The keys that `orphaned` entries revoke.
fn orphaned_revocations(orphaned: &[Sealed]) -> BTreeSet<String> {
    let changes = orphaned.iter().flat_map(|entry| &entry.commit.changes);
    let revoked = changes.filter_map(|change| if let Change::RevokeKey(id) = change { Some(id.clone()) } else { None });
    revoked.collect()
}

/// What the journal has to hold before a log that ends with `orphaned` is replaced by `entries`: a node that dies in between must
/// find it there.
pub(crate) fn to_journal(log: &LogName, orphaned: &[Sealed], entries: &[Sealed], node: &str) -> Vec<JournalRecord> {
    match log {
        LogName::System => orphaned_revocations(orphaned)
            .into_iter()
            .map(|key| JournalRecord::KeyRevoked { key })
            .collect(),
        LogName::Environment(environment) => kills_to_journal(environment, orphaned, entries, node),
    }
}

fn kills_to_journal(environment: &EnvironmentKey, orphaned: &[Sealed], entries: &[Sealed], node: &str) -> Vec<JournalRecord> {
    let changes = || entries.iter().flat_map(|entry| &entry.commit.changes);
    let ended: BTreeSet<&KillId> = changes().filter_map(Change::restored).collect();
    let known: BTreeMap<&KillId, &Kill> = changes().filter_map(Change::kill).map(|kill| (&kill.id, kill)).collect();
    let is_settled = |kill: &Kill| ended.contains(&kill.id) || known.get(&kill.id).is_some_and(|known| known.flags.is_superset(&kill.flags));
    let kills = orphaned_kills(orphaned, is_settled);
    let taken = |kill| JournalRecord::Taken {
        environment: environment.clone(),
        kill,
        node: node.to_owned(),
        answered: None,
    };
    kills.into_iter().map(taken).collect()
}
