//! Records of firings: committed with what they did or after it, and later where the store is away.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::FiringId;
use ripcord_proto::change::Change;
use ripcord_proto::record::Record;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::{Effects, Firing, FiringState};
use serde_json::value::to_raw_value;

use super::fate::Step;
use super::incident::{Admitted, By, Incident, put};
use super::turns::Turn;
use super::{Triggers, count, says};
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, Approval, CommitError, Draft, Expected, Operation, Outcome, Precheck, RenderedAnswer, Renderer};

/// How long the caller waits for a record before it is answered and the record is written behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until a record is tried again that the store did not take.
const AWAY: Duration = Duration::from_millis(500);

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept {
    /// It is in the log.
    Written(Box<Firing>),
    /// It is written when the store is back.
    Later(Box<Firing>),
    /// It was not needed: somebody was faster.
    Not,
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
    pub(super) async fn commit(&self, incident: &Incident, asks: Vec<Operation>) -> Result<Option<Firing>, CommitError> {
        let call = match &incident.by {
            By::Person(confirming) => confirming.call.clone(),
            By::Itself => None,
        };
        let (id, now) = (incident.id(), incident.now);
        let draft = Draft {
            reason: Some(incident.why()),
            // What an armed trigger does was agreed on when it was made and its mode was set.
            approval: Approval::Agreed,
            call,
            renderer: Renderer::new(move |made| answer(made, &id, now)),
            ..Draft::new(incident.environment.clone(), incident.author(), asks)
        };
        let changes = match self.inner.environments.submit(draft).await? {
            Outcome::Written(applied) | Outcome::Unchanged(applied) => applied.changes,
            // What was answered before put its firing then.
            Outcome::Replayed { .. } => Vec::new(),
            Outcome::Proposed(proposal) => return Err(CommitError::Proposed(proposal)),
        };
        let firing = firing_of(&changes, &incident.id());
        if let Some(firing) = &firing {
            count::firing(&incident.environment, firing);
            tracing::warn!(env = %incident.environment, trigger = %firing.trigger, firing = %firing.id, state = firing.state.as_str(), says = firing.says, "a trigger fired");
        }
        Ok(firing)
    }

    /// Writes a record down. Where the store is away that goes on behind the answer, and the turn is kept until it is done.
    pub(super) async fn keep(&self, incident: Incident, expected: Firing, deciding: Precheck, turn: Turn) -> Result<Kept, CommitError> {
        let committing = self.commit(&incident, vec![Operation::Decide(deciding.clone())]);
        match tokio::time::timeout(PATIENCE, committing).await {
            Ok(Ok(Some(firing))) => Ok(Kept::Written(Box::new(firing))),
            Ok(Ok(None)) => Ok(Kept::Not),
            Ok(Err(error)) if !is_away(&error) => Err(error),
            Ok(Err(_)) | Err(_) => {
                self.write_behind(incident, deciding, turn);
                let says = says::later(&expected.says);
                Ok(Kept::Later(Box::new(Firing { says, ..expected })))
            }
        }
    }

    fn write_behind(&self, incident: Incident, deciding: Precheck, turn: Turn) {
        let (triggers, tasks) = (self.clone(), self.inner.environments.tasks());
        let stop = tasks.stop_token();
        tasks.short_lived(async move {
            loop {
                if stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none() {
                    tracing::error!(env = %incident.environment, firing = %incident.id(), "the server ends before this firing could be recorded");
                    break;
                }
                match triggers.commit(&incident, vec![Operation::Decide(deciding.clone())]).await {
                    Ok(_) => break,
                    Err(error) if is_away(&error) => {}
                    Err(error) => {
                        tracing::error!(env = %incident.environment, firing = %incident.id(), %error, "a firing cannot be recorded");
                        break;
                    }
                }
            }
            drop(turn);
        });
    }

    /// Records a firing that does not act.
    pub(super) async fn keep_step(&self, incident: Incident, step: Step, (would, effects): (String, Effects), turn: Turn) -> Result<Kept, CommitError> {
        let expected = stepping(&incident, &step, &would, &effects);
        let deciding = {
            let incident = incident.clone();
            move |state: &EnvironmentState| {
                // Another step, or none at all, where the records have moved on.
                let step = match incident.admitted(state)? {
                    Admitted::Steps(step) => step,
                    // What was held back, or only asked for, a moment ago is not acted on unprepared.
                    Admitted::Acts(..) => step.clone(),
                    Admitted::Nothing => return Ok(Vec::new()),
                };
                put(&state.records, stepping(&incident, &step, &would, &effects), Expected::Absent, incident.now)
            }
        };
        self.keep(incident, expected, Precheck::new(deciding), turn).await
    }

    /// Records what was done already, whatever the records say now.
    pub(super) async fn keep_deed(&self, incident: Incident, (state, says, effects): (FiringState, String, Effects), turn: Turn) -> Result<Kept, CommitError> {
        let expected = incident.firing(None, state, says.clone(), effects.clone());
        let deciding = {
            let incident = incident.clone();
            move |now: &EnvironmentState| match incident.admitted(now)? {
                Admitted::Acts(before, expected) => put(
                    &now.records,
                    incident.firing(before.as_deref(), state, says.clone(), effects.clone()),
                    expected,
                    incident.now,
                ),
                Admitted::Steps(_) => put(
                    &now.records,
                    incident.firing(None, state, says.clone(), effects.clone()),
                    Expected::Absent,
                    incident.now,
                ),
                Admitted::Nothing => added(now, &incident, &says, &effects),
            }
        };
        self.keep(incident, expected, Precheck::new(deciding), turn).await
    }
}

/// A firing that does not act.
pub(super) fn stepping(incident: &Incident, step: &Step, would: &str, effects: &Effects) -> Firing {
    let state = match step {
        Step::Ask => FiringState::Waiting,
        Step::Record => FiringState::Recorded,
        Step::Rehearse => FiringState::DryRun,
        Step::HoldBack(_) => FiringState::Suppressed,
    };
    incident.firing(None, state, says::step(incident, step, would), effects.clone())
}

/// What was done is added to the record that somebody else has made of the same incident meanwhile, where it is not there yet.
fn added(state: &EnvironmentState, incident: &Incident, says: &str, effects: &Effects) -> Result<Vec<Operation>, CommitError> {
    let id = incident.id();
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
    next.says = format!("{}. {says}", next.says);
    put(&state.records, next, Expected::Anything, incident.now)
}
