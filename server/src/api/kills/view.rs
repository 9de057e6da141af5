//! The view of kills.

use ripcord_proto::rest::kills::{KillView, NAMED_FLAGS, ServedFlag};
use ripcord_proto::{FlagKey, Kill, Position};

use crate::snapshot::publication::Served;

/// All kills in force, committed ones first.
pub(super) fn all(served: &Served) -> Vec<KillView> {
    let committed = served.snapshot.kills.iter().filter_map(|entry| {
        let kill = entry.value().ok()?;
        Some(view(kill, Some(entry.changed()), served))
    });
    let provisional = served.overlay.kills.values().map(|kill| view(kill, None, served));
    committed.chain(provisional).collect()
}

fn view(kill: &Kill, changed: Option<Position>, served: &Served) -> KillView {
    let covered = || {
        let keys = served.snapshot.flags.iter().map(|entry| entry.key());
        keys.filter(|key| kill.covers(key.as_str()))
    };
    KillView {
        kill: kill.clone(),
        epoch: changed.unwrap_or(served.snapshot.position).epoch,
        revision: changed.map(|position| position.revision),
        provisional: changed.is_none(),
        reason_missing: kill.reason.is_none(),
        serves: serving(served, covered()),
        serves_total: covered().count(),
    }
}

/// Killed flags and what each serves.
pub(super) fn serving<'a>(served: &Served, keys: impl Iterator<Item = &'a FlagKey>) -> Vec<ServedFlag> {
    let safe = |key: &FlagKey| served.snapshot.flags.value(key.as_str()).and_then(|flag| flag.safe.clone());
    keys.take(NAMED_FLAGS)
        .map(|key| ServedFlag {
            flag: key.clone(),
            serves: safe(key),
        })
        .collect()
}
