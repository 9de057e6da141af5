//! What applications reported to other nodes: each reports to the node that it is connected to.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, FlagKey};

use super::{Outcomes, ServedBetween};

/// What one node asks another one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ServedQuestion {
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
pub struct ServedElsewhere {
    /// One answer for each node that gave one.
    pub counts: Vec<ServedBetween>,
    /// The nodes that did not.
    pub nodes_not_reached: Vec<String>,
}

/// The way to other nodes.
pub trait Elsewhere: Send + Sync + std::fmt::Debug + 'static {
    /// Asks all of them, for a moment: who does not answer is named.
    fn served<'a>(&'a self, question: &'a ServedQuestion) -> BoxFuture<'a, ServedElsewhere>;
}

/// A node without others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Elsewhere for Nowhere {
    fn served<'a>(&'a self, _: &'a ServedQuestion) -> BoxFuture<'a, ServedElsewhere> {
        Box::pin(std::future::ready(ServedElsewhere::default()))
    }
}

impl Outcomes {
    /// What this node answers.
    pub fn answer(&self, question: &ServedQuestion) -> ServedBetween {
        self.served_between(&question.environment, &question.flags, question.from, question.to)
    }
}
