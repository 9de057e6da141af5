//! A delivery on its way in: proven, read, decided, answered.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::triggers::{HookAnswer, HookOutcome};
use ripcord_proto::trigger::{Firing, FiringState, HookName, Source, Trigger, TriggerState};
use ripcord_proto::{Faults, FiringId};
use tokio::sync::oneshot;

use super::fate::{self, Fate};
use super::incident::{By, Incident, put};
use super::record::Kept;
use super::repeats::Writing;
use super::seen::Known;
use super::signal::{self, Phase, Reading, Signal};
use super::signature::{self, Genuine, Proof, Sent, Unproven};
use super::turns::{NoTurn, Turn};
use super::{Triggers, count, says};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, Operation};
use crate::http::ApiError;

/// How long repeats are counted before they are written down.
const COUNTING: Duration = Duration::from_secs(5);

impl Triggers {
    /// Takes a delivery and answers with what it came to. A dropped future takes nothing back: what was begun is brought to its end.
    ///
    /// # Errors
    /// It is not genuine, is outside of the replay window, cannot be read, or nothing could be done about it.
    pub async fn deliver(&self, hook: &str, proof: &Proof<'_>, body: Bytes) -> Result<HookAnswer, ApiError> {
        let now = self.inner.environments.clock().now();
        let refused = |unproven: Unproven| {
            count::refusal(unproven.as_str());
            ApiError::from(unproven)
        };
        let (hook, trigger) = self.find(hook).ok_or_else(|| refused(Unproven::Forged))?;
        let genuine = signature::check(&trigger, proof, &body, now).map_err(refused)?;
        let is_signed = genuine.sent != Sent::Unsaid;
        if is_signed && (self.inner.seen.take(genuine.digest, now) == Known::Taken || self.was_taken(&hook, &genuine.digest)) {
            count::delivery(&hook, HookOutcome::Duplicate);
            let says = "This very delivery was taken before; nothing was done".to_owned();
            return Ok(answer(HookOutcome::Duplicate, says));
        }
        let this = self.clone();
        let taken = self.to_its_end(async move {
            let came = this.take_in(&hook, trigger, &genuine, &body, now).await;
            match &came {
                Ok(answer) => count::delivery(&hook, answer.outcome),
                Err(refusal) => {
                    if is_signed {
                        this.inner.seen.forget(&genuine.digest);
                    }
                    Self::refused(refusal);
                }
            }
            came
        });
        taken.await?
    }

    /// Counts a delivery that was refused.
    pub fn refused(refusal: &ApiError) {
        count::refused(refusal.problem().code);
    }

    /// Does something to its end, whether or not the caller goes on waiting for it.
    pub(super) async fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, CommitError> {
        let (done, waits) = oneshot::channel();
        self.inner.environments.tasks().short_lived(async move {
            // A caller who has gone is told nothing.
            drop(done.send(work.await));
        });
        waits.await.map_err(|_| CommitError::Internal("the server is shutting down".to_owned()))
    }

    /// The trigger of a hook, where there is one that takes deliveries.
    fn find(&self, hook: &str) -> Option<(HookName, Arc<Trigger>)> {
        let hook: HookName = hook.parse().ok()?;
        let state = self.inner.environments.state(&hook.environment).ok()?;
        let trigger = state.records.triggers.value(hook.trigger.as_str())?.clone();
        (!matches!(trigger.source, Source::Gate(_))).then(|| (hook, Arc::new(trigger)))
    }

    /// Whether a delivery made a firing on another node, or before a restart.
    fn was_taken(&self, hook: &HookName, delivery: &Digest) -> bool {
        let Ok(state) = self.inner.environments.state(&hook.environment) else {
            return false;
        };
        let mut firings = state.records.firings.iter().filter_map(|entry| entry.value().ok());
        firings.any(|firing| firing.trigger == hook.trigger && firing.delivery == *delivery)
    }

