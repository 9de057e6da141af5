//! Which applications have confirmed a write, for its answer.

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

/// Who has confirmed it: returns when all have or `wait` is over; without `wait`, at once with what this node knows.
pub(super) async fn confirmed(fleet: &Fleet, environment: &EnvironmentKey, subject: Subject, wait: Option<Wait>) -> Option<Confirmation> {
    let target = ConfirmationTarget::from(subject);
    match wait {
        Some(Wait(patience)) => fleet.wait(environment, &target, patience, None).await,
        None => fleet.confirmation(environment, &target, Duration::ZERO).await,
    }
}

impl AppState {
    /// Who has confirmed it: waits until all have or `?wait=` is over; without it, returns at once what this node knows.
    pub(super) async fn confirmed(&self, environment: &EnvironmentKey, subject: Subject, wait: Option<Wait>) -> Option<Confirmation> {
        confirmed(self.fleet(), environment, subject, wait).await
    }
}
