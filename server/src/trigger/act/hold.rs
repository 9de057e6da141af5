//! A hold: the live rollouts of a scope are paused, in one commit with the record.

use std::collections::BTreeSet;

use ripcord_proto::rollout::{Rollout, RolloutState, Word};
use ripcord_proto::trigger::{Effects, FiringState, FlagNames};
use ripcord_proto::{FlagKey, ReleaseName, RolloutId};

use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck};
use crate::rollout::acts::{self, Act};
use crate::trigger::incident::{Admitted, Incident, put};
use crate::trigger::record::{Kept, stepping};
use crate::trigger::turns::Turn;
use crate::trigger::{Triggers, says};

/// Which rollouts are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trigger) enum Held {
    /// All.
    All,
    /// Those of these flags.
    Of(BTreeSet<FlagKey>),
    /// Those of a release, and of flags.
    Release(ReleaseName, BTreeSet<FlagKey>),
}

impl Held {
    fn covers(&self, rollout: &Rollout) -> bool {
        match self {
            Self::All => true,
            Self::Of(flags) => flags.contains(&rollout.plan.flag),
            Self::Release(release, flags) => rollout.plan.release.as_ref() == Some(release) || flags.contains(&rollout.plan.flag),
        }
    }
}

/// The rollouts that go on and that a hold would pause.
pub(in crate::trigger) fn live(state: &EnvironmentState, held: &Held) -> Vec<RolloutId> {
    let rollouts = state.records.rollouts.iter().filter_map(|entry| entry.value().ok());
    let goes_on = |rollout: &&Rollout| !rollout.state.is_final() && rollout.state != RolloutState::Paused;
    rollouts
        .filter(goes_on)
        .filter(|rollout| held.covers(rollout))
        .map(|rollout| rollout.id.clone())
        .collect()
}

impl Triggers {
    pub(super) async fn hold(&self, incident: Incident, names: &FlagNames, turn: Turn) -> Result<Kept, CommitError> {
        let held = if names.flags.is_empty() { Held::All } else { Held::Of(names.flags.clone()) };
        self.pause(incident, held, |paused| (FiringState::Acted, says::held(paused)), turn).await
    }

    /// Pauses what goes on, and records that in the words that `told` makes of the number of rollouts.
    pub(super) async fn pause(
        &self,
        incident: Incident,
        held: Held,
        told: impl Fn(usize) -> (FiringState, String) + Send + Sync + 'static,
        turn: Turn,
    ) -> Result<Kept, CommitError> {
        let (state, says) = told(0);
        let expected = incident.firing(None, state, says, Effects::default());
        let deciding = {
            let incident = incident.clone();
            move |state: &EnvironmentState| match incident.admitted(state)? {
                Admitted::Acts(before, expected) => {
                    let paused = live(state, &held);
                    let word = Word {
                        by: incident.author().actor,
                        at: incident.now,
                        reason: Some(incident.signal.summary.clone()),
                    };
                    let mut asks: Vec<Operation> = paused.iter().map(|id| acts::ask(id.clone(), Act::Pause, word.clone())).collect();
                    let (firing, says) = told(paused.len());
                    let effects = Effects {
                        held: paused,
                        ..Effects::default()
                    };
                    asks.extend(put(
                        &state.records,
                        incident.firing(before.as_deref(), firing, says, effects),
                        expected,
                        incident.now,
                    )?);
                    Ok(asks)
                }
                Admitted::Steps(step) => {
                    let firing = stepping(&incident, &step, &incident.trigger.action.to_string(), &Effects::default());
                    put(&state.records, firing, crate::commit::Expected::Absent, incident.now)
                }
                Admitted::Nothing => Ok(Vec::new()),
            }
        };
        self.keep(incident, expected, Precheck::new(deciding), turn).await
    }
}
