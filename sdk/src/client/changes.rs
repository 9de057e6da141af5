//! The difference between two states: what the engine recompiles, and which flags listeners are told of.

use std::collections::BTreeSet;

use ripcord_proto::delta::Delta;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::{FlagKey, Kill, KillScope, Snapshot};

/// What the engine must compile for a new state.
#[derive(Debug, Clone)]
pub(crate) enum Recompile {
    Everything,
    Only(TouchedKeys),
}

impl Recompile {
    pub(crate) fn of_delta(delta: &Delta) -> Self {
        let (changed, removed) = (&delta.changed, &delta.removed);
        if changed.settings.is_some() {
            return Self::Everything;
        }
        Self::Only(TouchedKeys {
            flags: changed.flags.iter().map(|entry| entry.key()).chain(&removed.flags).cloned().collect(),
            segments: changed.segments.iter().map(|entry| entry.key()).chain(&removed.segments).cloned().collect(),
        })
    }
}

/// The flags whose definition or kills changed.
///
/// A flag that requires one of them may serve something else, too, without being named.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// Any flag may have changed: the first state, a segment, a setting, or a kill of everything.
    Everything,
    /// These flags.
    Flags(BTreeSet<FlagKey>),
}

impl Changes {
    /// Whether the flag `key` may have changed.
    pub fn affect(&self, key: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Flags(keys) => keys.contains(key),
        }
    }

    pub(crate) const fn none() -> Self {
        Self::Flags(BTreeSet::new())
    }

    pub(crate) fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Flags(own), Self::Flags(more)) => own.extend(more),
            (Self::Everything, _) | (_, Self::Everything) => *self = Self::Everything,
        }
    }

    /// The flags that `delta`, applied to `before`, changes.
    pub(crate) fn of_delta(before: &Snapshot, delta: &Delta) -> Self {
        let Delta { changed, removed, .. } = delta;
        if changed.settings.is_some() || !changed.segments.is_empty() || !removed.segments.is_empty() {
            return Self::Everything;
        }
        let mut changes = Self::none();
        changes.add(changed.flags.iter().map(|entry| entry.key()).chain(&removed.flags));
        let lifted = removed.kills.iter().map(|id| before.kills.value(id.as_str()));
        let replaced = changed.kills.iter().filter_map(|entry| before.kills.get(entry.key().as_str()));
        let named = changed.kills.iter().chain(replaced).map(|entry| entry.value().ok());
        for kill in lifted.chain(named) {
            // A kill that cannot be parsed may cover anything.
            changes.merge(kill.map_or(Self::Everything, Self::of_kill));
        }
        changes
    }

    /// The flags that these kills, which came or went, cover.
    pub(crate) fn of_kills<'a>(kills: impl IntoIterator<Item = &'a Kill>) -> Self {
        let mut changes = Self::none();
        for kill in kills {
            changes.merge(Self::of_kill(kill));
        }
        changes
    }

    fn of_kill(kill: &Kill) -> Self {
        let mut changes = Self::none();
        match &kill.scope {
            KillScope::All(_) => return Self::Everything,
            KillScope::Flag(key) => changes.add([key]),
            KillScope::Tag(_) => changes.add(&kill.flags),
        }
        changes
    }

    fn add<'a>(&mut self, keys: impl IntoIterator<Item = &'a FlagKey>) {
        if let Self::Flags(own) = self {
            own.extend(keys.into_iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests;
