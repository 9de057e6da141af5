//! Which flags of the scope are rolled back, and to what.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, FlagKey, Position, SegmentKey, Snapshot, Tag};

use super::super::error::CommitError;
use super::merge_join::join;
use super::segment_rules::{Composed, Composer};
use super::segments::SegmentReversal;
use super::{
    Authorship, Conflict, ConflictReason, FlagOrSegment, FlagReversal, Reversal, ReversalDecision, ReversalScope, StageMethod, TouchedFlag, UnsupportedFlag,
    following, internal, one_way,
};

/// A flag of the scope, as it is and as it was.
#[derive(Clone, Copy)]
struct FlagPair<'a> {
    key: &'a FlagKey,
    is: Option<&'a Arc<Entry<Flag>>>,
    was: Option<&'a Arc<Entry<Flag>>>,
}

struct DecisionBuilder<'a> {
    reversal: &'a Reversal,
    now: &'a Snapshot,
    position: Position,
    decision: ReversalDecision,
    /// Segments that the flags in scope used at the target.
    used: BTreeSet<SegmentKey>,
}

impl Reversal {
    /// What it does to an environment that serves `now`, over all steps of its ladder. Changes nothing.
    pub fn decide(&self, now: &Snapshot) -> Result<ReversalDecision, CommitError> {
        let mut deciding = DecisionBuilder {
            reversal: self,
            now,
            position: following(now.position),
            decision: ReversalDecision::default(),
            used: BTreeSet::new(),
        };
        match &self.segment {
            Some(segment) => deciding.for_segment(segment)?,
            None => deciding.for_everybody()?,
        }
        let mut decision = deciding.decision;
        decision.doors = one_way::doors(&decision, now, &self.target);
        Ok(decision)
    }

    /// The flags of its scope.
    pub(super) fn reached(&self, now: &Snapshot) -> BTreeSet<FlagKey> {
        self.pairs(now).map(|pair| pair.key.clone()).collect()
    }

    fn pairs<'a>(&'a self, now: &'a Snapshot) -> Box<dyn Iterator<Item = FlagPair<'a>> + 'a> {
        let was = &self.target.flags;
        let looked_up = move |key: &'a FlagKey| FlagPair {
            key,
            is: now.flags.get(key.as_str()),
            was: was.get(key.as_str()),
        };
        let all = || {
            let pairs = join(&now.flags, was);
            pairs.filter_map(|(is, was)| {
                Some(FlagPair {
                    key: is.or(was)?.key(),
                    is,
                    was,
                })
            })
        };
        match &self.reach {
            ReversalScope::Environment => Box::new(all()),
            ReversalScope::Tags(tags) => Box::new(all().filter(|pair| pair.carries(tags))),
            ReversalScope::Flags(flags) => Box::new(flags.iter().map(looked_up)),
            ReversalScope::Touched(left) => Box::new(left.keys().map(looked_up)),
        }
    }
}

impl FlagPair<'_> {
    fn carries(&self, tags: &BTreeSet<Tag>) -> bool {
        let flags = self.is.into_iter().chain(self.was).filter_map(|entry| entry.value().ok());
        flags.into_iter().any(|flag| !flag.tags.is_disjoint(tags))
    }

    fn same(&self) -> bool {
        self.is.map(|entry| entry.digest()) == self.was.map(|entry| entry.digest())
    }

    fn conflict(&self, why: ConflictReason) -> Conflict {
        Conflict {
            thing: FlagOrSegment::Flag(self.key.clone()),
            why,
            changed: self.is.map(|entry| entry.changed()),
            digest: self.is.map(|entry| *entry.digest()),
        }
    }
}

