//! The dependencies of the endpoints.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::Code;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::route::EvaluationMetrics;
use super::versions::Versions;
use crate::access::Access;
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::http::public_url::PublicUrl;
use crate::snapshot::board::Board;
use crate::snapshot::publication::Served;
use crate::store::{StoreHealth, StoreState};

/// Shared by all endpoints.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) access: Access,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: watch::Receiver<StoreHealth>,
    pub(super) fleet: Fleet,
    pub(super) public_url: PublicUrl,
    pub(super) versions: Arc<Versions>,
    pub(super) metrics: EvaluationMetrics,
    /// Open event streams.
    pub(super) streams: AtomicUsize,
    pub(super) stop: CancellationToken,
}

impl Service {
    /// What the environment serves.
    pub(super) fn served(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, ApiError> {
        let served = self.board.served(environment.as_str());
        served.ok_or_else(|| ApiError::new(Code::NotReady, format!("Environment {environment} is still loading.")).retry_after(1))
    }

    /// Since when answers are stale; `None` while the store is available.
    pub(super) fn stale(&self) -> Option<jiff::Timestamp> {
        let health = self.health.borrow();
        match health.state {
            StoreState::Available => None,
            StoreState::Unreachable | StoreState::RefusesWrites | StoreState::Reseeding => Some(health.since),
        }
    }
}
