//! Orders to kill, and their outcome.

use std::sync::Arc;

use ripcord_proto::commit::Recorded;
use ripcord_proto::{EnvironmentKey, FlagKey, Kill, KillId, KillScope, Position};

use crate::commit::{Author, Draft, IdempotentCall, KillStatus, Operation, Outcome, Renderer};

/// A kill that is asked for.
#[derive(Debug, Clone)]
pub struct KillOrder {
    /// The id, if the caller chooses it, so that a repeated order makes one kill; else it is generated here.
    pub id: Option<KillId>,
    pub environment: EnvironmentKey,
    /// Who asks.
    pub author: Author,
    /// What it covers.
    pub scope: KillScope,
    /// Whether a tag that no flag has is killed too, for flags that get it later.
    pub future: bool,
    /// Why; it can be added later.
    pub reason: Option<String>,
    /// The idempotent call that it answers.
    pub call: Option<IdempotentCall>,
    /// Renders the answer to be recorded with `call`.
    pub renderer: Renderer<KillInForce>,
}

/// A kill in force, as returned to its caller.
#[derive(Debug, Clone)]
pub struct KillInForce {
    pub kill: Arc<Kill>,
    /// Whether it was already in force.
    pub status: KillStatus,
    /// How durable it is.
    pub durability: KillDurability,
    /// The flags that exist and are covered by it.
    pub flags: Vec<FlagKey>,
}

impl KillInForce {
    /// Whether it is not in the log yet.
    pub const fn is_provisional(&self) -> bool {
        match self.durability {
            KillDurability::Committed(_) => false,
            KillDurability::Journaled | KillDurability::Memory => true,
        }
    }
}

/// Where a kill is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillDurability {
    /// In the log, from this position on.
    Committed(Position),
    /// In this node's journal: it survives a restart, and is merged into the log when the store is back.
    Journaled,
    /// Only in memory: the journal could not be written, and a restart of this node would lose the kill.
    Memory,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub enum KillOutcome {
    /// The kill is in force.
    InForce(KillInForce),
    /// The same idempotent call was answered before.
    Replayed(Recorded),
}

/// How a kill was lifted.
#[derive(Debug, Clone)]
pub enum RestoreOutcome {
    /// By a commit.
    Committed(Outcome),
    /// It was provisional and was withdrawn; the log learns of it when the store is back.
    Withdrawn(Withdrawal),
}

/// A provisional kill that was withdrawn without the store.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    pub id: KillId,
    /// The nodes that have learned of it; on the others the kill stays in force until they do.
    pub nodes: PeersTold,
}

impl KillOrder {
    /// The draft that commits `kill`.
    pub(super) fn draft(&self, kill: Kill) -> Draft {
        let renderer = self.renderer.clone();
        Draft {
            reason: self.reason.clone(),
            call: self.call.clone(),
            renderer: Renderer::new(move |applied| match KillInForce::of(applied) {
                Some(killed) => renderer.render(&killed),
                None => Renderer::default().render(applied),
            }),
            ..Draft::new(self.environment.clone(), self.author.clone(), vec![Operation::Kill(Box::new(kill))])
        }
    }
}

impl KillInForce {
    /// The kill that a draft asked for.
    pub(super) fn of(applied: &crate::commit::Applied) -> Option<Self> {
        let (kill, status) = applied.kill.as_ref()?;
        Some(Self {
            kill: Arc::clone(kill),
            status: *status,
            durability: KillDurability::Committed(applied.position),
            flags: applied.flags.clone(),
        })
    }
}

/// Which peers have received a message.
#[derive(Debug, Clone, Default)]
pub struct PeersTold {
    /// The names of those that were.
    pub told: Vec<String>,
    /// The addresses of those that could not be reached.
    pub not_reached: Vec<String>,
}
