//! Who has confirmed a write, for its answer.

use std::time::Duration;

use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::{EnvironmentKey, KillId, Position};

use super::services::AppState;
use crate::fleet::{ConfirmationTarget, Fleet};
use crate::http::query::Wait;

/// What is confirmed: a revision, or a provisional kill.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Revision(Position),
    Kill(KillId),
}

impl From<Subject> for ConfirmationTarget {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Revision(position) => Self::Revision(position),
            Subject::Kill(id) => Self::Kill(id),
        }
    }
}

/// Who has confirmed it: when all have or `wait` is over; without `wait`, what this node knows now.
pub(super) async fn confirmed(fleet: &Fleet, environment: &EnvironmentKey, subject: Subject, wait: Option<Wait>) -> Option<Confirmation> {
    let target = ConfirmationTarget::from(subject);
    match wait {
        Some(Wait(patience)) => fleet.wait(environment, &target, patience, None).await,
        None => fleet.confirmation(environment, &target, Duration::ZERO).await,
    }
}

impl AppState {
    /// Who has confirmed it: when all have or the time of `?wait=` is up, else as far as this node knows at once.
    pub(super) async fn confirmed(&self, environment: &EnvironmentKey, subject: Subject, wait: Option<Wait>) -> Option<Confirmation> {
        confirmed(self.fleet(), environment, subject, wait).await
    }
}
