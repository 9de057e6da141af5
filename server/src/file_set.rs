//! File sets: merges the files of a set into the environment, on the state that the commit is admitted on.
//!
//! ```text
//! what the file said when it was last applied (the claim) --+
//! what it says now -----------------------------------------+--> merge: the result, and what is kept although the files differ
//! what is there now ----------------------------------------+
//! ```
//!
//! A set changes what it owns, and nothing else. What people changed by hand since its last apply (such as a flag switched off at night) is kept unless its
//! files changed the same. What a live rollout moves is kept even then. Kills are not part of a flag, so
//! no file can lift one.

mod merge;
mod rollout_rules;

use std::sync::Arc;

use ripcord_proto::file_set::{FileSet, OnAbsent, Takeover};
use ripcord_proto::ownership::{OwnedEntry, Ownership, OwnershipKey};
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::commits::ChangeRequest;
use ripcord_proto::rest::plan::AdoptedEntry;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{Flag, FlagKey, Position, RolloutId, Segment, SegmentKey, SetName, Snapshot, ValidationError, ValidationErrors};
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::merge::Difference;
use self::merge::Merged;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, GuardRefusal, InvalidDraft, Operation, Precheck};

/// What applying a file set does to an environment.
#[derive(Debug, Default)]
pub struct FileSetDecision {
    /// The operations, in order.
    pub operations: Vec<Operation>,
    /// What is kept although the files differ.
    pub kept: Vec<KeptDifference>,
    /// What the set takes over.
    pub adopted: Vec<AdoptedEntry>,
    /// How many flags and segments of the files stay as they are.
    pub unchanged: usize,
}

/// What is kept although the files differ, and the last change of the flag or segment that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptDifference {
    /// What it is, with the thing's path before it.
    pub difference: Difference,
    /// When the thing was changed last; `None` = it was deleted.
    pub changed: Option<Position>,
    /// The live rollout that moves it, if it is kept for that reason.
    pub rollout: Option<RolloutId>,
}

/// The operation that applies a file set.
pub fn operation(set: FileSet) -> Operation {
    let kept = ProposedOperation::Change(ChangeRequest::ApplySet(Box::new(set.clone())));
    Operation::Decide(Precheck::new(move |state| decide(&set, state).map(|decision| decision.operations)).kept_as(kept))
}

fn read(json: &RawValue) -> Result<Value, CommitError> {
    serde_json::from_str(json.get()).map_err(|error| CommitError::Internal(error.to_string()))
}

impl FileSetDecision {
    fn kept(&mut self, kept: Vec<Difference>, changed: Option<Position>, rollout: Option<&RolloutId>) {
        self.kept.extend(kept.into_iter().map(|difference| KeptDifference {
            difference,
            changed,
            rollout: rollout.cloned(),
        }));
    }
}

/// Decides what a file set changes.
///
/// # Errors
/// It would change what it does not own, or manual changes conflict with the files.
pub fn decide(set: &FileSet, state: &EnvironmentState) -> Result<FileSetDecision, CommitError> {
    let mut deciding = FileSetDecider {
        set,
        state,
        decision: FileSetDecision::default(),
        foreign: Vec::new(),
        unfit: Vec::new(),
    };
    for (key, segment) in &set.segments {
        deciding.thing(key, segment)?;
    }
    for (key, flag) in &set.flags {
        deciding.thing(key, flag)?;
    }
    if set.absent == OnAbsent::Delete {
        deciding.prune();
    }
    deciding.end()
}

/// What a file set can have: flags and segments.
trait SetItem: Entity + Clone {
    /// As a path begins: `flags`.
    const PLURAL: &'static str;
    fn table(snapshot: &Snapshot) -> &Table<Self>;
    fn claim(key: &Self::Key) -> OwnershipKey;
    fn read(value: &Value) -> Result<Self, ValidationErrors>;
    fn put(key: Self::Key, value: Self) -> Operation;
    /// The live rollout that moves a part of it.
    fn live<'a>(key: &Self::Key, state: &'a EnvironmentState) -> Option<&'a Rollout>;
}

impl SetItem for Flag {
    const PLURAL: &'static str = "flags";

    fn table(snapshot: &Snapshot) -> &Table<Self> {
        &snapshot.flags
    }

    fn claim(key: &FlagKey) -> OwnershipKey {
        OwnershipKey::flag(key)
    }

    fn read(value: &Value) -> Result<Self, ValidationErrors> {
        Self::from_value(value)
    }

