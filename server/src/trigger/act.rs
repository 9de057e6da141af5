//! What triggers do, each by the room that does it for people too.

mod back;
mod hold;
mod kill;

use ripcord_proto::trigger::TriggerAction;

use super::Triggers;
use super::incident::Incident;
use super::record::Kept;
use super::turns::Turn;
use crate::commit::CommitError;

pub(super) use self::back::order;
pub(super) use self::hold::{Held, live};

impl Triggers {
    /// Does what the incident's trigger does, and records it.
    pub(super) async fn act(&self, incident: Incident, turn: Turn) -> Result<Kept, CommitError> {
        match incident.trigger.action.clone() {
            TriggerAction::Hold(names) => self.hold(incident, &names, turn).await,
            TriggerAction::Rollback(back) => self.roll_back(incident, &back, turn).await,
            TriggerAction::Kill(names) => self.kill(incident, &names, turn).await,
        }
    }
}
