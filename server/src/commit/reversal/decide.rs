//! Which flags of the scope go back, and to what.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, FlagKey, Position, SegmentKey, Snapshot, Tag};

use super::compose::{Composed, Composer};
use super::join::join;
use super::segments::Segments;
use super::{Cannot, CommitError, Conflict, Decision, Left, Mixed, Move, Reach, Reversal, Thing, Way, Why, door, following, internal};

/// A flag of the scope, as it is and as it was.
#[derive(Clone, Copy)]
struct Pair<'a> {
    key: &'a FlagKey,
    is: Option<&'a Arc<Entry<Flag>>>,
    was: Option<&'a Arc<Entry<Flag>>>,
}

struct Deciding<'a> {
    reversal: &'a Reversal,
    now: &'a Snapshot,
    position: Position,
    decision: Decision,
    /// Segments that the flags in scope use as they were.
    used: BTreeSet<SegmentKey>,
}

impl Reversal {
    /// What it comes to on an environment that serves `now`, over all steps of its ladder. Reads nothing else; changes nothing.
    pub fn decide(&self, now: &Snapshot) -> Result<Decision, CommitError> {
        let mut deciding = Deciding {
            reversal: self,
            now,
            position: following(now.position),
            decision: Decision::default(),
            used: BTreeSet::new(),
        };
        match &self.segment {
            Some(segment) => deciding.for_segment(segment)?,
            None => deciding.for_everybody()?,
        }
        let mut decision = deciding.decision;
        decision.doors = door::doors(&decision, now, &self.target);
        Ok(decision)
    }

    /// The flags of its scope.
    pub(super) fn reached(&self, now: &Snapshot) -> BTreeSet<FlagKey> {
        self.pairs(now).map(|pair| pair.key.clone()).collect()
    }

    fn pairs<'a>(&'a self, now: &'a Snapshot) -> Box<dyn Iterator<Item = Pair<'a>> + 'a> {
        let was = &self.target.flags;
        let looked_up = move |key: &'a FlagKey| Pair {
            key,
            is: now.flags.get(key.as_str()),
            was: was.get(key.as_str()),
        };
        let all = || {
            let pairs = join(&now.flags, was);
            pairs.filter_map(|(is, was)| {
                Some(Pair {
                    key: is.or(was)?.key(),
                    is,
                    was,
                })
            })
        };
        match &self.reach {
            Reach::Environment => Box::new(all()),
            Reach::Tags(tags) => Box::new(all().filter(|pair| pair.carries(tags))),
            Reach::Flags(flags) => Box::new(flags.iter().map(looked_up)),
            Reach::Left(left) => Box::new(left.keys().map(looked_up)),
        }
    }
}

impl Pair<'_> {
    fn carries(&self, tags: &BTreeSet<Tag>) -> bool {
        let flags = self.is.into_iter().chain(self.was).filter_map(|entry| entry.value().ok());
        flags.into_iter().any(|flag| !flag.tags.is_disjoint(tags))
    }

    fn same(&self) -> bool {
        self.is.map(|entry| entry.digest()) == self.was.map(|entry| entry.digest())
    }

    fn conflict(&self, why: Why) -> Conflict {
        Conflict {
            thing: Thing::Flag(self.key.clone()),
            why,
            changed: self.is.map(|entry| entry.changed()),
            digest: self.is.map(|entry| *entry.digest()),
        }
    }
}