    async fn take_in(&self, hook: &HookName, trigger: Arc<Trigger>, genuine: &Genuine, body: &[u8], now: Timestamp) -> Result<HookAnswer, ApiError> {
        let told = match genuine.sent {
            Sent::At(at) => at,
            Sent::AsTheBodySays | Sent::Unsaid => now,
        };
        let unreadable = |faults: Faults| {
            let detail = "Nothing was done: the body is not what this trigger takes; errors names what is wrong.";
            ApiError::from(ripcord_proto::problem::Problem::new(Code::Invalid, detail).with_errors(faults))
        };
        let payload = signal::parse(body).map_err(unreadable)?;
        let signal = match signal::read(&trigger, &payload, told).map_err(unreadable)? {
            Reading::Signal(signal) => signal,
            Reading::Nothing(why) => return Ok(answer(HookOutcome::Ignored, format!("Nothing was done: {why}"))),
        };
        if genuine.sent == Sent::AsTheBodySays {
            signature::check_window(signal.at, now)?;
        }
        if matches!(trigger.source, Source::Json(_)) && self.inner.seen.is_overtaken(hook, signal.at) {
            let says = "Nothing was done: a newer delivery has told how things are".to_owned();
            return Ok(answer(HookOutcome::Ignored, says));
        }
        self.signalled(hook, trigger, signal, genuine.digest).await
    }

    /// Takes a signal of a trigger, wherever it comes from.
    pub(super) async fn signalled(&self, hook: &HookName, trigger: Arc<Trigger>, signal: Signal, delivery: Digest) -> Result<HookAnswer, ApiError> {
        if trigger.state == TriggerState::Disarmed {
            let says = format!("Nothing was done: trigger {} is disarmed", trigger.name);
            return Ok(answer(HookOutcome::Disarmed, says));
        }
        let state = self.inner.environments.state(&hook.environment)?;
        let now = self.inner.environments.clock().now();
        let fate = fate::of(&state.records, &trigger, &signal, now);
        let incident = Incident {
            environment: hook.environment.clone(),
            trigger,
            signal,
            delivery,
            now,
            node: self.inner.node.clone(),
            by: By::Itself,
        };
        match fate {
            Fate::Nothing(why) => Ok(answer(HookOutcome::Ignored, format!("Nothing was done: {why}"))),
            Fate::Repeats(id) => Ok(self.repeated(&incident, &id)),
            Fate::Ends(id) => self.ended(incident, id).await,
            Fate::EndsUnbegun => self.ended_unbegun(incident).await,
            Fate::Acts | Fate::Fires(_) => self.fires(hook, incident, fate).await,
        }
    }

    async fn fires(&self, hook: &HookName, incident: Incident, fate: Fate) -> Result<HookAnswer, ApiError> {
        let turn = match self.turn(hook, &incident) {
            Ok(turn) => turn,
            Err(answered) => return answered,
        };
        // Whoever had the turn before may have dealt with it since this was decided.
        let state = self.inner.environments.state(&incident.environment)?;
        if let Fate::Repeats(id) = fate::of(&state.records, &incident.trigger, &incident.signal, incident.now) {
            return Ok(self.repeated(&incident, &id));
        }
        let kept = match fate {
            Fate::Fires(step) => {
                let would = self.would(&incident).await;
                self.keep_step(incident.clone(), step, would, turn).await?
            }
            Fate::Acts | Fate::Repeats(_) | Fate::Ends(_) | Fate::EndsUnbegun | Fate::Nothing(_) => self.act(incident.clone(), turn).await?,
        };
        Ok(match kept {
            Kept::Written(firing) => fired(&firing, HookOutcome::Fired, false),
            Kept::Later(firing) => fired(&firing, HookOutcome::Fired, true),
            Kept::Not => self.repeated(&incident, &incident.id()),
        })
    }

    /// The turn to deal with an incident, or what whoever comes second is answered.
    fn turn(&self, hook: &HookName, incident: &Incident) -> Result<Turn, Result<HookAnswer, ApiError>> {
        self.inner.turns.take(hook.clone(), &incident.signal.group).map_err(|why| match why {
            NoTurn::UnderWay => Ok(self.repeated(incident, &incident.id())),
            NoTurn::Full => {
                let detail = "Too many incidents are being dealt with at once; send it again in a moment.";
                Err(ApiError::new(Code::NotReady, detail).retry_after(1))
            }
        })
    }

    /// Counts a repeat, and sees to it that what was counted is written down in a while.
    fn repeated(&self, incident: &Incident, id: &FiringId) -> HookAnswer {
        if self.inner.repeats.add(id) == Writing::ToBeArranged {
            let (triggers, incident, firing) = (self.clone(), incident.clone(), id.clone());
            let tasks = self.inner.environments.tasks();
            let stop = tasks.stop_token();
            tasks.short_lived(async move {
                // What was counted before the end is written down at the end.
                stop.run_until_cancelled(tokio::time::sleep(COUNTING)).await;
                triggers.write_repeats(&incident, &firing).await;
            });
        }
        HookAnswer {
            firing: Some(id.clone()),
            ..answer(HookOutcome::Repeat, says::repeat(id))
        }
    }

