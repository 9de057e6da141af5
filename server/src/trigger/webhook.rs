//! A delivery on its way in: proven, read, decided, answered.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::triggers::{HookOutcome, HookResponse};
use ripcord_proto::trigger::{Firing, FiringState, HookName, SignalSource, Trigger, TriggerState};
use ripcord_proto::{FiringId, ValidationErrors};
use tokio::sync::oneshot;

use super::activation::{Activation, Initiator, put};
use super::decision::{self, SignalDecision};
use super::dedup::Novelty;
use super::dedup::RepeatFlush;
use super::dedup::{InFlightError, InFlightGuard};
use super::firing_record::RecordOutcome;
use super::signal::{self, ParsedPayload, Signal, SignalPhase};
use super::signature::{self, SentAt, SignatureError, SignatureHeaders, VerifiedDelivery};
use super::{Triggers, messages, metrics};
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
    pub async fn deliver(&self, hook: &str, proof: &SignatureHeaders<'_>, body: Bytes) -> Result<HookResponse, ApiError> {
        let now = self.inner.environments.clock().now();
        let refused = |unproven: SignatureError| {
            metrics::refusal(unproven.as_str());
            ApiError::from(unproven)
        };
        let (hook, trigger) = self.find(hook).ok_or_else(|| refused(SignatureError::Invalid))?;
        let genuine = signature::check(&trigger, proof, &body, now).map_err(refused)?;
        let is_signed = genuine.sent != SentAt::Unknown;
        if is_signed && (self.inner.replay_cache.take(genuine.digest, now) == Novelty::Duplicate || self.was_taken(&hook, &genuine.digest)) {
            metrics::delivery(&hook, HookOutcome::Duplicate);
            let says = "This very delivery was taken before; nothing was done".to_owned();
            return Ok(answer(HookOutcome::Duplicate, says));
        }
        let this = self.clone();
        let taken = self.to_its_end(async move {
            let came = this.take_in(&hook, trigger, &genuine, &body, now).await;
            match &came {
                Ok(answer) => metrics::delivery(&hook, answer.outcome),
                Err(refusal) => {
                    if is_signed {
                        this.inner.replay_cache.forget(&genuine.digest);
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
        metrics::refused(refusal.problem().code);
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
        (!matches!(trigger.source, SignalSource::Gate(_))).then(|| (hook, Arc::new(trigger)))
    }

    /// Whether a delivery made a firing on another node, or before a restart.
    fn was_taken(&self, hook: &HookName, delivery: &Digest) -> bool {
        let Ok(state) = self.inner.environments.state(&hook.environment) else {
            return false;
        };
        let mut firings = state.records.firings.iter().filter_map(|entry| entry.value().ok());
        firings.any(|firing| firing.trigger == hook.trigger && firing.delivery == *delivery)
    }

    async fn take_in(&self, hook: &HookName, trigger: Arc<Trigger>, genuine: &VerifiedDelivery, body: &[u8], now: Timestamp) -> Result<HookResponse, ApiError> {
        let told = match genuine.sent {
            SentAt::Signed(at) => at,
            SentAt::InBody | SentAt::Unknown => now,
        };
        let unreadable = |faults: ValidationErrors| {
            let detail = "Nothing was done: the body is not what this trigger takes; errors names what is wrong.";
            ApiError::from(ripcord_proto::problem::Problem::new(Code::Invalid, detail).with_errors(faults))
        };
        let payload = signal::parse(body).map_err(unreadable)?;
        let signal = match signal::read(&trigger, &payload, told).map_err(unreadable)? {
            ParsedPayload::Signal(signal) => signal,
            ParsedPayload::NoSignal(why) => return Ok(answer(HookOutcome::Ignored, format!("Nothing was done: {why}"))),
        };
        if genuine.sent == SentAt::InBody {
            signature::check_window(signal.at, now)?;
        }
        if matches!(trigger.source, SignalSource::Json(_)) && self.inner.replay_cache.is_overtaken(hook, signal.at) {
            let says = "Nothing was done: a newer delivery has told how things are".to_owned();
            return Ok(answer(HookOutcome::Ignored, says));
        }
        self.signalled(hook, trigger, signal, genuine.digest).await
    }

    /// Takes a signal of a trigger, wherever it comes from.
    pub(super) async fn signalled(&self, hook: &HookName, trigger: Arc<Trigger>, signal: Signal, delivery: Digest) -> Result<HookResponse, ApiError> {
        if trigger.state == TriggerState::Disarmed {
            let says = format!("Nothing was done: trigger {} is disarmed", trigger.name);
            return Ok(answer(HookOutcome::Disarmed, says));
        }
        let state = self.inner.environments.state(&hook.environment)?;
        let now = self.inner.environments.clock().now();
        let decision = decision::of(&state.records, &trigger, &signal, now);
        let activation = Activation {
            environment: hook.environment.clone(),
            trigger,
            signal,
            delivery,
            now,
            node: self.inner.node.clone(),
            by: Initiator::Trigger,
        };
        match decision {
            SignalDecision::Ignore(why) => Ok(answer(HookOutcome::Ignored, format!("Nothing was done: {why}"))),
            SignalDecision::Repeat(id) => Ok(self.repeated(&activation, &id)),
            SignalDecision::Resolve(id) => self.ended(activation, id).await,
            SignalDecision::ResolveUnknown => self.ended_unbegun(activation).await,
            SignalDecision::Act | SignalDecision::Restrain(_) => self.fires(hook, activation, decision).await,
        }
    }

    async fn fires(&self, hook: &HookName, activation: Activation, decision: SignalDecision) -> Result<HookResponse, ApiError> {
        let guard = match self.guard(hook, &activation) {
            Ok(guard) => guard,
            Err(answered) => return answered,
        };
        // Whoever had the turn before may have dealt with it since this was decided.
        let state = self.inner.environments.state(&activation.environment)?;
        if let SignalDecision::Repeat(id) = decision::of(&state.records, &activation.trigger, &activation.signal, activation.now) {
            return Ok(self.repeated(&activation, &id));
        }
        let kept = match decision {
            SignalDecision::Restrain(step) => {
                let would = self.would(&activation).await;
                self.keep_step(activation.clone(), step, would, guard).await?
            }
            SignalDecision::Act | SignalDecision::Repeat(_) | SignalDecision::Resolve(_) | SignalDecision::ResolveUnknown | SignalDecision::Ignore(_) => {
                self.act(activation.clone(), guard).await?
            }
        };
        Ok(match kept {
            RecordOutcome::Written(firing) => fired(&firing, HookOutcome::Fired, false),
            RecordOutcome::Deferred(firing) => fired(&firing, HookOutcome::Fired, true),
            RecordOutcome::Superseded => self.repeated(&activation, &activation.id()),
        })
    }

    /// The turn to deal with an incident, or what whoever comes second is answered.
    fn guard(&self, hook: &HookName, activation: &Activation) -> Result<InFlightGuard, Result<HookResponse, ApiError>> {
        self.inner.in_flight.take(hook.clone(), &activation.signal.group).map_err(|why| match why {
            InFlightError::AlreadyRunning => Ok(self.repeated(activation, &activation.id())),
            InFlightError::TooMany => {
                let detail = "Too many incidents are being dealt with at once; send it again in a moment.";
                Err(ApiError::new(Code::NotReady, detail).retry_after(1))
            }
        })
    }

    /// Counts a repeat, and sees to it that what was counted is written down in a while.
    fn repeated(&self, activation: &Activation, id: &FiringId) -> HookResponse {
        if self.inner.repeats.add(id) == RepeatFlush::Needed {
            let (triggers, activation, firing) = (self.clone(), activation.clone(), id.clone());
            let tasks = self.inner.environments.tasks();
            let stop = tasks.stop_token();
            tasks.short_lived(async move {
                // What was counted before the end is written down at the end.
                stop.run_until_cancelled(tokio::time::sleep(COUNTING)).await;
                triggers.write_repeats(&activation, &firing).await;
            });
        }
        HookResponse {
            firing: Some(id.clone()),
            ..answer(HookOutcome::Repeat, messages::repeat(id))
        }
    }

    async fn write_repeats(&self, activation: &Activation, id: &FiringId) {
        let unwritten = self.inner.repeats.unwritten(id);
        let (firing, started, now) = (id.clone(), activation.signal.at, activation.now);
        let decide = move |state: &EnvironmentState| {
            let Some(found) = state.records.firings.value(firing.as_str()) else {
                return Ok(Vec::new());
            };
            let mut next = found.clone();
            next.repeats = next.repeats.saturating_add(unwritten);
            next.started = next.started.max(started);
            put(&state.records, next, Expected::Anything, now)
        };
        let _ = self.commit_quietly(activation, Operation::decide(decide)).await;
        // With the store away they go uncounted: nothing hangs on their number.
        self.inner.repeats.written(id, unwritten);
    }

    async fn ended(&self, activation: Activation, id: FiringId) -> Result<HookResponse, ApiError> {
        let unwritten = self.inner.repeats.unwritten(&id);
        let (firing, signal, now) = (id.clone(), activation.signal.clone(), activation.now);
        let decide = move |state: &EnvironmentState| {
            let found = state.records.firings.value(firing.as_str());
            let Some(open) = found.filter(|found| found.is_open() && signal.at >= found.started) else {
                return Ok(Vec::new());
            };
            let mut next = open.clone();
            next.resolved = Some(signal.at);
            next.repeats = next.repeats.saturating_add(unwritten);
            if next.state.can_be_confirmed() {
                next.message = format!("{}. It ended at {} before anybody answered", next.message, signal.at);
            }
            put(&state.records, next, Expected::Anything, now)
        };
        self.commit_quietly(&activation, Operation::decide(decide)).await?;
        self.inner.repeats.written(&id, unwritten);
        Ok(HookResponse {
            firing: Some(id),
            ..answer(
                HookOutcome::Resolved,
                format!("The incident ended at {}; what was done about it stays", activation.signal.at),
            )
        })
    }

    async fn ended_unbegun(&self, activation: Activation) -> Result<HookResponse, ApiError> {
        let mut firing = activation.firing(
            None,
            FiringState::Resolved,
            messages::ended_unbegun(activation.signal.at),
            ripcord_proto::trigger::FiringEffects::default(),
        );
        firing.resolved = Some(activation.signal.at);
        let (signal, trigger, now) = (activation.signal.clone(), Arc::clone(&activation.trigger), activation.now);
        let decide = move |state: &EnvironmentState| match decision::of(&state.records, &trigger, &signal, now) {
            SignalDecision::ResolveUnknown => put(&state.records, firing.clone(), Expected::Anything, now),
            SignalDecision::Act | SignalDecision::Restrain(_) | SignalDecision::Repeat(_) | SignalDecision::Resolve(_) | SignalDecision::Ignore(_) => {
                Ok(Vec::new())
            }
        };
        self.commit_quietly(&activation, Operation::decide(decide)).await?;
        Ok(answer(HookOutcome::Resolved, messages::ended_unbegun(activation.signal.at)))
    }

    async fn commit_quietly(&self, activation: &Activation, ask: Operation) -> Result<(), CommitError> {
        let phase = if activation.signal.phase == SignalPhase::Resolved {
            "was told that it ended"
        } else {
            "was told again"
        };
        let draft = crate::commit::Draft {
            reason: Some(format!("trigger {} {phase}: {}", activation.trigger.name, activation.signal.summary)),
            ..crate::commit::Draft::new(activation.environment.clone(), activation.author(), vec![ask])
        };
        self.inner.environments.commit(draft).await.map(drop)
    }
}

fn answer(outcome: HookOutcome, message: String) -> HookResponse {
    HookResponse {
        outcome,
        message,
        firing: None,
        kills: Vec::new(),
        rollback: None,
        provisional: false,
    }
}

fn fired(firing: &Firing, outcome: HookOutcome, later: bool) -> HookResponse {
    HookResponse {
        firing: Some(firing.id.clone()),
        kills: firing.effects.kills.clone(),
        rollback: firing.effects.rollback.clone(),
        provisional: later || firing.effects.provisional,
        ..answer(outcome, firing.message.clone())
    }
}
