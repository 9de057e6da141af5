//! The rollbacks of one environment: to read and plan, and to make.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::rollbacks::RollbackPlan;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::{EnvironmentKey, RollbackId};

use super::AppState;
use crate::check::Checks;
use crate::commit::{Author, CommitError, Draft, IdempotentCall, MissingItem, Outcome, StoreFailure};
use crate::environment::Environments;
use crate::http::{ApiError, away};
use crate::impact::SampleUsers;
use crate::rollback::{self, CommittedRollback, PreparedRollback, RollbackError, RollbackSpec, WrongRollbackState, actions, undo, wait};

/// The rollbacks of an environment, to read and to plan.
#[derive(Debug, Clone)]
pub(in crate::api) struct RollbackReader {
    pub(super) app: AppState,
    pub(super) key: EnvironmentKey,
}

impl RollbackReader {
    /// What a rollback would do.
    pub(in crate::api) async fn plan(&self, author: &Author, order: &RollbackSpec, users: SampleUsers) -> Result<RollbackPlan, ApiError> {
        let prepared = rollback::prepare(self.environments(), &self.key, author, order).await?;
        Ok(rollback::plan(self.environments(), &prepared, users).await?)
    }

    /// Waits for the outcome of a rollback, for `patience` at most, and returns its state.
    pub(in crate::api) async fn settled(&self, id: &RollbackId, patience: Duration) -> Result<Rollback, ApiError> {
        let settled = wait::settled(self.environments(), &self.key, id, patience).await?;
        settled.ok_or_else(|| CommitError::from(MissingItem::Record(RecordKey::Rollback(id.clone()))).into())
    }

    /// Since when the store is away; `None` while it is available.
    pub(in crate::api) fn stale(&self) -> Option<Timestamp> {
        self.app.stale()
    }

    fn environments(&self) -> &Environments {
        self.app.environments()
    }
}

/// The rollbacks of an environment, to make and to change.
#[derive(Debug, Clone)]
pub(in crate::api) struct Rollbacks {
    pub(super) reader: RollbackReader,
    pub(super) checks: Checks,
}

impl Rollbacks {
    /// To read.
    pub(in crate::api) const fn reader(&self) -> &RollbackReader {
        &self.reader
    }

    /// Prepares a rollback.
    pub(in crate::api) async fn prepare(&self, author: &Author, order: &RollbackSpec) -> Result<PreparedRollback, ApiError> {
        if self.reader.stale().is_some() {
            let away = StoreFailure::Unavailable("it does not answer".to_owned());
            return Err(RollbackError::store_away(away.into(), &order.scope, None).into());
        }
        let (reader, author, order) = (self.reader.clone(), author.clone(), order.clone());
        away(async move { Ok(rollback::prepare(reader.environments(), &reader.key, &author, &order).await?) }).await
    }

    /// The rollback that a call made before.
    pub(in crate::api) fn replayed(&self, call: &IdempotentCall) -> Result<Option<CommittedRollback>, ApiError> {
        Ok(rollback::replayed(self.reader.environments(), &self.reader.key, call)?)
    }

    /// Commits a prepared rollback.
    pub(in crate::api) async fn commit(&self, draft: Draft, prepared: &PreparedRollback, order: &RollbackSpec) -> Result<CommittedRollback, ApiError> {
        Ok(rollback::commit(self.reader.environments(), &self.checks, prepared, order, draft).await?)
    }

    /// Changes the record of a rollback. `change` gets the record as it is at the commit.
    pub(in crate::api) async fn amend(
        &self,
        draft: &Draft,
        id: &RollbackId,
        change: impl Fn(&Rollback) -> Result<Rollback, WrongRollbackState>,
    ) -> Result<Outcome, ApiError> {
        Ok(actions::amend(self.reader.environments(), draft, id, change).await?)
    }

    /// Rolls forward again from a rollback.
    pub(in crate::api) async fn undo(&self, draft: &Draft, order: &RollbackSpec, id: &RollbackId) -> Result<CommittedRollback, ApiError> {
        Ok(undo::commit(self.reader.environments(), &self.checks, draft, order, id).await?)
    }
}
