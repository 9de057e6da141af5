//! Deliveries to a trigger's webhook: verified, parsed, decided, answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use ripcord_proto::FiringId;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::triggers::{HookOutcome, HookResponse};
use ripcord_proto::trigger::{Firing, FiringEffects, FiringState, HookName, SignalSource, Trigger, TriggerState};
use tokio::sync::oneshot;

use super::activation::{Activation, FiringResult, Initiator, put};
use super::decision::{self, SignalDecision};
use super::dedup::Novelty;
use super::dedup::RepeatFlush;
use super::dedup::{InFlightError, InFlightGuard};
use super::error::DeliveryError;
use super::firing_record::RecordOutcome;
use super::signal::{self, ParsedPayload, Signal, SignalPhase};
use super::signature::{self, SentAt, SignatureError, SignatureHeaders, VerifiedDelivery};
use super::{Triggers, messages, metrics};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, Operation};

/// How long repeats are counted before they are written.
const COUNTING: Duration = Duration::from_secs(5);

impl Triggers {
    /// Takes a delivery and answers with its result. Dropping the future cancels nothing that has begun.
    ///
    /// # Errors
    /// It is not genuine, is outside the replay window, cannot be read, or its action could not be committed.
    pub async fn deliver(&self, hook: &str, proof: &SignatureHeaders<'_>, body: Bytes) -> Result<HookResponse, DeliveryError> {
        let now = self.inner.environments.clock().now();
        let refused = |unproven: SignatureError| {
            metrics::refusal(unproven.as_str());
            DeliveryError::from(unproven)
        };
        let (hook, trigger) = self.find(hook)?.ok_or_else(|| refused(SignatureError::Invalid))?;
        let genuine = signature::check(&trigger, proof, &body, now).map_err(refused)?;
        let is_signed = genuine.sent != SentAt::Unknown;
        if is_signed && (self.inner.replay_cache.take(genuine.digest, now) == Novelty::Duplicate || self.was_taken(&hook, &genuine.digest)) {
            metrics::delivery(&hook, HookOutcome::Duplicate);
            let message = "Duplicate delivery; nothing was done".to_owned();
            return Ok(answer(HookOutcome::Duplicate, message));
        }
        let this = self.clone();
        let taken = self.run_to_end(async move {
            let came = this.take_in(&hook, trigger, &genuine, &body, now).await;
            match &came {
                Ok(answer) => metrics::delivery(&hook, answer.outcome),
                Err(error) => {
                    if is_signed {
                        this.inner.replay_cache.forget(&genuine.digest);
                    }
                    if matches!(error, DeliveryError::Unreadable(_)) {
                        metrics::refusal("unreadable");
                    }
                }
            }
            came
        });
        taken.await?
    }

    /// Counts a delivery that was refused because its body is too large.
    pub fn count_too_large() {
        metrics::refusal("too_large");
    }

    /// Runs `work` to its end, even if the caller stops waiting for it.
    pub(super) async fn run_to_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, CommitError> {
        let (done, waits) = oneshot::channel();
        self.inner.environments.tasks().short_lived(async move {
            // The caller may be gone.
            drop(done.send(work.await));
        });
        waits.await.map_err(|_| CommitError::Internal("the server is shutting down".to_owned()))
    }

    /// The trigger of a hook, if it exists and takes deliveries. While its environment is loading, the sender has to try again:
    /// to be told that the hook does not exist would lose the alert.
    fn find(&self, hook: &str) -> Result<Option<(HookName, Arc<Trigger>)>, CommitError> {
        let Ok(hook) = hook.parse::<HookName>() else { return Ok(None) };
        let state = match self.inner.environments.state(&hook.environment) {
            Ok(state) => state,
            Err(error) if error.is_store_away() => return Err(error),
            Err(_) => return Ok(None),
        };
        let found = state.records.triggers.value(hook.trigger.as_str()).cloned();
        let found = found.filter(|trigger| !matches!(trigger.source, SignalSource::Gate(_)));
        Ok(found.map(|trigger| (hook, Arc::new(trigger))))
    }

    /// Whether a delivery has made a firing on another node, or before a restart.
    fn was_taken(&self, hook: &HookName, delivery: &Digest) -> bool {
        let Ok(state) = self.inner.environments.state(&hook.environment) else {
            return false;
        };
        let mut firings = state.records.firings.values();
        firings.any(|firing| firing.trigger == hook.trigger && firing.delivery == *delivery)
    }

    async fn take_in(
        &self,
        hook: &HookName,
        trigger: Arc<Trigger>,
        genuine: &VerifiedDelivery,
        body: &[u8],
        now: Timestamp,
    ) -> Result<HookResponse, DeliveryError> {
        let sent_at = match genuine.sent {
            SentAt::Signed(at) => at,
            SentAt::InBody | SentAt::Unknown => now,
        };
        let payload = signal::parse(body).map_err(DeliveryError::Unreadable)?;
        let signal = match signal::read(&trigger, &payload, sent_at).map_err(DeliveryError::Unreadable)? {
            ParsedPayload::Signal(signal) => signal,
            ParsedPayload::NoSignal(why) => return Ok(answer(HookOutcome::Ignored, format!("Nothing was done: {why}"))),
        };
        if genuine.sent == SentAt::InBody {
            signature::check_window(signal.at, now)?;
        }
        if matches!(trigger.source, SignalSource::Json(_)) && self.inner.replay_cache.is_overtaken(hook, signal.at) {
            let message = "Nothing was done: a newer delivery has already arrived".to_owned();
            return Ok(answer(HookOutcome::Ignored, message));
        }
        self.handle_signal(hook, trigger, signal, genuine.digest).await
    }