impl Deciding<'_> {
    fn for_everybody(&mut self) -> Result<(), CommitError> {
        for pair in self.reversal.pairs(self.now) {
            self.decision.reached += usize::from(pair.is.is_some() || pair.was.is_some());
            if self.is_conflict(&pair) {
                continue;
            }
            if let Some(was) = pair.was.and_then(|was| was.value().ok()) {
                Segments::used_by(was, &mut self.used);
            }
            if pair.same() {
                continue;
            }
            let to = match (pair.was, pair.is.map(|is| is.value())) {
                (Some(was), _) => Arc::new(was.put_back(self.position)),
                (None, Some(Ok(flag))) if flag.enabled => self.switched_off(pair.key, flag)?,
                (None, Some(Ok(_)) | None) => continue,
                (None, Some(Err(_))) => {
                    self.cannot(pair.key, "this version cannot read it, and the target does not have it".to_owned());
                    continue;
                }
            };
            self.push(&pair, to, Way::Whole);
        }
        self.segments();
        self.ways();
        Ok(())
    }

    /// A flag that the target lacks: nothing of it changes but that it is off.
    fn switched_off(&self, key: &FlagKey, flag: &Flag) -> Result<Arc<Entry<Flag>>, CommitError> {
        let off = Flag {
            enabled: false,
            ..flag.clone()
        };
        Entry::new(key.clone(), off, self.position).map(Arc::new).map_err(internal)
    }

    fn is_conflict(&mut self, pair: &Pair<'_>) -> bool {
        let Reach::Left(left) = &self.reversal.reach else { return false };
        let Some(why) = left.get(pair.key).and_then(|left| left.disputed(pair)) else {
            return false;
        };
        if self.reversal.record.latitude.include_conflicts || pair.same() {
            return false;
        }
        self.decision.conflicts.push(pair.conflict(why));
        true
    }

    fn push(&mut self, pair: &Pair<'_>, to: Arc<Entry<Flag>>, way: Way) {
        self.decision.flags.push(Move {
            key: pair.key.clone(),
            from: pair.is.cloned(),
            to,
            way,
        });
    }

    fn cannot(&mut self, flag: &FlagKey, why: String) {
        self.decision.cannot.push(Cannot { flag: flag.clone(), why });
    }

    /// Segments go back in an environment, or where it was asked for; those that are gone and needed come back in any case.
    fn segments(&mut self) {
        let (reversal, decision) = (self.reversal, &mut self.decision);
        let segments = Segments {
            now: self.now,
            was: &reversal.target,
            position: self.position,
        };
        if reversal.record.scope == RollbackScope::Environment {
            decision.settings = Some(reversal.target.settings).filter(|settings| *settings != self.now.settings);
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
                Some(_) if reversal.record.latitude.with_segments => decision.segments.push(segments.back(was)),
                Some(is) => decision.conflicts.push(Conflict {
                    thing: Thing::Segment(was.key().clone()),
                    why: Why::SegmentDiffers,
                    changed: Some(is.changed()),
                    digest: Some(*is.digest()),
                }),
            }
        }
    }

    /// How each flag goes down the ladder, where there is one. What a segment decides waits for the segment.
    fn ways(&mut self) {
        if self.reversal.record.ladder.is_none() {
            return;
        }
        let segments = Segments {
            now: self.now,
            was: &self.reversal.target,
            position: self.position,
        };
        let changed: BTreeSet<&SegmentKey> = self.decision.segments.iter().map(|entry| entry.key()).collect();
        for step in &mut self.decision.flags {
            let waits = !changed.is_empty() && step.to.value().is_ok_and(|flag| segments.uses(flag, &changed));
            step.way = if waits {
                Way::Last
            } else {
                Way::of(step.from.as_deref().and_then(|from| from.value().ok()), step.to.value().ok())
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
                    self.push(&pair, Arc::new(to), Way::Whole);
                }
                Err(why) => self.cannot(pair.key, why),
            }
        }
        Ok(())
    }
}

impl Left {
    /// Why what is there now is not what was left, where it is not.
    fn disputed(&self, pair: &Pair<'_>) -> Option<Why> {
        if self.digest != pair.is.map(|is| *is.digest()) {
            return Some(Why::ChangedSince);
        }
        match self.mixed {
            Mixed::Own => None,
            Mixed::Others => Some(Why::ChangedBetween),
        }
    }
}
