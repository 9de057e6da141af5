//! Releases as the API shows them.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::flag_text;
use ripcord_proto::policy::Protection;
use ripcord_proto::release::Release;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rest::plan::SegmentDiff;
use ripcord_proto::rest::releases::{ReleaseDiff, ReleaseView, ReleasedFlag, RollbackWindow};
use ripcord_proto::table::{Entity, Table};
use ripcord_proto::validation::ValidationError;
use ripcord_proto::{FlagKey, Snapshot};
use serde_json::value::RawValue;

use super::{ItemChanges, ReleaseChanges};
use crate::commit::protect;
use crate::commit::state::EnvironmentState;

/// Most own commits that a diff names.
const NAMED_COMMITS: usize = 100;

/// A release in an environment at `now`. What it lacks in a protected environment is judged by the `touched` flags and those that the
/// release names.
pub fn view(state: &EnvironmentState, release: &Release, touched: &BTreeSet<FlagKey>, now: Timestamp) -> ReleaseView {
    let missing = match state.records.policy().protection {
        Protection::Open => Vec::new(),
        Protection::Protected => missing(&state.snapshot, release, touched),
    };
    ReleaseView {
        revision: None,
        release: release.clone(),
        window: window(release, now),
        missing,
    }
}

fn missing(snapshot: &Snapshot, release: &Release, touched: &BTreeSet<FlagKey>) -> Vec<ValidationError> {
    let details = &release.details;
    let flags = snapshot.flags.iter().filter_map(|entry| Some((entry.key(), entry.value().ok()?)));
    let is_meant = |key: &FlagKey| touched.contains(key) || details.flags.contains(key);
    protect::missing(release, flags.filter(|(key, flag)| is_meant(key) || !flag.tags.is_disjoint(&details.tags)))
}

fn window(release: &Release, now: Timestamp) -> Option<RollbackWindow> {
    let seconds = i64::try_from(release.details.window_seconds?).unwrap_or(i64::MAX);
    let ends = release.at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    Some(RollbackWindow {
        ends,
        remaining_seconds: u64::try_from(ends.duration_since(now).as_secs()).unwrap_or_default(),
    })
}

/// What a release changed: each flag and segment that it touched, as it was at the baseline and as it is now.
pub fn diff(baseline: &Snapshot, now: &Snapshot, touched: &ReleaseChanges) -> ReleaseDiff {
    let differs = |key: &&FlagKey| digest(&baseline.flags, key) != digest(&now.flags, key);
    let flags = steps(touched.flags.keys(), &baseline.flags, &now.flags);
    let segments = steps(touched.segments.keys(), &baseline.segments, &now.segments);
    let own = touched.own.iter().skip(touched.own.len().saturating_sub(NAMED_COMMITS));
    ReleaseDiff {
        flags: flags.into_iter().map(|step| in_words(step, baseline, now)).collect(),
        segments: segments.into_iter().map(|(key, from, to)| SegmentDiff { key, from, to }).collect(),
        back: touched.flags.keys().filter(|key| !differs(key)).cloned().collect(),
        foreign_flags: foreign(&touched.flags),
        foreign_segments: foreign(&touched.segments),
        commits: own.map(|by| ChangedBy::clone(by)).collect(),
    }
}

/// A flag before and after, and what that means.
fn in_words((key, from, to): (FlagKey, RawJson, RawJson), baseline: &Snapshot, now: &Snapshot) -> ReleasedFlag {
    let (was, is) = (baseline.flags.value(key.as_str()), now.flags.value(key.as_str()));
    let differs = match (was, is) {
        (Some(was), Some(is)) => flag_text::differences(Some(was), Some(is)),
        (Some(_) | None, _) => Vec::new(),
    };
    ReleasedFlag {
        key,
        from,
        to,
        was: was.map(flag_text::flag),
        is: is.map(flag_text::flag),
        differs,
    }
}

fn digest<'a, M: Entity>(table: &'a Table<M>, key: &M::Key) -> Option<&'a ripcord_proto::digest::Digest> {
    table.get(key.borrow()).map(|entry| entry.digest())
}

type RawJson = Option<Box<RawValue>>;

/// The things of `keys` that differ, before and after.
fn steps<'a, M: Entity>(keys: impl Iterator<Item = &'a M::Key>, before: &Table<M>, after: &Table<M>) -> Vec<(M::Key, RawJson, RawJson)>
where
    M::Key: 'a,
{
    let json = |table: &Table<M>, key: &M::Key| table.get(key.borrow()).map(|entry| entry.json().to_owned());
    let differing = keys.filter(|key| digest(before, key) != digest(after, key));
    differing.map(|key| (key.clone(), json(before, key), json(after, key))).collect()
}

fn foreign<K: Ord + Clone>(touched: &BTreeMap<K, ItemChanges>) -> BTreeMap<K, Vec<ChangedBy>> {
    let mixed = touched.iter().filter(|(_, touch)| !touch.foreign.is_empty());
    mixed
        .map(|(key, touch)| (key.clone(), touch.foreign.iter().map(|by| ChangedBy::clone(by)).collect()))
        .collect()
}