impl DecisionBuilder<'_> {
    fn for_everybody(&mut self) -> Result<(), CommitError> {
        for pair in self.reversal.pairs(self.now) {
            self.decision.reached += usize::from(pair.is.is_some() || pair.was.is_some());
            if self.is_conflict(&pair) {
                continue;
            }
            if let Some(was) = pair.was.and_then(|was| was.value().ok()) {
                SegmentReversal::used_by(was, &mut self.used);
            }
            if pair.same() {
                continue;
            }
            let to = match (pair.was, pair.is.map(|is| is.value())) {
                (Some(was), _) => Arc::new(was.put_back(self.position)),
                (None, Some(Ok(flag))) if flag.enabled => self.switched_off(pair.key, flag)?,
                (None, Some(Ok(_)) | None) => continue,
                (None, Some(Err(_))) => {
                    self.cannot(pair.key, "this version cannot read it, and it does not exist at the target".to_owned());
                    continue;
                }
            };
            self.push(&pair, to, StageMethod::Whole);
        }
        self.segments();
        self.ways();
        Ok(())
    }

    /// A flag that does not exist at the target is only switched off.
    fn switched_off(&self, key: &FlagKey, flag: &Flag) -> Result<Arc<Entry<Flag>>, CommitError> {
        let off = Flag {
            enabled: false,
            ..flag.clone()
        };
        Entry::new(key.clone(), off, self.position).map(Arc::new).map_err(internal)
    }

    fn is_conflict(&mut self, pair: &FlagPair<'_>) -> bool {
        let ReversalScope::Touched(left) = &self.reversal.reach else { return false };
        let Some(why) = left.get(pair.key).and_then(|left| left.disputed(pair)) else {
            return false;
        };
        if self.reversal.record.options.include_conflicts || pair.same() {
            return false;
        }
        self.decision.conflicts.push(pair.conflict(why));
        true
    }

    fn push(&mut self, pair: &FlagPair<'_>, to: Arc<Entry<Flag>>, way: StageMethod) {
        self.decision.flags.push(FlagReversal {
            key: pair.key.clone(),
            from: pair.is.cloned(),
            was: pair.was.cloned(),
            to,
            way,
        });
    }

    fn cannot(&mut self, flag: &FlagKey, why: String) {
        self.decision.cannot.push(UnsupportedFlag { flag: flag.clone(), why });
    }

    /// Segments are rolled back with a whole environment or on request. Deleted segments that flags need are always restored.
    fn segments(&mut self) {
        let (reversal, decision) = (self.reversal, &mut self.decision);
        let segments = SegmentReversal {
            now: self.now,
            was: &reversal.target,
            position: self.position,
        };
        if reversal.record.scope == RollbackScope::Environment {
            decision.settings = Some(reversal.target.settings.clone()).filter(|settings| *settings != self.now.settings);
            for (key, was) in reversal.target.segments.iter().map(|was| (was.key(), was)) {
                match self.now.segments.get(key.as_str()) {
                    None => decision.missing.push(segments.back(was)),
                    Some(is) if is.digest() != was.digest() => decision.segments.push(segments.back(was)),
                    Some(_) => {}
                }
            }
            return;
        }
        // What an earlier step, or the rollback that is undone, put back is part of it too.
        self.used.extend(reversal.record.segments.iter().cloned());
        for was in segments.differing(&self.used) {
            match self.now.segments.get(was.key().as_str()) {
                None => decision.missing.push(segments.back(was)),
                Some(_) if reversal.record.options.with_segments => decision.segments.push(segments.back(was)),
                Some(is) => decision.conflicts.push(Conflict {
                    thing: FlagOrSegment::Segment(was.key().clone()),
                    why: ConflictReason::SegmentDiffers,
                    changed: Some(is.changed()),
                    digest: Some(*is.digest()),
                }),
            }
        }
    }

    /// How each flag goes down the ladder, if there is one. A flag that depends on a segment waits for the segment.
    fn ways(&mut self) {
        if self.reversal.record.ladder.is_none() {
            return;
        }
        let segments = SegmentReversal {
            now: self.now,
            was: &self.reversal.target,
            position: self.position,
        };
        let changed: BTreeSet<&SegmentKey> = self.decision.segments.iter().map(|entry| entry.key()).collect();
        for step in &mut self.decision.flags {
            let waits = !changed.is_empty() && step.to.value().is_ok_and(|flag| segments.uses(flag, &changed));
            step.way = if waits {
                StageMethod::Last
            } else {
                StageMethod::of(step.from.as_deref().and_then(|from| from.value().ok()), step.to.value().ok())
            };
        }
    }

    fn for_segment(&mut self, segment: &SegmentKey) -> Result<(), CommitError> {
        let composer = Composer::new(self.now, &self.reversal.target, segment)?;
        for pair in self.reversal.pairs(self.now) {
            self.decision.reached += usize::from(pair.is.is_some() || pair.was.is_some());
            if self.is_conflict(&pair) || pair.same() && composer.segments_agree() {
                continue;
            }
            match composer.compose(pair.is.map(|is| is.value()), pair.was.map(|was| was.value())) {
                Ok(Composed::AsItIs) => {}
                Ok(Composed::Flag(flag)) => {
                    let to = Entry::new(pair.key.clone(), *flag, self.position).map_err(internal)?;
                    self.push(&pair, Arc::new(to), StageMethod::Whole);
                }
                Err(why) => self.cannot(pair.key, why),
            }
        }
        Ok(())
    }
}

impl TouchedFlag {
    /// Why the current state differs from the one that was left, if it does.
    fn disputed(&self, pair: &FlagPair<'_>) -> Option<ConflictReason> {
        if self.digest != pair.is.map(|is| *is.digest()) {
            return Some(ConflictReason::ChangedSince);
        }
        match self.mixed {
            Authorship::Own => None,
            Authorship::Others => Some(ConflictReason::ChangedBetween),
        }
    }
}
