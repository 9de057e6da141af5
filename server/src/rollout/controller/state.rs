//! What the controller of an environment's rollouts knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, RolloutId};
use tokio::sync::watch;
use tokio::time::Instant;

use super::jobs::JobResult;
use super::metrics::RolloutMetrics;
use super::schedule::Schedule;
use super::tracked::TrackedRollout;
use crate::commit::state::EnvironmentState;
use crate::leader::LeaderToken;
use crate::rollout::rollouts::Rollouts;

/// How often a node that is not the leader tries to become it.
pub(super) const FOLLOWER_POLL: std::time::Duration = std::time::Duration::from_secs(1);

/// The rollouts of an environment.
pub(super) struct RolloutController {
    pub(super) rollouts: Rollouts,
    pub(super) environment: EnvironmentKey,
    pub(super) states: watch::Receiver<Arc<EnvironmentState>>,
    pub(super) tracked: BTreeMap<RolloutId, TrackedRollout>,
    pub(super) schedule: Schedule,
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, JobResult>>,
    pub(super) token: Option<LeaderToken>,
    /// When it started: comparisons are made in beats from then on.
    pub(super) opened: Instant,
    /// For each rollout: the digest of its flag and the number of kills when the state was last looked through.
    pub(super) flags: BTreeMap<RolloutId, (Option<Digest>, usize)>,
    pub(super) metrics: RolloutMetrics,
}

/// What ended a rollout from outside.
pub(super) enum AbortReason {
    Reason(String),
    /// This edit, committed at that position.
    Edit(String, ripcord_proto::Position),
}
