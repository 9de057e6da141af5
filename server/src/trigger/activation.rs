//! An alert being handled, from its signal to its record.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::digest::Digest;
use ripcord_proto::record::{RecordKey, Records};
use ripcord_proto::trigger::{Attribution, Firing, FiringEffects, FiringState, SignalSource, Trigger};
use ripcord_proto::{EnvironmentKey, FiringId, FlagKey, KillId, limits};

use super::decision::{self, Restraint, SignalDecision};
use super::signal::Signal;
use crate::commit::state::EnvironmentState;
use crate::commit::{Author, CommitError, Expected, IdempotentCall, MissingItem, Operation, StateConflict};

/// A trigger that fires for an alert.
#[derive(Debug, Clone)]
pub(super) struct Activation {
    pub(super) environment: EnvironmentKey,
    pub(super) trigger: Arc<Trigger>,
    pub(super) signal: Signal,
    /// SHA-256 of the delivery.
    pub(super) delivery: Digest,
    pub(super) now: Timestamp,
    pub(super) node: String,
    pub(super) by: Initiator,
}

/// Who made a trigger act.
#[derive(Debug, Clone)]
pub(super) enum Initiator {
    /// The trigger itself, as agreed beforehand.
    Trigger,
    /// A person, who confirmed a firing that waited.
    Person(Box<PersonConfirmation>),
}

/// A person's confirmation of a firing that waits.
#[derive(Debug, Clone)]
pub(super) struct PersonConfirmation {
    pub(super) id: FiringId,
    pub(super) author: Author,
    pub(super) answered: Attribution,
    /// The idempotent call that it came with, if any.
    pub(super) call: Option<IdempotentCall>,
}

/// The result of an activation, as in its record.
#[derive(Debug, Clone)]
pub(super) struct FiringResult {
    pub(super) state: FiringState,
    pub(super) message: String,
    pub(super) effects: FiringEffects,
}

/// What an activation may do on the state that a commit finds.
#[derive(Debug, Clone)]
pub(super) enum ActivationVerdict {
    /// It acts. With its record so far, if there is one.
    Act(Option<Box<Firing>>, Expected),
    /// It fires, but does not act.
    Restrain(Restraint),
    /// Nothing: someone else was faster, or the alert is over.
    Nothing,
}

impl Activation {
    /// Its id: the same on every node that receives the alert.
    pub(super) fn id(&self) -> FiringId {
        match &self.by {
            Initiator::Person(confirming) => confirming.id.clone(),
            Initiator::Trigger => {
                let (millis, random) = self.parts("firing");
                FiringId::from_parts(millis, random)
            }
        }
    }

    /// The id of its kill of a flag.
    pub(super) fn kill_id(&self, scope: &str) -> KillId {
        let (millis, random) = self.parts(scope);
        KillId::from_parts(millis, random)
    }

