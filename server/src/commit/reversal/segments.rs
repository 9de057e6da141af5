//! Segments that flags use, and which of them have changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::condition::Condition;
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, Position, Segment, SegmentKey, Snapshot};

/// The segments of two states.
#[derive(Clone, Copy)]
pub(super) struct SegmentReversal<'a> {
    pub(super) now: &'a Snapshot,
    pub(super) was: &'a Snapshot,
    /// The position of the commit that restores them.
    pub(super) position: Position,
}

impl<'a> SegmentReversal<'a> {
    /// Adds the segments that the rules of a flag name.
    pub(super) fn used_by(flag: &Flag, used: &mut BTreeSet<SegmentKey>) {
        for when in flag.rules.iter().filter_map(|rule| rule.when.as_ref()) {
            Self::named_by(when, used);
        }
    }

    fn named_by(condition: &Condition, used: &mut BTreeSet<SegmentKey>) {
        condition.segments(&mut |key, _| used.extend([key.clone()]));
    }

    /// Those of `used`, and of the segments within them, that have changed, by key.
    pub(super) fn differing(&self, used: &BTreeSet<SegmentKey>) -> Vec<&'a Arc<Entry<Segment>>> {
        let mut open: Vec<SegmentKey> = used.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        while let Some(key) = open.pop() {
            let Some(was) = self.was.segments.get(key.as_str()) else { continue };
            if !seen.insert(key.clone()) {
                continue;
            }
            if let Ok(segment) = was.value() {
                let mut within = BTreeSet::new();
                Self::named_by(&segment.when, &mut within);
                open.extend(within);
            }
            if self.now.segments.get(key.as_str()).map(|is| is.digest()) != Some(was.digest()) {
                found.push(was);
            }
        }
        found.sort_by(|one, other| one.key().cmp(other.key()));
        found
    }

    /// Whether a flag uses one of `keys`, directly or within another segment, as either state has them.
    pub(super) fn uses(&self, flag: &Flag, keys: &BTreeSet<&SegmentKey>) -> bool {
        let mut used = BTreeSet::new();
        Self::used_by(flag, &mut used);
        let mut open: Vec<SegmentKey> = used.iter().cloned().collect();
        while let Some(key) = open.pop() {
            if keys.contains(&key) {
                return true;
            }
            for segment in [self.now, self.was].iter().filter_map(|state| state.segments.value(key.as_str())) {
                let mut within = BTreeSet::new();
                Self::named_by(&segment.when, &mut within);
                open.extend(within.into_iter().filter(|key| used.insert(key.clone())));
            }
        }
        false
    }

    /// The segment as the commit restores it.
    pub(super) fn back(&self, was: &Entry<Segment>) -> Arc<Entry<Segment>> {
        Arc::new(was.put_back(self.position))
    }
}
