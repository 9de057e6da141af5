//! What the gRPC services work with.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::environments::WatchedEnvironments;
use crate::access::Access;
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::secret::Secret;
use crate::system::SystemState;

/// Shared by all services.
#[derive(Debug)]
pub(super) struct FlagdState {
    pub(super) access: Access,
    pub(super) key: Option<Secret>,
    pub(super) environments: Arc<WatchedEnvironments>,
    /// Keys and environments.
    pub(super) system: watch::Receiver<Arc<SystemState>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fleet: Fleet,
    pub(super) stop: CancellationToken,
}
