//! What a trigger would do, without doing it: for dry runs, for questions, and for `trigger test`.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::triggers::TriggerTestResponse;
use ripcord_proto::trigger::{FiringEffects, FlagTransition, Trigger, TriggerAction, TriggerState};
use ripcord_proto::{FlagKey, ValidationErrors};
use serde_json::Value;

use super::action::{HoldScope, live, order};
use super::activation::{Activation, Initiator, flags_or_own};
use super::decision::{self, SignalDecision};
use super::signal::{self, ParsedPayload};
use super::{Triggers, messages};
use crate::commit::CommitError;
use crate::commit::state::EnvironmentState;
use crate::flag_text;
use crate::http::ApiError;
use crate::rollback::{self, PreparedRollback};

/// Flags that are told one by one, at most.
const TOLD: usize = 50;

impl Triggers {
    /// What an incident would come to: in words, and flag by flag.
    pub(super) async fn would(&self, activation: &Activation) -> (String, FiringEffects) {
        let action = &activation.trigger.action;
        let Ok(state) = self.inner.environments.state(&activation.environment) else {
            return (messages::would(action, ""), FiringEffects::default());
        };
        match action {
            TriggerAction::Hold(names) => {
                let held = if names.flags.is_empty() {
                    HoldScope::All
                } else {
                    HoldScope::Flags(names.flags.clone())
                };
                let held = live(&state, &held);
                let detail = format!("; live: {}", held.len());
                (
                    messages::would(action, &detail),
                    FiringEffects {
                        held,
                        ..FiringEffects::default()
                    },
                )
            }
            TriggerAction::Kill(names) => {
                let flags = flags_or_own(&names.flags, &activation.signal).iter().map(|key| killed(&state, key)).collect();
                (
                    messages::would(action, ""),
                    FiringEffects {
                        flags,
                        ..FiringEffects::default()
                    },
                )
            }
            TriggerAction::Rollback(back) => {
                let prepared = match order(&state, back, activation) {
                    Ok(order) => rollback::prepare(&self.inner.environments, &activation.environment, &activation.author(), &order)
                        .await
                        .map_err(|error| ApiError::from(error).problem().detail.clone()),
                    Err(why) => Err(why),
                };
                match prepared {
                    Ok(prepared) => {
                        let flags = moves(&prepared);
                        let detail = format!(", which changes {}", messages::flags(flags.len()));
                        (
                            messages::would(action, &detail),
                            FiringEffects {
                                flags,
                                ..FiringEffects::default()
                            },
                        )
                    }
                    Err(why) => (messages::would(action, &format!(", and could not: {why}")), FiringEffects::default()),
                }
            }
        }
    }

    /// Tries a payload: whether `trigger` would fire, and what it would do. Changes nothing.
    ///
    /// # Errors
    /// The payload cannot be read, or the environment is not there.
    pub async fn test(&self, environment: &EnvironmentKey, trigger: &Trigger, payload: &Value) -> Result<TriggerTestResponse, ApiError> {
        let now = self.inner.environments.clock().now();
        let state = self.inner.environments.state(environment)?;
        let signal = match signal::read(trigger, payload, now).map_err(|faults: ValidationErrors| ApiError::invalid(faults.under("payload")))? {
            ParsedPayload::Signal(signal) => signal,
            ParsedPayload::NoSignal(why) => return Ok(unmatched(format!("It would not fire: {why}"), None)),
        };
        let group = Some(signal.group.clone());
        let activation = Activation {
            environment: environment.clone(),
            trigger: Arc::new(trigger.clone()),
            signal,
            delivery: Digest::ZERO,
            now,
            node: self.inner.node.clone(),
            by: Initiator::Trigger,
        };
        if trigger.state == TriggerState::Disarmed {
            return Ok(unmatched("It would not fire: it is disarmed. `ripcord trigger arm` arms it".to_owned(), group));
        }
        let fired = match decision::of(&state.records, trigger, &activation.signal, now) {
            SignalDecision::Act => "It would act by itself: ".to_owned(),
            SignalDecision::Restrain(step) => match step {
                decision::Restraint::AskFirst => "It would ask a person: ".to_owned(),
                decision::Restraint::RecordOnly => "It would record that it fired, as the mode is off; in another mode ".to_owned(),
                decision::Restraint::DryRun => "It would record a dry run: ".to_owned(),
                decision::Restraint::Suppress(why) => format!("It would be held back, since {why}; else "),
            },
            SignalDecision::Repeat(id) => return Ok(unmatched(format!("It would be counted as a repeat of {id}, which is open"), group)),
            SignalDecision::Resolve(id) => return Ok(unmatched(format!("It would end {id}"), group)),
            SignalDecision::ResolveUnknown => return Ok(unmatched("It would note that an incident ended that was never told of".to_owned(), group)),
            SignalDecision::Ignore(why) => return Ok(unmatched(format!("It would not fire: {why}"), group)),
        };
        let (would, effects) = self.would(&activation).await;
        Ok(TriggerTestResponse {
            matched: true,
            message: format!("{fired}{would}"),
            group,
            flags: effects.flags,
        })
    }
}

fn unmatched(message: String, group: Option<String>) -> TriggerTestResponse {
    TriggerTestResponse {
        matched: false,
        message,
        group,
        flags: Vec::new(),
    }
}

/// The flags of a rollback, as they are and as they would be.
pub(super) fn moves(prepared: &PreparedRollback) -> Vec<FlagTransition> {
    let decision: Result<_, CommitError> = prepared.reversal.decide(&prepared.state.snapshot);
    let words = |entry: Option<&ripcord_proto::table::Entry<ripcord_proto::Flag>>| match entry.map(ripcord_proto::table::Entry::value) {
        Some(Ok(flag)) => flag_text::flag(flag),
        Some(Err(_)) => "what cannot be read".to_owned(),
        None => "nothing: it is gone".to_owned(),
    };
    let moves = decision.map(|decision| decision.flags).unwrap_or_default();
    let told = moves.iter().take(TOLD).map(|step| FlagTransition {
        key: step.key.clone(),
        from: words(step.from.as_deref()),
        to: words(Some(&step.to)),
    });
    told.collect()
}

fn killed(state: &EnvironmentState, key: &FlagKey) -> FlagTransition {
    let flag = state.snapshot.flags.value(key.as_str());
    let safe = flag.map(|flag| flag.safe.as_ref().map_or_else(|| "the caller's default".to_owned(), ToString::to_string));
    FlagTransition {
        key: key.clone(),
        from: flag.map_or_else(|| "nothing: there is no such flag".to_owned(), flag_text::flag),
        to: safe.map_or_else(|| "nothing".to_owned(), |safe| format!("killed: {safe}")),
    }
}