    fn put(key: FlagKey, value: Self) -> Operation {
        Operation::PutFlag(key, Box::new(value))
    }

    fn live<'a>(key: &FlagKey, state: &'a EnvironmentState) -> Option<&'a Rollout> {
        let rollouts = state.records.rollouts.values();
        let mut live = rollouts.filter(|rollout| !rollout.state.is_final() && rollout.moved.is_some());
        live.find(|rollout| rollout.plan.flag == *key)
    }
}

impl SetItem for Segment {
    const PLURAL: &'static str = "segments";

    fn table(snapshot: &Snapshot) -> &Table<Self> {
        &snapshot.segments
    }

    fn claim(key: &SegmentKey) -> OwnershipKey {
        OwnershipKey::segment(key)
    }

    fn read(value: &Value) -> Result<Self, ValidationErrors> {
        Self::from_value(value)
    }

    fn put(key: SegmentKey, value: Self) -> Operation {
        Operation::PutSegment(key, Box::new(value))
    }

    fn live<'a>(_: &SegmentKey, _: &'a EnvironmentState) -> Option<&'a Rollout> {
        None
    }
}

/// Who owns an entry, from the point of view of the set.
enum Owner<'a> {
    /// This set, whose file had this value.
    Own(&'a RawValue),
    /// No set.
    Nobody,
    /// Another set.
    Other(&'a SetName),
}

struct FileSetDecider<'a> {
    set: &'a FileSet,
    state: &'a EnvironmentState,
    decision: FileSetDecision,
    /// What belongs to others.
    foreign: Vec<ValidationError>,
    /// Where manual changes conflict with the files.
    unfit: Vec<ValidationError>,
}

