//! What triggers do, each by the room that does it for people too.

mod hold;
mod kill;
mod rollback;

use ripcord_proto::trigger::TriggerAction;

use super::Triggers;
use super::activation::Activation;
use super::dedup::InFlightGuard;
use super::firing_record::RecordOutcome;
use crate::commit::CommitError;

pub(super) use self::hold::{HoldScope, live};
pub(super) use self::rollback::spec;

impl Triggers {
    /// Does what the incident's trigger does, and records it.
    pub(super) async fn act(&self, activation: Activation, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        match activation.trigger.action.clone() {
            TriggerAction::Hold(names) => self.hold(activation, &names, guard).await,
            TriggerAction::Rollback(back) => self.roll_back(activation, &back, guard).await,
            TriggerAction::Kill(names) => self.kill(activation, &names, guard).await,
        }
    }
}