    /// When it began, and 80 bits of what it is.
    fn parts(&self, what: &str) -> (u64, u128) {
        let millis = self.signal.at.as_millisecond();
        let parts = [self.environment.as_str(), self.trigger.name.as_str(), &self.signal.group, what];
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes().chain([0])).chain(millis.to_be_bytes()).collect();
        let digest = Digest::of([bytes.as_slice()]);
        let random = digest.bytes().iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        (u64::try_from(millis).unwrap_or_default(), random)
    }

    /// The author of what it does.
    pub(super) fn author(&self) -> Author {
        match &self.by {
            Initiator::Person(confirming) => confirming.author.clone(),
            Initiator::Trigger => Author {
                actor: Actor::trigger(&self.trigger.name),
                origin: Origin {
                    node: self.node.clone(),
                    address: None,
                    request: None,
                },
            },
        }
    }

    /// The reason that the log records with what it does.
    pub(super) fn why(&self) -> String {
        let name = &self.trigger.name;
        match &self.by {
            Initiator::Trigger => format!("trigger {name} fired: {}", self.signal.summary),
            Initiator::Person(confirming) => {
                let Attribution { by, reason, .. } = &confirming.answered;
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                format!("{} confirmed trigger {name}{reason}: {}", by.name, self.signal.summary)
            }
        }
    }

    /// What it may do on `state`.
    pub(super) fn verdict(&self, state: &EnvironmentState) -> Result<ActivationVerdict, CommitError> {
        match &self.by {
            Initiator::Trigger => Ok(match decision::of(&state.records, &self.trigger, &self.signal, self.now) {
                SignalDecision::Act => ActivationVerdict::Act(None, Expected::Absent),
                SignalDecision::Restrain(step) => ActivationVerdict::Restrain(step),
                SignalDecision::Repeat(_) | SignalDecision::Resolve(_) | SignalDecision::ResolveUnknown | SignalDecision::Ignore(_) => {
                    ActivationVerdict::Nothing
                }
            }),
            Initiator::Person(confirming) => {
                let entry = state.records.firings.get(confirming.id.as_str());
                let found = entry.and_then(|entry| Some((entry, entry.value().ok()?)));
                let (entry, firing) = found.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Firing(confirming.id.clone()))))?;
                match firing.why_not_confirmed(self.now) {
                    None => Ok(ActivationVerdict::Act(Some(Box::new(firing.clone())), Expected::Digest(*entry.digest()))),
                    Some(why) => Err(unanswerable(firing, why)),
                }
            }
        }
    }

    /// Its record: new, or in place of `before`.
    pub(super) fn firing(&self, before: Option<&Firing>, result: FiringResult) -> Firing {
        let FiringResult { state, message, effects } = result;
        let waits = state.can_be_confirmed();
        // A gate's signal is a moment; it stays open only while a person may answer.
        let is_moment = matches!(self.trigger.source, SignalSource::Gate(_)) && !waits;
        let answer_within = SignedDuration::from_millis(i64::try_from(self.trigger.answer_within.millis()).unwrap_or(i64::MAX));
        let answered = match &self.by {
            Initiator::Trigger => None,
            Initiator::Person(confirming) => Some(confirming.answered.clone()),
        };
        let fresh = Firing {
            id: self.id(),
            trigger: self.trigger.name.clone(),
            group: self.signal.group.clone(),
            summary: self.signal.summary.clone(),
            labels: self.signal.labels.clone(),
            started: self.signal.at,
            at: self.now,
            node: self.node.clone(),
            action: self.trigger.action.clone(),
            state,
            message: String::new(),
            effects: FiringEffects::default(),
            answer_by: None,
            answered: None,
            repeats: 0,
            resolved: None,
            delivery: self.delivery,
        };
        let base = before.cloned().unwrap_or(fresh);
        Firing {
            state,
            message,
            effects,
            answer_by: if waits { self.now.checked_add(answer_within).ok() } else { base.answer_by },
            resolved: if is_moment { Some(self.signal.at) } else { base.resolved },
            answered,
            ..base
        }
    }
}

pub(super) fn unanswerable(firing: &Firing, why: String) -> CommitError {
    CommitError::Conflict(StateConflict::WrongState {
        what: format!("firing {}", firing.id),
        state: firing.state.as_str(),
        why,
    })
}

/// Writes a firing's record; the oldest make room for a new one.
pub(super) fn put(records: &Records, firing: Firing, expected: Expected, now: Timestamp) -> Result<Vec<Operation>, CommitError> {
    let is_new = records.firings.get(firing.id.as_str()).is_none();
    let mut operations = vec![Operation::put_record(firing.id.clone(), firing, expected)?];
    if is_new {
        operations.extend(surplus(records, now));
    }
    Ok(operations)
}

/// The firings that make room for one more: first the oldest that are over and no longer count towards a limit, then the others.
fn surplus(records: &Records, now: Timestamp) -> Vec<Operation> {
    let more = (records.firings.len() + 1).saturating_sub(limits::FIRINGS);
    if more == 0 {
        return Vec::new();
    }
    let rank = |firing: &Firing| {
        let cooldown = records
            .triggers
            .value(firing.trigger.as_str())
            .map(|trigger| trigger.cooldown)
            .unwrap_or_default();
        (decision::still_counts(firing, cooldown, now), firing.is_open(), firing.at)
    };
    let firings = records.firings.iter();
    let mut ranked: Vec<_> = firings.map(|entry| (entry.value().ok().map(rank), entry.key().clone())).collect();
    ranked.sort();
    let gone = ranked.into_iter().take(more);
    gone.map(|(_, id)| Operation::DeleteRecord(RecordKey::Firing(id), Expected::Anything)).collect()
}

/// The flags that an action names; if it names none, the one that the signal is about.
pub(super) fn flags_or_own(named: &BTreeSet<FlagKey>, signal: &Signal) -> BTreeSet<FlagKey> {
    if named.is_empty() {
        return signal.flag.iter().cloned().collect();
    }
    named.clone()
}
