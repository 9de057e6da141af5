//! Other nodes, as far as confirmations need them.

use std::time::Duration;

use futures_util::future::BoxFuture;
use ripcord_proto::EnvironmentKey;

use super::{ConfirmationReport, ConfirmationTarget};

/// Asks the other nodes of this one's store, or its configured peers. A node that is asked answers with
/// [`Fleet::settled`](super::Fleet::settled): at once where its clients have all confirmed, else when the patience is over.
pub trait PeerConfirmations: Send + Sync + 'static {
    /// One answer for each other node, within `patience` or very soon after.
    fn ask<'a>(&'a self, environment: &'a EnvironmentKey, target: &'a ConfirmationTarget, patience: Duration) -> BoxFuture<'a, Vec<PeerAnswer>>;
}

/// What a node asks another one: `POST /v1/peer/confirmations`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ConfirmationQuestion {
    /// Where.
    pub environment: EnvironmentKey,
    /// What is to be confirmed.
    pub target: ConfirmationTarget,
    /// How long the asked node may wait for its clients, in milliseconds.
    pub patience_ms: u64,
}

/// What became of asking one node.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerAnswer {
    /// It answered.
    Reported(Box<ConfirmationReport>),
    /// It did not; this is its name.
    NotReached(String),
}

/// A node without others.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

impl PeerConfirmations for NoPeers {
    fn ask<'a>(&'a self, _: &'a EnvironmentKey, _: &'a ConfirmationTarget, _: Duration) -> BoxFuture<'a, Vec<PeerAnswer>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}
