//! A hold: pauses the live rollouts of a scope, in one commit with the record.

use std::collections::BTreeSet;

use ripcord_proto::rollout::{Attribution, Rollout, RolloutState};
use ripcord_proto::trigger::{FiringEffects, FiringState, FlagSelection};
use ripcord_proto::{FlagKey, ReleaseName, RolloutId};

use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck};
use crate::rollout::actions::{self, RolloutAction};
use crate::trigger::activation::{Activation, ActivationVerdict, FiringResult, put};
use crate::trigger::dedup::InFlightGuard;
use crate::trigger::effects::Preview;
use crate::trigger::firing_record::{RecordOutcome, restrained};
use crate::trigger::{Triggers, messages};

/// Which rollouts are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trigger) enum HoldScope {
    All,
    /// Those of these flags.
    Flags(BTreeSet<FlagKey>),
    /// Those of a release, and of flags.
    Release(ReleaseName, BTreeSet<FlagKey>),
}

impl HoldScope {
    fn covers(&self, rollout: &Rollout) -> bool {
        match self {
            Self::All => true,
            Self::Flags(flags) => flags.contains(&rollout.plan.flag),
            Self::Release(release, flags) => rollout.plan.release.as_ref() == Some(release) || flags.contains(&rollout.plan.flag),
        }
    }
}

/// The running rollouts that a hold would pause.
pub(in crate::trigger) fn live(state: &EnvironmentState, held: &HoldScope) -> Vec<RolloutId> {
    let rollouts = state.records.rollouts.values();
    let goes_on = |rollout: &&Rollout| !rollout.state.is_final() && rollout.state != RolloutState::Paused;
    rollouts
        .filter(goes_on)
        .filter(|rollout| held.covers(rollout))
        .map(|rollout| rollout.id.clone())
        .collect()
}

impl Triggers {
    pub(super) async fn hold(&self, activation: Activation, names: &FlagSelection, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let scope = if names.flags.is_empty() {
            HoldScope::All
        } else {
            HoldScope::Flags(names.flags.clone())
        };
        let message = |paused: Vec<RolloutId>| FiringResult {
            state: FiringState::Acted,
            message: messages::held(paused.len()),
            effects: held(paused),
        };
        self.pause(activation, scope, message, guard).await
    }

    /// Pauses the live rollouts of a scope, and records what `result` makes of them in the same commit.
    pub(super) async fn pause(
        &self,
        activation: Activation,
        scope: HoldScope,
        result: impl Fn(Vec<RolloutId>) -> FiringResult + Send + Sync + 'static,
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let expected = activation.firing(None, result(Vec::new()));
        let deciding = {
            let activation = activation.clone();
            move |state: &EnvironmentState| match activation.verdict(state)? {
                ActivationVerdict::Act(before, expected) => {
                    let paused = live(state, &scope);
                    let word = Attribution {
                        by: activation.author().actor,
                        at: activation.now,
                        reason: Some(activation.signal.summary.clone()),
                    };
                    let mut operations: Vec<Operation> = paused
                        .iter()
                        .map(|id| actions::operation(id.clone(), RolloutAction::Pause, word.clone()))
                        .collect();
                    let firing = activation.firing(before.as_deref(), result(paused));
                    operations.extend(put(&state.records, firing, expected, activation.now)?);
                    Ok(operations)
                }
                ActivationVerdict::Restrain(restraint) => {
                    let preview = Preview {
                        would: activation.trigger.action.to_string(),
                        effects: FiringEffects::default(),
                    };
                    let firing = restrained(&activation, &restraint, &preview);
                    put(&state.records, firing, crate::commit::Expected::Absent, activation.now)
                }
                ActivationVerdict::Nothing => Ok(Vec::new()),
            }
        };
        self.record(activation, expected, Precheck::new(deciding), guard).await
    }
}

/// The effects of a hold.
pub(super) fn held(rollouts: Vec<RolloutId>) -> FiringEffects {
    FiringEffects {
        held: rollouts,
        ..FiringEffects::default()
    }
}
