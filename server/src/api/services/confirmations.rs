//! Which applications have confirmed a revision or a provisional kill of one environment.

use std::time::Duration;

use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::flagd;
use ripcord_proto::{EnvironmentKey, Position};

use crate::fleet::{ConfirmationTarget, Fleet};
use crate::http::query::Wait;

/// The confirmations of an environment. They contain counts; names require the permission to read.
#[derive(Debug, Clone)]
pub(in crate::api) struct Confirmations {
    pub(super) fleet: Fleet,
    pub(super) key: EnvironmentKey,
}

impl Confirmations {
    /// Who has confirmed it: waits until all have or `wait` is over; without `wait`, returns at once what this node knows.
    pub(in crate::api) async fn of(&self, target: &ConfirmationTarget, wait: Option<Wait>) -> Option<Confirmation> {
        match wait {
            Some(Wait(patience)) => self.fleet.wait(&self.key, target, patience, None).await,
            None => self.fleet.confirmation(&self.key, target, Duration::ZERO).await,
        }
    }

    /// What keeps clients of flagd from getting anything, if the environment is too large for them.
    pub(in crate::api) fn too_large_for_flagd(&self) -> Option<String> {
        self.fleet.too_large_for_flagd(&self.key).map(flagd::too_large_warning)
    }

    /// The same for a revision.
    pub(in crate::api) async fn of_revision(&self, position: Position, wait: Option<Wait>) -> Option<Confirmation> {
        self.of(&ConfirmationTarget::Revision(position), wait).await
    }
}
