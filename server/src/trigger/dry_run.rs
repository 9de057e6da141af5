//! What a trigger would do, without doing it: for dry runs, for approval requests, and for `trigger test`.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::triggers::TriggerTestResponse;
use ripcord_proto::trigger::{FiringEffects, Trigger, TriggerAction, TriggerState};
use serde_json::Value;

use super::action::{HoldScope, live, spec};
use super::activation::{Activation, Initiator, flags_or_own};
use super::decision::{self, SignalDecision};
use super::effects::{self, Preview};
use super::error::DryRunError;
use super::signal::{self, ParsedPayload};
use super::{Triggers, messages};
use crate::rollback;

impl Triggers {
    /// What an activation would do.
    pub(super) async fn preview(&self, activation: &Activation) -> Preview {
        let action = &activation.trigger.action;
        let Ok(state) = self.inner.environments.state(&activation.environment) else {
            return Preview::new(messages::would(action, ""), FiringEffects::default());
        };
        match action {
            TriggerAction::Hold(names) => {
                let held = if names.flags.is_empty() {
                    HoldScope::All
                } else {
                    HoldScope::Flags(names.flags.clone())
                };
                let held = live(&state, &held);
                let detail = format!(", which pauses {}", messages::rollouts(held.len()));
                Preview::new(
                    messages::would(action, &detail),
                    FiringEffects {
                        held,
                        ..FiringEffects::default()
                    },
                )
            }
            TriggerAction::Kill(names) => {
                let flags = flags_or_own(&names.flags, &activation.signal)
                    .iter()
                    .map(|key| effects::flag_killed(&state, key))
                    .collect();
                Preview::new(
                    messages::would(action, ""),
                    FiringEffects {
                        flags,
                        ..FiringEffects::default()
                    },
                )
            }
            TriggerAction::Rollback(back) => {
                let prepared = match spec(&state, back, activation) {
                    Ok(spec) => rollback::prepare(&self.inner.environments, &activation.environment, &activation.author(), &spec)
                        .await
                        .map_err(|error| error.to_string()),
                    Err(why) => Err(why),
                };
                match prepared {
                    Ok(prepared) => {
                        let effects = FiringEffects {
                            flags: effects::flags_moved(&prepared),
                            conflicts: rollback::conflicts(&self.inner.environments, &prepared).await.unwrap_or_default(),
                            ..FiringEffects::default()
                        };
                        let (flags, kept) = (messages::flags(effects.flags.len()), messages::kept(&effects.conflicts));
                        Preview::new(messages::would(action, &format!(", which changes {flags}{kept}")), effects)
                    }
                    Err(why) => Preview::new(messages::would(action, &format!(", but cannot: {why}")), FiringEffects::default()),
                }
            }
        }
    }

    /// Tries a payload: whether `trigger` would fire, and what it would do. Changes nothing.
    ///
    /// # Errors
    /// The payload cannot be read, or the environment does not exist.
    pub async fn test(&self, environment: &EnvironmentKey, trigger: &Trigger, payload: &Value) -> Result<TriggerTestResponse, DryRunError> {
        let now = self.inner.environments.clock().now();
        let state = self.inner.environments.state(environment)?;
        let signal = match signal::read(trigger, payload, now).map_err(DryRunError::Payload)? {
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
            return Ok(unmatched(
                format!("It would not fire: the trigger is disarmed. Arm it with `ripcord trigger arm {}`", trigger.name),
                group,
            ));
        }
        let fired = match decision::of(&state.records, trigger, &activation.signal, now) {
            SignalDecision::Act => "It would act automatically: ".to_owned(),
            SignalDecision::Restrain(step) => match step {
                decision::Restraint::AskFirst => "It would wait for approval: ".to_owned(),
                decision::Restraint::RecordOnly => "It would only record that it fired, because the mode is off. In a different mode ".to_owned(),
                decision::Restraint::DryRun => "It would record a dry run: ".to_owned(),
                decision::Restraint::Suppress(why) => format!("It would not act, because {why}. Without that, "),
            },
            SignalDecision::Repeat(id) => return Ok(unmatched(format!("It would count as a repeat of {id}, which is open"), group)),
            SignalDecision::Resolve(id) => return Ok(unmatched(format!("It would resolve {id}"), group)),
            SignalDecision::ResolveUnknown => return Ok(unmatched("It would record the end of an alert whose start never arrived".to_owned(), group)),
            SignalDecision::Ignore(why) => return Ok(unmatched(format!("It would not fire: {why}"), group)),
        };
        let Preview { would, effects } = self.preview(&activation).await;
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
