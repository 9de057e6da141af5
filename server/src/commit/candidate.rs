//! A draft that is being admitted: the operations so far applied to a copy of the state, and the changes that they make.

use std::borrow::Borrow as _;
use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::change::Change;
use ripcord_proto::digest::Digest;
use ripcord_proto::key::Tag;
use ripcord_proto::references::{self, TouchedKeys};
use ripcord_proto::settings::Settings;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::text::grouped_len;
use ripcord_proto::validation::{ValidationError, ValidationErrors};
use ripcord_proto::visible::{check_name, check_text};
use ripcord_proto::{Flag, FlagKey, Kill, KillId, KillScope, Position, ReleaseName, Revision, Segment, SegmentKey, limits};

use super::approval::Effect;
use super::draft::Draft;
use super::error::{CommitError, MissingItem};
use super::operation::Operation;
use super::outcome::{Applied, KillStatus};
use super::records;
use super::reversal::Reversal;
use super::rule_budget;
use super::state::{self, EnvironmentState, flags_with_tag};

/// The state after the operations so far, and the changes that lead to it.
pub(super) struct Candidate<'a> {
    before: &'a EnvironmentState,
    pub(super) state: EnvironmentState,
    position: Position,
    pub(super) changes: Vec<Change>,
    pub(super) touched: TouchedKeys,
    /// The hash of the plan that a rollback must still match.
    pub(super) expected: Option<Digest>,
    kill: Option<(Arc<Kill>, KillStatus)>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(before: &'a EnvironmentState) -> Self {
        let mut position = before.head.position();
        position.revision = position.revision.next();
        Self {
            before,
            state: before.clone(),
            position,
            changes: Vec::new(),
            touched: TouchedKeys::default(),
            expected: None,
            kill: None,
        }
    }

    pub(super) fn apply(&mut self, operation: &Operation) -> Result<(), CommitError> {
        match operation {
            Operation::PutFlag(key, flag) => self.put_flag(key, flag),
            Operation::DeleteFlag(key) => self.delete_flag(key),
            Operation::SetEnabled(key, enabled) => self.set_enabled(key, *enabled),
            Operation::PutSegment(key, segment) => self.put_segment(key, segment),
            Operation::DeleteSegment(key) => self.delete_segment(key),
            Operation::PutSettings(settings) => {
                self.put_settings(settings);
                Ok(())
            }
            Operation::Kill(kill) => self.kill(kill),
            Operation::Merge(kill) => self.merge(kill),
            Operation::Withdraw(id) => {
                self.withdraw(id);
                Ok(())
            }
            Operation::Restore(id) => self.restore(id),
            Operation::GiveReason(id, reason) => self.give_reason(id, reason),
            Operation::Driven(token) => records::check_driver(&self.state.records, *token),
            Operation::PutRecord(record, expected) => {
                records::check(&self.state.records, &record.key(), *expected)?;
                if self.state.records.digest(&record.key()) != Some(*record.digest()) {
                    self.push(Change::PutRecord(record.clone()));
                }
                Ok(())
            }
            Operation::DeleteRecord(key, expected) => {
                records::check(&self.state.records, key, *expected)?;
                if self.state.records.digest(key).is_some() {
                    self.push(Change::DeleteRecord(key.clone()));
                }
                Ok(())
            }
            Operation::Decide(decider) | Operation::DecideNow(decider) => {
                let operations = decider.run(&self.state)?;
                operations.iter().try_for_each(|operation| self.apply(operation))
            }
            Operation::Ping(id) => {
                self.push(Change::Ping(id.clone()));
                Ok(())
            }
            Operation::Rollback(reversal) => self.roll_back(reversal),
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.state.change(std::slice::from_ref(&change), self.before.head.position());
        self.changes.push(change);
    }

    fn put_flag(&mut self, key: &FlagKey, flag: &Flag) -> Result<(), CommitError> {
        let entry = entry(key.clone(), flag.clone(), self.position)?;
        let path = format!("flags.{key}");
        if !differs(&entry, &self.state.snapshot.flags, &path, limits::FLAG_BYTES)? {
            return Ok(());
        }
        let faults = rule_budget::of_flag(&path, flag).into_iter().chain(hidden_in(&path, flag));
        ValidationErrors::check(faults.collect(), ())?;
        self.touched.flags.insert(key.clone());
        self.push(Change::PutFlag(entry));
        Ok(())
    }

    fn delete_flag(&mut self, key: &FlagKey) -> Result<(), CommitError> {
        if self.state.snapshot.flags.get(key.as_str()).is_none() {
            return Err(CommitError::NotFound(MissingItem::flag(key, &self.state.snapshot.flags)));
        }
        self.touched.flags.insert(key.clone());
        self.push(Change::DeleteFlag(key.clone()));
        Ok(())
    }

    fn set_enabled(&mut self, key: &FlagKey, enabled: bool) -> Result<(), CommitError> {
        let Some(flag) = self.state.snapshot.flags.value(key.as_str()) else {
            return Err(CommitError::NotFound(MissingItem::flag(key, &self.state.snapshot.flags)));
        };
        let flag = Flag { enabled, ..flag.clone() };
        self.put_flag(key, &flag)
    }

    fn put_segment(&mut self, key: &SegmentKey, segment: &Segment) -> Result<(), CommitError> {
        let entry = entry(key.clone(), segment.clone(), self.position)?;
        let path = format!("segments.{key}");
        if !differs(&entry, &self.state.snapshot.segments, &path, limits::SEGMENT_BYTES)? {
            return Ok(());
        }
        ValidationErrors::check(rule_budget::of_segment(&path, segment), ())?;
        self.touched.segments.insert(key.clone());
        self.push(Change::PutSegment(entry));
        Ok(())
    }

    fn delete_segment(&mut self, key: &SegmentKey) -> Result<(), CommitError> {
        if self.state.snapshot.segments.get(key.as_str()).is_none() {
            return Err(CommitError::NotFound(MissingItem::segment(key, &self.state.snapshot.segments)));
        }
        self.touched.segments.insert(key.clone());
        self.push(Change::DeleteSegment(key.clone()));
        Ok(())
    }

    fn put_settings(&mut self, settings: &Settings) {
        if self.state.snapshot.settings != *settings {
            self.push(Change::PutSettings(settings.clone()));
        }
    }

    fn kill(&mut self, kill: &Kill) -> Result<(), CommitError> {
        if let KillScope::Flag(key) = &kill.scope
            && self.state.snapshot.flags.get(key.as_str()).is_none()
            && !self.is_covered(key)
        {
            return Err(CommitError::NotFound(MissingItem::flag(key, &self.state.snapshot.flags)));
        }
        let is_same = |other: &&Kill| other.scope == kill.scope || other.id == kill.id;
        let existing = self.state.snapshot.kills.values().find(is_same).cloned();
        if let Some(existing) = existing {
            self.kill = Some((Arc::new(existing), KillStatus::Existing));
            return Ok(());
        }
        if self.state.ended_kills.contains(&kill.id) {
            return Err(CommitError::NotFound(MissingItem::Kill(kill.id.clone())));
        }
        let kill = self.put_kill(kill.clone())?;
        self.kill = Some((Arc::new(kill), KillStatus::New));
        Ok(())
    }

    fn roll_back(&mut self, reversal: &Reversal) -> Result<(), CommitError> {
        let changes = reversal.admitted(&self.state, self.before.head.position(), self.expected)?;
        // Sets made at once: a rollback of a whole environment touches thousands.
        self.touched.flags.append(&mut changes.iter().filter_map(Change::flag).cloned().collect());
        self.touched.segments.append(&mut changes.iter().filter_map(Change::segment).cloned().collect());
        self.state.change(&changes, self.before.head.position());
        self.changes.extend(changes);
        Ok(())
    }

    fn is_covered(&self, key: &FlagKey) -> bool {
        self.state.snapshot.kills_of(key.as_str()).next().is_some()
    }

    fn merge(&mut self, kill: &Kill) -> Result<(), CommitError> {
        if self.state.ended_kills.contains(&kill.id) {
            return Ok(());
        }
        let merged = match self.state.snapshot.kills.value(kill.id.as_str()) {
            Some(known) if known.flags.is_superset(&kill.flags) => return Ok(()),
            // A flag that either of them has covered stays covered.
            Some(known) => Kill {
                flags: &known.flags | &kill.flags,
                ..known.clone()
            },
            None => kill.clone(),
        };
        self.put_kill(merged).map(drop)
    }

    fn withdraw(&mut self, id: &KillId) {
        if !self.state.ended_kills.contains(id) {
            self.push(Change::Restore(id.clone()));
        }
    }

    fn restore(&mut self, id: &KillId) -> Result<(), CommitError> {
        if self.state.snapshot.kills.get(id.as_str()).is_none() {
            return Err(CommitError::NotFound(MissingItem::Kill(id.clone())));
        }
        self.push(Change::Restore(id.clone()));
        Ok(())
    }

    fn give_reason(&mut self, id: &KillId, reason: &str) -> Result<(), CommitError> {
        let Some(kill) = self.state.snapshot.kills.value(id.as_str()) else {
            return Err(CommitError::NotFound(MissingItem::Kill(id.clone())));
        };
        if kill.reason.as_deref() == Some(reason) {
            return Ok(());
        }
        self.put_kill(Kill {
            reason: Some(reason.to_owned()),
            ..kill.clone()
        })
        .map(drop)
    }

    /// Puts a kill, latched onto every flag that has its tag now, in addition to those that it has latched onto before.
    fn put_kill(&mut self, mut kill: Kill) -> Result<Kill, CommitError> {
        if let KillScope::Tag(tag) = &kill.scope {
            kill.flags.extend(flags_with_tag(&self.state.snapshot, tag));
        }
        let entry = entry(kill.id.clone(), kill.clone(), self.position)?;
        self.push(Change::PutKill(entry));
        Ok(kill)
    }

    /// A kill by tag covers flags tagged later: they are latched in the commit that tags them.
    pub(super) fn latch_kills(&mut self) -> Result<(), CommitError> {
        let flags = &self.state.snapshot.flags;
        let carries = |key: &FlagKey, tag: &Tag| flags.value(key.as_str()).is_some_and(|flag| flag.tags.contains(tag));
        let latches = |kill: &Kill, tag: &Tag| self.touched.flags.iter().any(|key| !kill.flags.contains(key) && carries(key, tag));
        let grown: Vec<Kill> = self
            .state
            .snapshot
            .kills
            .values()
            .filter(|kill| matches!(&kill.scope, KillScope::Tag(tag) if latches(kill, tag)))
            .cloned()
            .collect();
        grown.into_iter().try_for_each(|kill| self.put_kill(kill).map(drop))
    }

    /// Counts the commit to its release.
    pub(super) fn join_release(&mut self, release: Option<&ReleaseName>) -> Result<(), CommitError> {
        let Some(name) = release else { return Ok(()) };
        let joined = records::joined(&self.state.records, name, self.before.head.sequence.next())?;
        if !self.changes.is_empty() {
            self.push(Change::PutRecord(joined));
        }
        Ok(())
    }

    /// The state as a whole: references, sizes.
    pub(super) fn check(&self) -> Result<(), CommitError> {
        let snapshot = &self.state.snapshot;
        let mut found = references::check(&snapshot.flags, &snapshot.segments, &self.touched);
        let limit = |found: &mut Vec<ValidationError>, what: &str, has: usize, may: usize| {
            if has > may {
                found.push(ValidationError::new(
                    "",
                    format!("the environment would have {has} {what}; at most {may} are allowed"),
                ));
            }
        };
        limit(&mut found, "flags", snapshot.flags.len(), limits::FLAGS);
        limit(&mut found, "segments", snapshot.segments.len(), limits::SEGMENTS);
        limit(
            &mut found,
            "bytes",
            snapshot.flags.bytes() + snapshot.segments.bytes() + snapshot.kills.bytes(),
            limits::SNAPSHOT_BYTES,
        );
        ValidationErrors::check(found, ()).map_err(CommitError::from)
    }

    /// The result of the operations so far.
    pub(super) fn effect<'c>(&'c self, draft: &'c Draft) -> Effect<'c> {
        Effect {
            draft,
            before: self.before,
            after: &self.state,
            touched: &self.touched,
            changes: &self.changes,
        }
    }

    /// The revision that it makes, if any.
    pub(super) fn revision(&self) -> Option<Revision> {
        state::makes_revision(&self.changes, self.before).then_some(self.position.revision)
    }

    pub(super) fn applied(self) -> (Applied, EnvironmentState) {
        let (mut flags, mut still_killed) = (self.touched.flags, BTreeSet::new());
        let snapshot = &self.state.snapshot;
        for change in &self.changes {
            if let Some(kill) = change.kill() {
                flags.extend(kill.covered(&snapshot.flags));
            } else if let Some(lifted) = change.restored().and_then(|id| self.before.snapshot.kills.value(id.as_str())) {
                let covered = lifted.covered(&snapshot.flags);
                let is_killed = |key: &&FlagKey| snapshot.kills_of(key.as_str()).next().is_some();
                still_killed.extend(covered.iter().filter(is_killed).cloned());
                flags.extend(covered);
            }
        }
        let position = if state::makes_revision(&self.changes, self.before) {
            self.position
        } else {
            self.before.head.position()
        };
        let applied = Applied {
            position,
            changes: self.changes,
            flags: flags.into_iter().collect(),
            still_killed: still_killed.into_iter().collect(),
            segments: self.state.snapshot.segments.clone(),
            kill: self.kill,
            records: Arc::clone(&self.state.records),
            commit: None,
        };
        (applied, self.state)
    }
}

