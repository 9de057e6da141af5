//! What applications reported to other nodes: each application reports to the node that it is connected to.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, FlagKey};

use super::registry::{Exposure, Outcomes};

/// The question of one node to another: how often flags were served.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ExposureQuery {
    pub environment: EnvironmentKey,
    pub flags: BTreeSet<FlagKey>,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The answers of other nodes.
#[derive(Debug, Clone, Default)]
pub struct PeerExposure {
    /// One answer for each node that gave one.
    pub counts: Vec<Exposure>,
    /// The nodes that did not answer.
    pub nodes_not_reached: Vec<String>,
}

/// Asks other nodes.
pub trait PeerOutcomes: Send + Sync + std::fmt::Debug + 'static {
    /// Asks all of them, briefly; those that do not answer are named.
    fn served<'a>(&'a self, question: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure>;
}

/// A node without peers.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeerOutcomes;

#[cfg(test)]
impl PeerOutcomes for NoPeerOutcomes {
    fn served<'a>(&'a self, _: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure> {
        Box::pin(std::future::ready(PeerExposure::default()))
    }
}

impl Outcomes {
    /// This node's answer.
    pub fn answer(&self, question: &ExposureQuery) -> Exposure {
        self.served_between(&question.environment, &question.flags, question.from, question.to)
    }
}
