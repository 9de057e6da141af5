//! How long applications may serve a state that they cannot renew: the leases of the flags that a change affects.

use ripcord_proto::delta::Delta;
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::{Flag, Snapshot};

/// The longest lease of the flags that a change affects; `None` if one of them has none, or if there are none.
pub(super) fn lease_of(delta: &Delta, snapshot: &Snapshot) -> Option<u32> {
    longest_lease(delta.changed.kills.values(), delta.changed.flags.values(), snapshot)
}

/// The longest lease of the flags that kills cover, and of other flags.
pub(super) fn longest_lease<'a>(kills: impl Iterator<Item = &'a Kill>, others: impl Iterator<Item = &'a Flag>, snapshot: &Snapshot) -> Option<u32> {
    let seconds = |flag: &Flag| flag.lease.map(|lease| lease.seconds);
    let mut leases: Vec<Option<u32>> = others.map(seconds).collect();
    for kill in kills {
        match &kill.scope {
            KillScope::All(_) => return longest(snapshot.flags.values().map(seconds)),
            KillScope::Flag(key) => leases.extend(snapshot.flags.value(key.as_str()).map(seconds)),
            KillScope::Tag(_) => leases.extend(kill.flags.iter().filter_map(|key| snapshot.flags.value(key.as_str())).map(seconds)),
        }
    }
    longest(leases.into_iter())
}

fn longest(mut leases: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    leases.try_fold(0, |longest, lease| Some(longest.max(lease?))).filter(|longest| *longest > 0)
}