    /// Handles a signal of a trigger, from a delivery or from a gate.
    pub(super) async fn handle_signal(&self, hook: &HookName, trigger: Arc<Trigger>, signal: Signal, delivery: Digest) -> Result<HookResponse, DeliveryError> {
        if trigger.state == TriggerState::Disarmed {
            let message = format!("Nothing was done: trigger {} is disarmed", trigger.name);
            return Ok(answer(HookOutcome::Disarmed, message));
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
            SignalDecision::Resolve(id) => self.resolved(activation, id).await,
            SignalDecision::ResolveUnknown => self.resolved_first(activation).await,
            SignalDecision::Act | SignalDecision::Restrain(_) => self.fires(hook, activation, decision).await,
        }
    }

    async fn fires(&self, hook: &HookName, activation: Activation, decision: SignalDecision) -> Result<HookResponse, DeliveryError> {
        let guard = match self.guard(hook, &activation) {
            Ok(guard) => guard,
            Err(answered) => return answered,
        };
        // Another delivery may have handled it since this was decided.
        let state = self.inner.environments.state(&activation.environment)?;
        if let SignalDecision::Repeat(id) = decision::of(&state.records, &activation.trigger, &activation.signal, activation.now) {
            return Ok(self.repeated(&activation, &id));
        }
        let kept = match decision {
            SignalDecision::Restrain(restraint) => {
                let preview = self.preview(&activation).await;
                self.record_restrained(activation.clone(), restraint, preview, guard).await?
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

    /// The right to handle an alert, or the answer to a delivery that comes second.
    fn guard(&self, hook: &HookName, activation: &Activation) -> Result<InFlightGuard, Result<HookResponse, DeliveryError>> {
        self.inner.in_flight.take(hook.clone(), &activation.signal.group).map_err(|why| match why {
            InFlightError::AlreadyRunning => Ok(self.repeated(activation, &activation.id())),
            InFlightError::TooMany => Err(DeliveryError::Busy),
        })
    }

    /// Counts a repeat, and arranges that the count is written later.
    fn repeated(&self, activation: &Activation, id: &FiringId) -> HookResponse {
        if self.inner.repeats.add(id) == RepeatFlush::Needed {
            let (triggers, activation, firing) = (self.clone(), activation.clone(), id.clone());
            let tasks = self.inner.environments.tasks();
            let stop = tasks.stop_token();
            tasks.short_lived(async move {
                // On shutdown the count is written at once.
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
        // With the store away these repeats are lost: nothing depends on their number.
        self.inner.repeats.written(id, unwritten);
    }

    async fn resolved(&self, activation: Activation, id: FiringId) -> Result<HookResponse, DeliveryError> {
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
                next.message = format!("{}. The alert ended at {} before anyone answered", next.message, signal.at);
            }
            put(&state.records, next, Expected::Anything, now)
        };
        self.commit_quietly(&activation, Operation::decide(decide)).await?;
        self.inner.repeats.written(&id, unwritten);
        Ok(HookResponse {
            firing: Some(id),
            ..answer(
                HookOutcome::Resolved,
                format!("The alert ended at {}; what was done about it stays in force", activation.signal.at),
            )
        })
    }

    async fn resolved_first(&self, activation: Activation) -> Result<HookResponse, DeliveryError> {
        let result = FiringResult {
            state: FiringState::Resolved,
            message: messages::resolved_first(activation.signal.at),
            effects: FiringEffects::default(),
        };
        let mut firing = activation.firing(None, result);
        firing.resolved = Some(activation.signal.at);
        let (signal, trigger, now) = (activation.signal.clone(), Arc::clone(&activation.trigger), activation.now);
        let decide = move |state: &EnvironmentState| match decision::of(&state.records, &trigger, &signal, now) {
            SignalDecision::ResolveUnknown => put(&state.records, firing.clone(), Expected::Anything, now),
            SignalDecision::Act | SignalDecision::Restrain(_) | SignalDecision::Repeat(_) | SignalDecision::Resolve(_) | SignalDecision::Ignore(_) => {
                Ok(Vec::new())
            }
        };
        self.commit_quietly(&activation, Operation::decide(decide)).await?;
        Ok(answer(HookOutcome::Resolved, messages::resolved_first(activation.signal.at)))
    }

    async fn commit_quietly(&self, activation: &Activation, ask: Operation) -> Result<(), CommitError> {
        let phase = if activation.signal.phase == SignalPhase::Resolved {
            "was resolved"
        } else {
            "fired again"
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
