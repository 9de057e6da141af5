//! What applications reported to other nodes: each reports to the node that it is connected to.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, FlagKey};

use super::{Exposure, Outcomes};

/// What one node asks another one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ExposureQuery {
    /// Where.
    pub environment: EnvironmentKey,
    /// Of which flags.
    pub flags: BTreeSet<FlagKey>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

/// What other nodes answered.
#[derive(Debug, Clone, Default)]
pub struct PeerExposure {
    /// One answer for each node that gave one.
    pub counts: Vec<Exposure>,
    /// The nodes that did not.
    pub nodes_not_reached: Vec<String>,
}

/// The way to other nodes.
pub trait PeerOutcomes: Send + Sync + std::fmt::Debug + 'static {
    /// Asks all of them, for a moment: who does not answer is named.
    fn served<'a>(&'a self, question: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure>;
}

/// A node without others.
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
    /// What this node answers.
    pub fn answer(&self, question: &ExposureQuery) -> Exposure {
        self.served_between(&question.environment, &question.flags, question.from, question.to)
    }
}