fn entry<M: Entity>(key: M::Key, value: M, position: Position) -> Result<Arc<Entry<M>>, CommitError> {
    Entry::new(key, value, position)
        .map(Arc::new)
        .map_err(|error| CommitError::Internal(error.to_string()))
}

/// Whether an entry that is to be put differs from the one in `table`; refused if its JSON is longer than `limit`.
fn differs<M: Entity>(entry: &Entry<M>, table: &Table<M>, path: &str, limit: usize) -> Result<bool, CommitError> {
    let length = entry.json().get().len();
    if length > limit {
        let (length, limit) = (grouped_len(length), grouped_len(limit));
        let problem = format!("is {length} bytes long as JSON; a {} can have at most {limit}", M::KIND);
        return Err(CommitError::from(ValidationErrors::one(path, problem)));
    }
    let old = table.get(entry.key().borrow());
    Ok(old.is_none_or(|old| old.digest() != entry.digest()))
}

/// Texts of a flag that would not be shown as they are. Only checked when they are written: what was stored before stays readable.
fn hidden_in(path: &str, flag: &Flag) -> Vec<ValidationError> {
    let owner = flag.owner.as_deref().filter(|owner| !owner.is_empty());
    let owner = owner.and_then(|owner| Some(("owner", check_name(owner, limits::TEXT_CHARACTERS).err()?)));
    let description = flag.description.as_deref().and_then(|text| Some(("description", check_text(text).err()?)));
    let found = owner.into_iter().chain(description);
    found
        .map(|(member, problem)| ValidationError::new(format!("{path}.{member}"), problem))
        .collect()
}
