//! Records of firings: committed together with what they did, or after it; later if the store is away.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::FiringId;
use ripcord_proto::change::Change;
use ripcord_proto::record::Record;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::{Firing, FiringState};
use serde_json::value::to_raw_value;

use super::activation::{Activation, ActivationVerdict, FiringResult, Initiator, put};
use super::decision::Restraint;
use super::dedup::InFlightGuard;
use super::effects::Preview;
use super::{Triggers, messages, metrics};
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, Approval, CommitError, Draft, Expected, Operation, Outcome, Precheck, RenderedAnswer, Renderer};

/// How long the caller waits for a record before it is answered; the record is then written behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until a record that the store did not take is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RecordOutcome {
    /// It is in the log.
    Written(Box<Firing>),
    /// It is written when the store is back.
    Deferred(Box<Firing>),
    /// It was not needed: someone else was faster.
    Superseded,
}

/// The answer to the person who confirmed it, kept for repeated calls.
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
    /// Commits `operations`; answers with the firing that they wrote, if any.
    pub(super) async fn commit(&self, activation: &Activation, operations: Vec<Operation>) -> Result<Option<Firing>, CommitError> {
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
            ..Draft::new(activation.environment.clone(), activation.author(), operations)
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
            tracing::warn!(env = %activation.environment, trigger = %firing.trigger, firing = %firing.id, state = firing.state.as_str(), message = firing.message, "trigger fired");
        }
        Ok(firing)
    }

    /// Writes a record. If the store is away, it is written behind the answer, and the guard is kept until that is done.
    pub(super) async fn record(
        &self,
        activation: Activation,
        expected: Firing,
        deciding: Precheck,
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let committing = self.commit(&activation, vec![Operation::Decide(deciding.clone())]);
        match tokio::time::timeout(PATIENCE, committing).await {
            Ok(Ok(Some(firing))) => Ok(RecordOutcome::Written(Box::new(firing))),
            Ok(Ok(None)) => Ok(RecordOutcome::Superseded),
            Ok(Err(error)) if !error.is_store_away() => Err(error),
            Ok(Err(_)) | Err(_) => {
                self.write_behind(activation, deciding, guard);
                let says = messages::deferred(&expected.message);
                Ok(RecordOutcome::Deferred(Box::new(Firing { message: says, ..expected })))
            }
        }
    }

    fn write_behind(&self, activation: Activation, deciding: Precheck, guard: InFlightGuard) {
        let (triggers, tasks) = (self.clone(), self.inner.environments.tasks());
        let stop = tasks.stop_token();
        tasks.short_lived(async move {
            loop {
                if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                    tracing::error!(env = %activation.environment, firing = %activation.id(), "firing not recorded: the server is shutting down");
                    break;
                }
                match triggers.commit(&activation, vec![Operation::Decide(deciding.clone())]).await {
                    Ok(_) => break,
                    Err(error) if error.is_store_away() => {}
                    Err(error) => {
                        tracing::error!(env = %activation.environment, firing = %activation.id(), %error, "firing not recorded");
                        break;
                    }
                }
            }
            drop(guard);
        });
    }

    /// Records a firing that does not act.
    pub(super) async fn record_restrained(
        &self,
        activation: Activation,
        restraint: Restraint,
        preview: Preview,
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let expected = restrained(&activation, &restraint, &preview);
        let deciding = {
            let activation = activation.clone();
            move |state: &EnvironmentState| {
                // The records may have moved on: then another restraint holds, or nothing is to be recorded.
                let restraint = match activation.verdict(state)? {
                    ActivationVerdict::Restrain(restraint) => restraint,
                    // What was suppressed, or only asked for, a moment ago does not act unprepared.
                    ActivationVerdict::Act(..) => restraint.clone(),
                    ActivationVerdict::Nothing => return Ok(Vec::new()),
                };
                put(&state.records, restrained(&activation, &restraint, &preview), Expected::Absent, activation.now)
            }
        };
        self.record(activation, expected, Precheck::new(deciding), guard).await
    }

    /// Records what was done already, whatever the records say now.
    pub(super) async fn record_done(&self, activation: Activation, done: FiringResult, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let expected = activation.firing(None, done.clone());
        let deciding = {
            let activation = activation.clone();
            move |now: &EnvironmentState| match activation.verdict(now)? {
                ActivationVerdict::Act(before, expected) => {
                    let firing = activation.firing(before.as_deref(), done.clone());
                    put(&now.records, firing, expected, activation.now)
                }
                ActivationVerdict::Restrain(_) => put(&now.records, activation.firing(None, done.clone()), Expected::Absent, activation.now),
                ActivationVerdict::Nothing => added(now, &activation, &done),
            }
        };
        self.record(activation, expected, Precheck::new(deciding), guard).await
    }
}

/// A firing that does not act.
pub(super) fn restrained(activation: &Activation, restraint: &Restraint, preview: &Preview) -> Firing {
    let state = match restraint {
        Restraint::AskFirst => FiringState::Waiting,
        Restraint::RecordOnly => FiringState::Recorded,
        Restraint::DryRun => FiringState::DryRun,
        Restraint::Suppress(_) => FiringState::Suppressed,
    };
    let result = FiringResult {
        state,
        message: messages::restrained(activation, restraint, &preview.would),
        effects: preview.effects.clone(),
    };
    activation.firing(None, result)
}

/// Adds what was done to the record that another node has written of the same alert, unless it is in it already.
fn added(state: &EnvironmentState, activation: &Activation, done: &FiringResult) -> Result<Vec<Operation>, CommitError> {
    let (id, effects) = (activation.id(), &done.effects);
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
    next.message = format!("{}. {}", next.message, done.message);
    put(&state.records, next, Expected::Anything, activation.now)
}