impl<'a> FileSetDecider<'a> {
    fn owner(&self, claim: &OwnershipKey) -> Owner<'a> {
        let text: &str = std::borrow::Borrow::borrow(claim);
        match self.state.records.claims.value(text) {
            Some(claim) if claim.set == self.set.set => Owner::Own(&claim.said),
            Some(claim) => Owner::Other(&claim.set),
            None => Owner::Nobody,
        }
    }

    fn thing<T: SetItem>(&mut self, key: &T::Key, said: &T) -> Result<(), CommitError> {
        let text: &str = std::borrow::Borrow::borrow(key);
        let path = format!("{}.{text}", T::PLURAL);
        let claim = T::claim(key);
        let now = T::table(&self.state.snapshot).get(text);
        let said_json = serde_json::value::to_raw_value(said).map_err(|error| CommitError::Internal(error.to_string()))?;
        let is_so = now.is_some_and(|now| now.json().get() == said_json.get());
        let owner = self.owner(&claim);
        if self.set.takeover == Takeover::Adopt {
            self.adopts(&path, &owner, now.is_some());
            return self.put(key, said.clone(), is_so, said_json);
        }
        match owner {
            Owner::Own(base) if is_so && base.get() == said_json.get() => {
                self.decision.unchanged += 1;
                Ok(())
            }
            Owner::Own(base) => self.merge(key, &path, base, said_json, now),
            // What was never applied has no word before: the file wins, but for what a rollout moves.
            Owner::Nobody if now.is_none() || is_so || self.set.set == SetName::default() => {
                let merged = Merged {
                    value: Some(read(&said_json)?),
                    kept: Vec::new(),
                };
                self.settle(key, &path, merged, said_json, now)
            }
            Owner::Nobody => {
                self.foreign.push(ValidationError::new(
                    path,
                    "already exists and belongs to no set; adopt it, or remove it from the files",
                ));
                Ok(())
            }
            Owner::Other(_) if is_so => {
                self.decision.unchanged += 1;
                Ok(())
            }
            Owner::Other(other) => {
                self.foreign.push(ValidationError::new(path, format!("belongs to set {other}")));
                Ok(())
            }
        }
    }

    fn adopts(&mut self, path: &str, owner: &Owner<'a>, is_there: bool) {
        let from = match owner {
            Owner::Own(_) => return,
            Owner::Nobody if !is_there || self.set.set == SetName::default() => return,
            Owner::Nobody => None,
            Owner::Other(set) => Some((*set).clone()),
        };
        self.decision.adopted.push(AdoptedEntry { path: path.to_owned(), from });
    }

    fn put<T: SetItem>(&mut self, key: &T::Key, value: T, is_so: bool, said: Box<RawValue>) -> Result<(), CommitError> {
        if is_so {
            self.decision.unchanged += 1;
        } else {
            self.decision.operations.push(T::put(key.clone(), value));
        }
        let claim = Ownership {
            set: self.set.set.clone(),
            said,
        };
        self.decision.operations.push(Operation::put_record(T::claim(key), claim, Expected::Anything)?);
        Ok(())
    }

    /// What the set owns: the file's version if the file has changed, else the current one.
    fn merge<T: SetItem>(&mut self, key: &T::Key, path: &str, base: &RawValue, said: Box<RawValue>, now: Option<&Arc<Entry<T>>>) -> Result<(), CommitError> {
        let now_json = now.map(|now| read(now.json())).transpose()?;
        let merged = merge::merge(path, &read(base)?, &read(&said)?, now_json.as_ref());
        self.settle(key, path, merged, said, now)
    }

    /// What was merged, but for what a live rollout moves.
    fn settle<T: SetItem>(&mut self, key: &T::Key, path: &str, merged: Merged, said: Box<RawValue>, now: Option<&Arc<Entry<T>>>) -> Result<(), CommitError> {
        let changed = now.map(|now| now.changed());
        let now_json = now.map(|now| read(now.json())).transpose()?;
        let Merged { value, mut kept } = merged;
        let Some(mut merged) = value else {
            self.decision.kept(kept, changed, None);
            self.decision.unchanged += 1;
            return Ok(());
        };
        if let (Some(now), Some(rollout)) = (&now_json, T::live(key, self.state)) {
            let spared = rollout_rules::spare(path, &mut merged, now, rollout);
            // What a rollout moves is listed once, as the rollout's.
            kept.retain(|kept| !spared.iter().any(|spared| kept.path.starts_with(&spared.path)));
            let (moved, by_hand) = kept.into_iter().partition(|kept| rollout_rules::moves(path, rollout, kept));
            kept = by_hand;
            self.decision.kept(spared, changed, Some(&rollout.id));
            self.decision.kept(moved, changed, Some(&rollout.id));
        }
        self.decision.kept(kept, changed, None);
        match T::read(&merged) {
            Ok(thing) => self.put(key, thing, now_json.as_ref() == Some(&merged), said),
            Err(faults) => {
                self.unfit.extend(faults.under(path));
                Ok(())
            }
        }
    }

    /// Deletes what the set owns and its files no longer contain.
    fn prune(&mut self) {
        let snapshot = &self.state.snapshot;
        for claim in &self.state.records.claims {
            if claim.value().is_ok_and(|claim| claim.set == self.set.set) {
                let gone = match claim.key().claimed() {
                    Ok(OwnedEntry::Flag(key)) if !self.set.flags.contains_key(&key) => snapshot.flags.get(key.as_str()).map(|_| Operation::DeleteFlag(key)),
                    Ok(OwnedEntry::Segment(key)) if !self.set.segments.contains_key(&key) => {
                        snapshot.segments.get(key.as_str()).map(|_| Operation::DeleteSegment(key))
                    }
                    Ok(OwnedEntry::Flag(_) | OwnedEntry::Segment(_)) | Err(_) => continue,
                };
                self.decision.operations.extend(gone);
                let key = RecordKey::Ownership(claim.key().clone());
                self.decision.operations.push(Operation::DeleteRecord(key, Expected::Anything));
            }
        }
        if self.set.set == SetName::default() {
            self.prune_what_nobody_owns();
        }
    }

    /// The default set owns everything that no other set does.
    fn prune_what_nobody_owns(&mut self) {
        let snapshot = &self.state.snapshot;
        let flags = snapshot.flags.iter().map(|entry| entry.key());
        let flags = flags.filter(|key| !self.set.flags.contains_key(*key) && matches!(self.owner(&OwnershipKey::flag(key)), Owner::Nobody));
        let segments = snapshot.segments.iter().map(|entry| entry.key());
        let segments = segments.filter(|key| !self.set.segments.contains_key(*key) && matches!(self.owner(&OwnershipKey::segment(key)), Owner::Nobody));
        let gone: Vec<Operation> = flags
            .map(|key| Operation::DeleteFlag(key.clone()))
            .chain(segments.map(|key| Operation::DeleteSegment(key.clone())))
            .collect();
        self.decision.operations.extend(gone);
    }

    fn end(self) -> Result<FileSetDecision, CommitError> {
        if !self.foreign.is_empty() {
            let set = self.set.set.clone();
            return Err(GuardRefusal::OtherOwner { set, entries: self.foreign }.into());
        }
        if !self.unfit.is_empty() {
            return Err(InvalidDraft::FileConflicts(self.unfit).into());
        }
        Ok(self.decision)
    }
}
