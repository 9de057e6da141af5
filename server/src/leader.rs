//! Leader lease: which node runs the background work of an environment, such as awaited confirmations, staged rollbacks and pings.
//!
//! One node at a time, named by a record in the log, so it works on every store and survives the loss of any node. The record has a
//! fencing token. A leader puts [`Operation::Driven`] into whatever it submits, and the commit path refuses it if another node has
//! taken over: a node that was paused, cut off or slow can lose its lease, but it can never act twice.
//!
//! The store knows whether the leader is alive ([`LiveNodes`]); it is asked only when another node has something to do. Nothing is
//! renewed, and an environment without background work has no leader.

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::driver::Driver;
use ripcord_proto::policy::SingletonKey;
use ripcord_proto::record::RecordKey;

use crate::commit::{Author, CommitError, Draft, Expected, MissingItem, Operation, StateConflict};
use crate::environment::Environments;

/// Which other nodes share this node's logs.
pub trait LiveNodes: Send + Sync + std::fmt::Debug + 'static {
    /// The ids of the other nodes that are alive; `None` while that cannot be known, because the store cannot be reached.
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>>;
}

/// The right to do the background work of an environment, as long as no other node has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderToken(u64);

impl LeaderToken {
    /// Has a draft refused once another node leads.
    pub const fn check(self) -> Operation {
        Operation::Driven(self.0)
    }
}

/// The way to become an environment's leader. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LeaderLease {
    environments: Environments,
    live_nodes: Arc<dyn LiveNodes>,
    node: Arc<str>,
    id: Arc<str>,
}

impl LeaderLease {
    /// For this node: `node` is its name, `id` identifies this process.
    pub fn new(environments: Environments, live_nodes: Arc<dyn LiveNodes>, node: &str, id: &str) -> Self {
        Self {
            environments,
            live_nodes,
            node: node.into(),
            id: id.into(),
        }
    }

    /// The lease of `environment`, if this node has it or can take it: no node has it, or the node that had it is gone.
    /// `None` if another node has it, or if that cannot be known now; try again later.
    pub async fn hold(&self, environment: &EnvironmentKey) -> Option<LeaderToken> {
        let known = self.environments.state(environment).ok()?.records.driver().cloned();
        match known {
            Some(leader) if *leader.id == *self.id => Some(LeaderToken(leader.token)),
            Some(leader) => {
                let others = self.live_nodes.others().await?;
                if others.contains(&leader.id) {
                    return None;
                }
                tracing::info!(env = %environment, node = leader.node, "the previous leader of this environment is not among the live nodes; this node takes over");
                self.claim(environment, Some(leader)).await
            }
            None => self.claim(environment, None).await,
        }
    }

    /// The author of automatic changes.
    pub fn author(&self) -> Author {
        Author {
            actor: Actor::server(&self.node),
            origin: Origin {
                node: self.node.to_string(),
                address: None,
                request: None,
            },
        }
    }

    async fn claim(&self, environment: &EnvironmentKey, before: Option<Driver>) -> Option<LeaderToken> {
        let state = self.environments.state(environment).ok()?;
        let expected = match state.records.digest(&RecordKey::Driver(SingletonKey)) {
            Some(digest) => Expected::Digest(digest),
            None => Expected::Absent,
        };
        // Another node was faster.
        if state.records.driver() != before.as_ref() {
            return None;
        }
        let token = before.map_or(0, |leader| leader.token) + 1;
        let leader = Driver {
            node: self.node.to_string(),
            id: self.id.to_string(),
            token,
        };
        let put = Operation::put_record(SingletonKey, leader, expected).ok()?;
        let draft = Draft {
            reason: Some(format!("node {} now leads the background work of this environment", self.node)),
            ..Draft::new(environment.clone(), self.author(), vec![put])
        };
        match self.environments.commit(draft).await {
            Ok(_) => Some(LeaderToken(token)),
            Err(CommitError::Conflict(StateConflict::RecordMoved(_) | StateConflict::Exists { .. }) | CommitError::NotFound(MissingItem::Record(_))) => None,
            Err(error) => {
                tracing::debug!(env = %environment, %error, "this node could not become the leader");
                None
            }
        }
    }
}
