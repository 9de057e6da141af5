//! Asking other nodes for their confirmations.

use std::time::Duration;

use futures_util::future::BoxFuture;
use ripcord_proto::EnvironmentKey;

use super::report::PeerAnswer;
use super::target::ConfirmationTarget;

/// Asks the other nodes of this one's store, or its configured peers. A node that is asked answers with
/// [`Fleet::settled`](super::Fleet::settled): at once if all of its clients have confirmed, else when `patience` is over.
pub trait PeerConfirmations: Send + Sync + 'static {
    /// One answer per other node, within `patience` or soon after.
    fn ask<'a>(&'a self, environment: &'a EnvironmentKey, target: &'a ConfirmationTarget, patience: Duration) -> BoxFuture<'a, Vec<PeerAnswer>>;
}

/// The question of one node to another: `POST /v1/peer/confirmations`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ConfirmationQuestion {
    pub environment: EnvironmentKey,
    /// What to confirm.
    pub target: ConfirmationTarget,
    /// How long the asked node may wait for its clients, in milliseconds.
    pub patience_ms: u64,
}

/// A node without peers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

impl PeerConfirmations for NoPeers {
    fn ask<'a>(&'a self, _: &'a EnvironmentKey, _: &'a ConfirmationTarget, _: Duration) -> BoxFuture<'a, Vec<PeerAnswer>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}
