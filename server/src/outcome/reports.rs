//! What applications have reported, over all nodes: sums that only grow, as long as a node's process lives.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ripcord_proto::gate::{Arm, OutcomeMeasure};
use ripcord_proto::{EnvironmentKey, FlagKey, VariantName};

use super::Outcomes;

/// What is asked for: what was reported of a flag that served a variant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeriesQuery {
    /// The flag.
    pub flag: FlagKey,
    /// The variant.
    pub variant: VariantName,
    /// What of the reports.
    pub what: OutcomeMeasure,
    /// The moment of which the asker knows the sums already, or from which on it counts.
    pub since: Timestamp,
}

/// Sums of a series, by whom it was served to.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SeriesSums {
    /// Users.
    pub real: Arm,
    /// Probes and load tests.
    pub synthetic: Arm,
}

/// The sums of one node.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NodeSums {
    /// What tells its process from every other.
    pub node: String,
    /// In the order in which they were asked for.
    pub sums: Vec<SeriesSums>,
    /// What they were at the moments that were asked for, as far as the window reaches: what was reported within five seconds
    /// after such a moment belongs to before it.
    pub before: Vec<SeriesSums>,
}

/// Asks every node.
pub trait Reports: Send + Sync + std::fmt::Debug + 'static {
    /// The sums of every node that can be reached.
    fn sums<'a>(&'a self, environment: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>>;
}

/// A node without others.
#[derive(Debug, Clone)]
pub struct LocalReports {
    outcomes: Outcomes,
    node: Arc<str>,
}

impl LocalReports {
    /// What was reported to this node; `node` tells this process from every other.
    pub fn new(outcomes: Outcomes, node: &str) -> Self {
        Self { outcomes, node: node.into() }
    }

    /// This node's own sums.
    pub fn own(&self, environment: &EnvironmentKey, series: &[SeriesQuery]) -> NodeSums {
        let (sums, before) = self.outcomes.sums(environment, series);
        NodeSums {
            node: self.node.to_string(),
            sums,
            before,
        }
    }
}

impl Reports for LocalReports {
    fn sums<'a>(&'a self, environment: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>> {
        Box::pin(std::future::ready(vec![self.own(environment, series)]))
    }
}
