//! Confirming or declining a firing that waits for a person.

use std::sync::Arc;

use ripcord_proto::duration::HumanDuration;
use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::trigger::{Attribution, Firing, FiringState, HookName, SignalSource, Trigger, TriggerAction};
use ripcord_proto::{EnvironmentKey, FiringId};

use super::activation::{Activation, Initiator, PersonConfirmation, put, unanswerable};
use super::firing_record::RecordOutcome;
use super::signal::{Signal, SignalPhase};
use super::{Triggers, messages};
use crate::commit::state::EnvironmentState;
use crate::commit::{Author, CommitError, Expected, IdempotentCall, MissingItem, Operation};

/// A person's confirmation of a firing that waits.
#[derive(Debug, Clone)]
pub struct FiringConfirmation {
    pub author: Author,
    pub reason: Option<String>,
    /// The idempotent call that it came with, if any.
    pub call: Option<IdempotentCall>,
}

impl Triggers {
    /// Does what a firing asked for; answers with its record.
    ///
    /// # Errors
    /// It does not exist, no longer waits, or is being handled.
    pub async fn confirm(&self, environment: &EnvironmentKey, id: &FiringId, confirmation: FiringConfirmation) -> Result<Firing, CommitError> {
        let FiringConfirmation { author, reason, call } = confirmation;
        let (state, now) = (self.inner.environments.state(environment)?, self.inner.environments.clock().now());
        let firing = found(&state, id)?;
        if let Some(why) = firing.why_not_confirmed(now) {
            return Err(unanswerable(firing, why));
        }
        let trigger = state.records.triggers.value(firing.trigger.as_str());
        let trigger = trigger.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Trigger(firing.trigger.clone()))))?;
        if needs_second_person(&state, trigger, firing, &author) {
            let why = "the environment's policy requires a second person, and this is the person who made the trigger".to_owned();
            return Err(unanswerable(firing, why));
        }
        let hook = HookName {
            environment: environment.clone(),
            trigger: trigger.name.clone(),
        };
        let busy = || unanswerable(firing, "it is being handled; try again in a moment".to_owned());
        let guard = self.inner.in_flight.take(hook, &firing.group).map_err(|_| busy())?;
        let answered = Attribution {
            by: author.actor.clone(),
            at: now,
            reason,
        };
        let activation = Activation {
            environment: environment.clone(),
            trigger: Arc::new(as_asked(trigger, firing)),
            signal: signal(firing),
            delivery: firing.delivery,
            now,
            node: self.inner.node.clone(),
            by: Initiator::Person(Box::new(PersonConfirmation {
                id: id.clone(),
                author,
                answered,
                call,
            })),
        };
        let (this, firing) = (self.clone(), firing.clone());
        match self.run_to_end(async move { this.act(activation, guard).await }).await?? {
            RecordOutcome::Written(firing) | RecordOutcome::Deferred(firing) => Ok(*firing),
            RecordOutcome::Superseded => Err(unanswerable(&firing, "someone else was faster".to_owned())),
        }
    }

    /// Declines a firing that waits. Nothing is done.
    pub fn decline(&self, id: FiringId, answered: Attribution) -> Operation {
        let now = self.inner.environments.clock().now();
        Operation::decide(move |state: &EnvironmentState| {
            let firing = found(state, &id)?;
            if let Some(why) = firing.why_not_confirmed(now) {
                return Err(unanswerable(firing, why));
            }
            let age = u64::try_from(now.duration_since(firing.at).as_secs()).unwrap_or_default();
            let next = Firing {
                state: FiringState::Declined,
                message: messages::declined(&answered.by.name, answered.reason.as_deref(), HumanDuration::from_millis(age * 1_000)),
                answered: Some(answered.clone()),
                // A gate's signal is a moment: with the answer it is over.
                resolved: firing.resolved.or_else(|| is_of_a_gate(state, firing).then_some(firing.started)),
                ..firing.clone()
            };
            put(&state.records, next, Expected::Anything, now)
        })
    }
}

fn found<'s>(state: &'s EnvironmentState, id: &FiringId) -> Result<&'s Firing, CommitError> {
    let firing = state.records.firings.value(id.as_str());
    firing.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Firing(id.clone()))))
}

/// Whether a rollback needs a different person than the one who made the trigger.
fn needs_second_person(state: &EnvironmentState, trigger: &Trigger, firing: &Firing, author: &Author) -> bool {
    let is_guarded = state.records.policy().second_person.contains(&GuardedOperation::Rollback);
    is_guarded && matches!(firing.action, TriggerAction::Rollback(_)) && author.actor.key == trigger.by.key
}

fn is_of_a_gate(state: &EnvironmentState, firing: &Firing) -> bool {
    let trigger = state.records.triggers.value(firing.trigger.as_str());
    trigger.is_some_and(|trigger| matches!(trigger.source, SignalSource::Gate(_)))
}

/// The trigger with the action that the firing asked for, whatever it is now.
fn as_asked(trigger: &Trigger, firing: &Firing) -> Trigger {
    Trigger {
        action: firing.action.clone(),
        ..trigger.clone()
    }
}

fn signal(firing: &Firing) -> Signal {
    Signal {
        group: firing.group.clone(),
        phase: SignalPhase::Firing,
        at: firing.started,
        labels: firing.labels.clone(),
        summary: firing.summary.clone(),
        flag: match &firing.action {
            TriggerAction::Kill(names) if names.flags.is_empty() => firing.labels.get("flag").and_then(|flag| flag.parse().ok()),
            TriggerAction::Kill(_) | TriggerAction::Hold(_) | TriggerAction::Rollback(_) => None,
        },
    }
}
