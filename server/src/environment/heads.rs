//! Where this node's logs end.

use std::collections::BTreeMap;

use ripcord_proto::digest::Digest;

use super::Environments;
use crate::store::{Head, LogName};

/// Where a node's logs end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeHeads {
    /// The digest of the first entry of the system log; `None` before it has one.
    pub history: Option<Digest>,
    pub heads: BTreeMap<LogName, Head>,
}

impl NodeHeads {
    /// Where a log ends.
    pub fn head(&self, log: &LogName) -> Head {
        self.heads.get(log).copied().unwrap_or(Head::START)
    }
}

impl Environments {
    /// Where each log ends, as of the last swap.
    pub fn heads(&self) -> NodeHeads {
        let system = self.system();
        let running = self.inner.running.load();
        let environments = running
            .iter()
            .map(|(key, running)| (LogName::Environment(key.clone()), running.committer.state().head));
        NodeHeads {
            history: system.history,
            heads: environments.chain([(LogName::System, system.head)]).collect(),
        }
    }
}
