//! Records of firings: committed with what they did or after it, and later where the store is away.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::FiringId;
use ripcord_proto::change::Change;
use ripcord_proto::record::Record;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::{Firing, FiringEffects, FiringState};
use serde_json::value::to_raw_value;

use super::activation::{Activation, ActivationVerdict, Initiator, put};
use super::decision::Restraint;
use super::dedup::InFlightGuard;
use super::{Triggers, messages, metrics};
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, Approval, CommitError, Draft, Expected, Operation, Outcome, Precheck, RenderedAnswer, Renderer};

/// How long the caller waits for a record before it is answered and the record is written behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until a record is tried again that the store did not take.
const AWAY: Duration = Duration::from_millis(500);

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RecordOutcome {
    /// It is in the log.
    Written(Box<Firing>),
    /// It is written when the store is back.
    Deferred(Box<Firing>),
    /// It was not needed: somebody was faster.
    Superseded,
}

/// Whether an error says that the store is away, or does not say what became of it.
pub(super) const fn is_away(error: &CommitError) -> bool {
    error.is_store_away()
}

/// What is recorded as the answer to a person.
fn answer(made: &Applied, id: &FiringId, now: Timestamp) -> RenderedAnswer {
    let view = firing_of(&made.changes, id).map(|firing| FiringView::of(firing, now));
    RenderedAnswer {
        status: 200,
        body: to_raw_value(&view).unwrap_or_default(),
    }
}

/// The firing of this id that `changes` put.
fn firing_of<'c>(changes: impl IntoIterator<Item = &'c Change>, id: &FiringId) -> Option<Firing> {
    let changes = changes.into_iter();
    let mut firings = changes
        .filter_map(Change::record)
        .filter_map(|record| if let Record::Firing(entry) = record { Some(entry) } else { None });
    firings.find(|entry| entry.key() == id)?.value().ok().cloned()
}

impl Triggers {
    /// Commits what `asks` come to; the firing that it put, where it put one.
    pub(super) async fn commit(&self, activation: &Activation, asks: Vec<Operation>) -> Result<Option<Firing>, CommitError> {
        let call = match &activation.by {
            Initiator::Person(confirming) => confirming.call.clone(),
            Initiator::Trigger => None,
        };
        let (id, now) = (activation.id(), activation.now);
        let draft = Draft {
            reason: Some(activation.why()),
            // What an armed trigger does was agreed on when it was made and its mode was set.
            approval: Approval::Agreed,
            call,
            renderer: Renderer::new(move |made| answer(made, &id, now)),
            ..Draft::new(activation.environment.clone(), activation.author(), asks)
        };
        let changes = match self.inner.environments.submit(draft).await? {
            Outcome::Written(applied) | Outcome::Unchanged(applied) => applied.changes,
            // What was answered before put its firing then.
            Outcome::Replayed { .. } => Vec::new(),
            Outcome::Proposed(proposal) => return Err(CommitError::Proposed(proposal)),
        };
        let firing = firing_of(&changes, &activation.id());
        if let Some(firing) = &firing {
            metrics::firing(&activation.environment, firing);
            tracing::warn!(env = %activation.environment, trigger = %firing.trigger, firing = %firing.id, state = firing.state.as_str(), says = firing.message, "a trigger fired");
        }
        Ok(firing)
    }

    /// Writes a record down. Where the store is away that goes on behind the answer, and the turn is kept until it is done.
    pub(super) async fn keep(&self, activation: Activation, expected: Firing, deciding: Precheck, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let committing = self.commit(&activation, vec![Operation::Decide(deciding.clone())]);
        match tokio::time::timeout(PATIENCE, committing).await {
            Ok(Ok(Some(firing))) => Ok(RecordOutcome::Written(Box::new(firing))),
            Ok(Ok(None)) => Ok(RecordOutcome::Superseded),
            Ok(Err(error)) if !is_away(&error) => Err(error),
            Ok(Err(_)) | Err(_) => {
                self.write_behind(activation, deciding, guard);
                let says = messages::later(&expected.message);
                Ok(RecordOutcome::Deferred(Box::new(Firing { message: says, ..expected })))
            }
        }
    }

