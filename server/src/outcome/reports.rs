//! The reports of applications to all nodes, as sums that only grow while a node's process lives.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ripcord_proto::EnvironmentKey;

use super::registry::Outcomes;
pub use super::series::{SeriesQuery, SeriesSums};

/// The sums of one node.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NodeSums {
    /// Identifies the node's process.
    pub node: String,
    /// In the order of the queries.
    pub sums: Vec<SeriesSums>,
    /// The sums at the moments that the queries name, as far as the window reaches. Reports within five seconds after such a moment
    /// count as before it.
    pub before: Vec<SeriesSums>,
}

/// Asks every node.
pub trait Reports: Send + Sync + std::fmt::Debug + 'static {
    /// The sums of every node that can be reached.
    fn sums<'a>(&'a self, environment: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>>;
}

/// This node alone.
#[derive(Debug, Clone)]
pub struct LocalReports {
    outcomes: Outcomes,
    node: Arc<str>,
}

impl LocalReports {
    /// Over the counts of this node; `node` identifies the process.
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
