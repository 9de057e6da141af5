//! Which flags may answer a caller differently from before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::{Flag, Kill, KillId};

use super::Selection;
use crate::snapshot::publication::Served;

/// What happened to a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagChange {
    /// It is new.
    Write,
    /// It may answer differently.
    Update,
    /// It is gone.
    Delete,
}

impl FlagChange {
    /// The name in flagd's events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Flags, and what happened to each.
pub type FlagChanges = BTreeMap<String, FlagChange>;

/// Comparisons that are remembered.
const REMEMBERED: usize = 4;

/// Compares states of one environment. All streams that wait for changes ask for the same comparisons, so the last ones are remembered.
#[derive(Debug, Default)]
pub struct ChangeMemo(Mutex<VecDeque<StateComparison>>);

#[derive(Debug)]
struct StateComparison {
    before: Arc<Served>,
    after: Arc<Served>,
    changes: Arc<FlagChanges>,
}

impl ChangeMemo {
    /// Every flag that may answer differently to a caller who sees this selection.
    pub fn between(&self, before: &Arc<Served>, after: &Arc<Served>, selection: &Selection) -> FlagChanges {
        let shown = |served: &Served, key: &str| served.snapshot.flags.value(key).is_some_and(|flag| selection.shows(flag));
        let all = self.all_between(before, after);
        let seen = all
            .iter()
            .filter(|(key, _)| selection.is_everything() || shown(before, key) || shown(after, key));
        seen.map(|(key, change)| (key.clone(), *change)).collect()
    }

    fn all_between(&self, before: &Arc<Served>, after: &Arc<Served>) -> Arc<FlagChanges> {
        let mut remembered = self.0.lock();
        let same = |known: &&StateComparison| Arc::ptr_eq(&known.before, before) && Arc::ptr_eq(&known.after, after);
        if let Some(known) = remembered.iter().find(same) {
            return Arc::clone(&known.changes);
        }
        let changes = Arc::new(changes(before, after));
        if remembered.len() == REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(StateComparison {
            before: Arc::clone(before),
            after: Arc::clone(after),
            changes: Arc::clone(&changes),
        });
        changes
    }
}

/// Every flag that may answer differently. What only people read (descriptions, owners) changes no answer.
fn changes(before: &Served, after: &Served) -> FlagChanges {
    let (old, new) = (&before.snapshot, &after.snapshot);
    let everywhere = old.settings != new.settings || !same_segments(before, after);
    let mut changed: BTreeSet<&str> = killed_on_one_side(before, after);
    for entry in &new.flags {
        let key = entry.key().as_str();
        let same = old.flags.get(key).is_some_and(|was| {
            let read = was.value().ok().zip(entry.value().ok());
            was.digest() == entry.digest() || read.is_some_and(|(was, is)| deciding(was) == deciding(is))
        });
        if everywhere || !same {
            changed.insert(key);
        }
    }
    changed.extend(old.flags.iter().map(|entry| entry.key().as_str()).filter(|key| new.flags.get(key).is_none()));
    add_dependents(&mut changed, after);
    let kind = |key: &str| match (old.flags.get(key).is_some(), new.flags.get(key).is_some()) {
        (false, _) => FlagChange::Write,
        (true, true) => FlagChange::Update,
        (true, false) => FlagChange::Delete,
    };
    changed.into_iter().map(|key| (key.to_owned(), kind(key))).collect()
}

/// Everything of a flag that decides its answers, or who sees it. A new member of a flag does not compile here until it is decided.
fn deciding(flag: &Flag) -> impl PartialEq + '_ {
    let Flag {
        description: _,
        owner: _,
        tags,
        enabled,
        variants,
        default,
        safe,
        rules,
        requires,
        lease,
        one_way: _,
        checks: _,
        client,
        flagd_without_lease,
        metadata,
        expires_at: _,
    } = flag;
    let visibility = (tags, client, flagd_without_lease, metadata);
    (enabled, variants, default, safe, rules, requires, lease, visibility)
}

fn same_segments(before: &Served, after: &Served) -> bool {
    let digests = |served: &Served| served.snapshot.segments.iter().map(|entry| *entry.digest()).collect::<Vec<_>>();
    digests(before) == digests(after)
}

/// The flags of kills that are in force on one side only.
fn killed_on_one_side<'s>(before: &'s Served, after: &'s Served) -> BTreeSet<&'s str> {
    let (was, is) = (kills(before), kills(after));
    let differing = was
        .iter()
        .filter(|(id, _)| !is.contains_key(*id))
        .chain(is.iter().filter(|(id, _)| !was.contains_key(*id)));
    let differing: Vec<&Kill> = differing.map(|(_, kill)| *kill).collect();
    let keys = before.snapshot.flags.iter().chain(&after.snapshot.flags).map(|entry| entry.key().as_str());
    keys.filter(|key| differing.iter().any(|kill| kill.covers(key))).collect()
}

fn kills(served: &Served) -> BTreeMap<&KillId, &Kill> {
    let committed = served.snapshot.kills.values();
    committed.chain(served.overlay.kills.values()).map(|kill| (&kill.id, kill)).collect()
}

/// The flags that require one of `changed`, and those that require these.
fn add_dependents<'s>(changed: &mut BTreeSet<&'s str>, served: &'s Served) {
    loop {
        let requiring = served.snapshot.flags.iter().filter(|entry| {
            let required = |flag: &Flag| flag.requires.iter().any(|requirement| changed.contains(requirement.flag.as_str()));
            !changed.contains(entry.key().as_str()) && entry.value().is_ok_and(required)
        });
        let found: Vec<&str> = requiring.map(|entry| entry.key().as_str()).collect();
        if found.is_empty() {
            return;
        }
        changed.extend(found);
    }
}
