//! A hold: the live rollouts of a scope are paused, in one commit with the record.

use std::collections::BTreeSet;

use ripcord_proto::rollout::{Attribution, Rollout, RolloutState};
use ripcord_proto::trigger::{FiringEffects, FiringState, FlagSelection};
use ripcord_proto::{FlagKey, ReleaseName, RolloutId};

use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck};
use crate::rollout::actions::{self, RolloutAction};
use crate::trigger::activation::{Activation, ActivationVerdict, put};
use crate::trigger::dedup::InFlightGuard;
use crate::trigger::firing_record::{RecordOutcome, stepping};
use crate::trigger::{Triggers, messages};

/// Which rollouts are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trigger) enum HoldScope {
    /// All.
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

/// The rollouts that go on and that a hold would pause.
pub(in crate::trigger) fn live(state: &EnvironmentState, held: &HoldScope) -> Vec<RolloutId> {
    let rollouts = state.records.rollouts.iter().filter_map(|entry| entry.value().ok());
    let goes_on = |rollout: &&Rollout| !rollout.state.is_final() && rollout.state != RolloutState::Paused;
    rollouts
        .filter(goes_on)
        .filter(|rollout| held.covers(rollout))
        .map(|rollout| rollout.id.clone())
        .collect()
}

impl Triggers {
    pub(super) async fn hold(&self, activation: Activation, names: &FlagSelection, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let held = if names.flags.is_empty() {
            HoldScope::All
        } else {
            HoldScope::Flags(names.flags.clone())
        };
        self.pause(activation, held, |paused| (FiringState::Acted, messages::held(paused)), guard).await
    }

    /// Pauses what goes on, and records that in the words that `told` makes of the number of rollouts.
    pub(super) async fn pause(
        &self,
        activation: Activation,
        held: HoldScope,
        told: impl Fn(usize) -> (FiringState, String) + Send + Sync + 'static,
        guard: InFlightGuard,
    ) -> Result<RecordOutcome, CommitError> {
        let (state, says) = told(0);
        let expected = activation.firing(None, state, says, FiringEffects::default());
        let deciding = {
            let activation = activation.clone();
            move |state: &EnvironmentState| match activation.admitted(state)? {
                ActivationVerdict::Act(before, expected) => {
                    let paused = live(state, &held);
                    let word = Attribution {
                        by: activation.author().actor,
                        at: activation.now,
                        reason: Some(activation.signal.summary.clone()),
                    };
                    let mut asks: Vec<Operation> = paused.iter().map(|id| actions::ask(id.clone(), RolloutAction::Pause, word.clone())).collect();
                    let (firing, says) = told(paused.len());
                    let effects = FiringEffects {
                        held: paused,
                        ..FiringEffects::default()
                    };
                    asks.extend(put(
                        &state.records,
                        activation.firing(before.as_deref(), firing, says, effects),
                        expected,
                        activation.now,
                    )?);
                    Ok(asks)
                }
                ActivationVerdict::Restrain(step) => {
                    let firing = stepping(&activation, &step, &activation.trigger.action.to_string(), &FiringEffects::default());
                    put(&state.records, firing, crate::commit::Expected::Absent, activation.now)
                }
                ActivationVerdict::Nothing => Ok(Vec::new()),
            }
        };
        self.keep(activation, expected, Precheck::new(deciding), guard).await
    }
}