    async fn write_repeats(&self, incident: &Incident, id: &FiringId) {
        let unwritten = self.inner.repeats.unwritten(id);
        let (firing, started, now) = (id.clone(), incident.signal.at, incident.now);
        let decide = move |state: &EnvironmentState| {
            let Some(found) = state.records.firings.value(firing.as_str()) else {
                return Ok(Vec::new());
            };
            let mut next = found.clone();
            next.repeats = next.repeats.saturating_add(unwritten);
            next.started = next.started.max(started);
            put(&state.records, next, Expected::Anything, now)
        };
        let _ = self.commit_quietly(incident, Operation::decide(decide)).await;
        // With the store away they go uncounted: nothing hangs on their number.
        self.inner.repeats.written(id, unwritten);
    }

    async fn ended(&self, incident: Incident, id: FiringId) -> Result<HookAnswer, ApiError> {
        let unwritten = self.inner.repeats.unwritten(&id);
        let (firing, signal, now) = (id.clone(), incident.signal.clone(), incident.now);
        let decide = move |state: &EnvironmentState| {
            let found = state.records.firings.value(firing.as_str());
            let Some(open) = found.filter(|found| found.is_open() && signal.at >= found.started) else {
                return Ok(Vec::new());
            };
            let mut next = open.clone();
            next.resolved = Some(signal.at);
            next.repeats = next.repeats.saturating_add(unwritten);
            if next.state.can_be_confirmed() {
                next.says = format!("{}. It ended at {} before anybody answered", next.says, signal.at);
            }
            put(&state.records, next, Expected::Anything, now)
        };
        self.commit_quietly(&incident, Operation::decide(decide)).await?;
        self.inner.repeats.written(&id, unwritten);
        Ok(HookAnswer {
            firing: Some(id),
            ..answer(
                HookOutcome::Resolved,
                format!("The incident ended at {}; what was done about it stays", incident.signal.at),
            )
        })
    }

    async fn ended_unbegun(&self, incident: Incident) -> Result<HookAnswer, ApiError> {
        let mut firing = incident.firing(
            None,
            FiringState::Resolved,
            says::ended_unbegun(incident.signal.at),
            ripcord_proto::trigger::Effects::default(),
        );
        firing.resolved = Some(incident.signal.at);
        let (signal, trigger, now) = (incident.signal.clone(), Arc::clone(&incident.trigger), incident.now);
        let decide = move |state: &EnvironmentState| match fate::of(&state.records, &trigger, &signal, now) {
            Fate::EndsUnbegun => put(&state.records, firing.clone(), Expected::Anything, now),
            Fate::Acts | Fate::Fires(_) | Fate::Repeats(_) | Fate::Ends(_) | Fate::Nothing(_) => Ok(Vec::new()),
        };
        self.commit_quietly(&incident, Operation::decide(decide)).await?;
        Ok(answer(HookOutcome::Resolved, says::ended_unbegun(incident.signal.at)))
    }

    async fn commit_quietly(&self, incident: &Incident, ask: Operation) -> Result<(), CommitError> {
        let phase = if incident.signal.phase == Phase::Resolved {
            "was told that it ended"
        } else {
            "was told again"
        };
        let draft = crate::commit::Draft {
            reason: Some(format!("trigger {} {phase}: {}", incident.trigger.name, incident.signal.summary)),
            ..crate::commit::Draft::new(incident.environment.clone(), incident.author(), vec![ask])
        };
        self.inner.environments.commit(draft).await.map(drop)
    }
}

fn answer(outcome: HookOutcome, says: String) -> HookAnswer {
    HookAnswer {
        outcome,
        says,
        firing: None,
        kills: Vec::new(),
        rollback: None,
        provisional: false,
    }
}

fn fired(firing: &Firing, outcome: HookOutcome, later: bool) -> HookAnswer {
    HookAnswer {
        firing: Some(firing.id.clone()),
        kills: firing.effects.kills.clone(),
        rollback: firing.effects.rollback.clone(),
        provisional: later || firing.effects.provisional,
        ..answer(outcome, firing.says.clone())
    }
}
