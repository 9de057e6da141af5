//! For tests: which other nodes are alive.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::LiveNodes;

/// A node with its own store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SingleNode;

impl LiveNodes for SingleNode {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        Box::pin(std::future::ready(Some(BTreeSet::new())))
    }
}

/// The nodes that a test says are alive; until it does, that is not known.
#[derive(Debug, Default)]
pub(crate) struct FixedNodes(Mutex<Option<BTreeSet<String>>>);

impl FixedNodes {
    pub(crate) fn alive(&self, ids: &[&str]) {
        *self.0.lock() = Some(ids.iter().map(ToString::to_string).collect());
    }
}

impl LiveNodes for FixedNodes {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        let alive = self.0.lock().clone();
        Box::pin(std::future::ready(alive))
    }
}