    fn write_behind(&self, activation: Activation, deciding: Precheck, guard: InFlightGuard) {
        let (triggers, tasks) = (self.clone(), self.inner.environments.tasks());
        let stop = tasks.stop_token();
        tasks.short_lived(async move {
            loop {
                if stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none() {
                    tracing::error!(env = %activation.environment, firing = %activation.id(), "the server ends before this firing could be recorded");
                    break;
                }
                match triggers.commit(&activation, vec![Operation::Decide(deciding.clone())]).await {
                    Ok(_) => break,
                    Err(error) if is_away(&error) => {}
                    Err(error) => {
                        tracing::error!(env = %activation.environment, firing = %activation.id(), %error, "a firing cannot be recorded");
                        break;
                    }
                }
            }
            drop(guard);
        });
    }

    /// Records a firing that does not act.
    pub(super) async fn keep_step(
        &self,
        activation: Activation,
        step: Restraint,
        (would, effects): (String, FiringEffects),
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let expected = stepping(&activation, &step, &would, &effects);
        let deciding = {
            let activation = activation.clone();
            move |state: &EnvironmentState| {
                // Another step, or none at all, where the records have moved on.
                let step = match activation.admitted(state)? {
                    ActivationVerdict::Restrain(step) => step,
                    // What was held back, or only asked for, a moment ago is not acted on unprepared.
                    ActivationVerdict::Act(..) => step.clone(),
                    ActivationVerdict::Nothing => return Ok(Vec::new()),
                };
                put(&state.records, stepping(&activation, &step, &would, &effects), Expected::Absent, activation.now)
            }
        };
        self.keep(activation, expected, Precheck::new(deciding), guard).await
    }

    /// Records what was done already, whatever the records say now.
    pub(super) async fn keep_deed(
        &self,
        activation: Activation,
        (state, says, effects): (FiringState, String, FiringEffects),
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let expected = activation.firing(None, state, says.clone(), effects.clone());
        let deciding = {
            let activation = activation.clone();
            move |now: &EnvironmentState| match activation.admitted(now)? {
                ActivationVerdict::Act(before, expected) => put(
                    &now.records,
                    activation.firing(before.as_deref(), state, says.clone(), effects.clone()),
                    expected,
                    activation.now,
                ),
                ActivationVerdict::Restrain(_) => put(
                    &now.records,
                    activation.firing(None, state, says.clone(), effects.clone()),
                    Expected::Absent,
                    activation.now,
                ),
                ActivationVerdict::Nothing => added(now, &activation, &says, &effects),
            }
        };
        self.keep(activation, expected, Precheck::new(deciding), guard).await
    }
}

/// A firing that does not act.
pub(super) fn stepping(activation: &Activation, step: &Restraint, would: &str, effects: &FiringEffects) -> Firing {
    let state = match step {
        Restraint::AskFirst => FiringState::Waiting,
        Restraint::RecordOnly => FiringState::Recorded,
        Restraint::DryRun => FiringState::DryRun,
        Restraint::Suppress(_) => FiringState::Suppressed,
    };
    activation.firing(None, state, messages::step(activation, step, would), effects.clone())
}

/// What was done is added to the record that somebody else has made of the same incident meanwhile, where it is not there yet.
fn added(state: &EnvironmentState, activation: &Activation, says: &str, effects: &FiringEffects) -> Result<Vec<Operation>, CommitError> {
    let id = activation.id();
    let Some(found) = state.records.firings.value(id.as_str()) else {
        return Ok(Vec::new());
    };
    let news: Vec<_> = effects.kills.iter().filter(|kill| !found.effects.kills.contains(kill)).cloned().collect();
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let mut next = found.clone();
    next.effects.kills.extend(news);
    next.effects.provisional |= effects.provisional;
    if !next.state.is_action() {
        next.state = FiringState::Acted;
    }
    next.message = format!("{}. {says}", next.message);
    put(&state.records, next, Expected::Anything, activation.now)
}
