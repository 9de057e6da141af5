//! Rules that can never be reached, as the answers to writes and plans tell of them.

use std::collections::BTreeMap;

use ripcord_proto::change::Change;
use ripcord_proto::flag::DeadRule;
use ripcord_proto::table::Table;
use ripcord_proto::{Flag, FlagKey, Segment};

use crate::commit::Applied;

/// By flag.
pub(super) type DeadRules = BTreeMap<FlagKey, Vec<DeadRule>>;

/// Most warnings of one answer.
const LISTED: usize = 50;

/// Those of these flags, in an environment with these segments.
pub(super) fn of<'a>(flags: impl Iterator<Item = (&'a FlagKey, &'a Flag)>, segments: &Table<Segment>) -> DeadRules {
    flags
        .map(|(key, flag)| (key.clone(), flag.dead_rules(segments)))
        .filter(|(_, dead)| !dead.is_empty())
        .collect()
}

/// Those of the flags that a commit has put.
pub(super) fn written(made: &Applied) -> DeadRules {
    let put = made.changes.iter().filter_map(|change| {
        if let Change::PutFlag(entry) = change {
            Some((entry.key(), entry.value().ok()?))
        } else {
            None
        }
    });
    of(put, &made.segments)
}

/// A warning for each.
pub(super) fn warnings(dead: &DeadRules) -> Vec<String> {
    let all = dead.iter().flat_map(|(key, rules)| rules.iter().map(move |rule| format!("{key}: {rule}.")));
    all.take(LISTED).collect()
}
