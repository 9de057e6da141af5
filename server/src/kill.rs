//! Kills: the way to the safe variant that waits for nothing.
//!
//! ```text
//! order -> writer's urgent queue -> committed within 250 ms?  yes -> answered with its revision
//!                                                             no  -> journal (disk) -> overlay (memory, streams) -> peers
//!                                                                    answered as provisional; merged when the store is back
//! ```
//!
//! A provisional kill has an id and no revision. The same id enters the log at most once, whoever merges it first: the writer
//! that still had the order, this room, or a peer. What the journal holds is the truth of this node over restarts.

mod merge;
mod provisional;
#[cfg(test)]
mod tests;

pub use self::provisional::overlay_from;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::{EnvironmentKey, FlagKey, Kill, KillId, KillScope, Position};
use tokio::sync::Notify;

use crate::commit::committer::{OnDisconnect, Queue};
use crate::commit::{Answer, Applied, Author, CommitError, Draft, IdempotentCall, KillStatus, Operation, ResponseBuilder};
use crate::environment::Environments;
use crate::peer::Peers;
use crate::store::journal::Journal;

/// Why a provisional kill is not withdrawn where a restore needs a second person.
const NEEDS_THE_STORE: &str = "a restore needs a second person here, and a proposal needs the store";

/// How long a kill waits for the store before it takes effect without it.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// A kill that is asked for.
#[derive(Debug, Clone)]
pub struct KillOrder {
    /// Its id, where whoever asks makes it, so that one who asks twice gets one kill; else it is made here.
    pub id: Option<KillId>,
    /// Where.
    pub environment: EnvironmentKey,
    /// By whom.
    pub author: Author,
    /// What it covers.
    pub scope: KillScope,
    /// Why; may be said later.
    pub reason: Option<String>,
    /// The idempotent call that it is, where it is one.
    pub call: Option<IdempotentCall>,
    /// Makes the answer's body.
    pub answer: KillResponseBuilder,
}

/// Makes an answer from a kill.
#[derive(Clone)]
pub struct KillResponseBuilder(pub Arc<dyn Fn(&KillInForce) -> Answer + Send + Sync>);

impl std::fmt::Debug for KillResponseBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KillResponseBuilder")
    }
}

/// A kill in force, as its caller is told.
#[derive(Debug, Clone)]
pub struct KillInForce {
    /// The kill.
    pub kill: Arc<Kill>,
    /// Whether it was in force before it was asked for.
    pub standing: KillStatus,
    /// Where it is safe.
    pub held: KillDurability,
    /// The flags that exist and are covered by it.
    pub flags: Vec<FlagKey>,
}

/// Where a kill is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillDurability {
    /// In the log, from this position on.
    Committed(Position),
    /// In this node's journal: it survives a restart, and is merged into the log when the store is back.
    Journaled,
    /// In memory alone: the journal could not be written, and it would not survive a restart of this node.
    Memory,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub struct KillOutcome {
    /// The answer, fresh or replayed.
    pub answer: Answer,
    /// Whether it was answered before.
    pub replayed: bool,
    /// The id to ask confirmations for, where it is provisional.
    pub provisional: Option<KillId>,
    /// The position from which on it holds, where it is committed.
    pub position: Option<Position>,
    /// When it took effect on this node.
    pub at: Instant,
}

/// The room of kills. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kills {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environments: Environments,
    journal: Journal,
    peers: Peers,
    node: String,
    /// Wakes the merging of provisional kills.
    pending: Notify,
}

impl Kills {
    /// Opens the room: what the journal holds is merged as soon as the store can take it.
    pub fn start(environments: Environments, journal: Journal, peers: Peers, node: String) -> Self {
        let kills = Self {
            inner: Arc::new(Inner {
                environments,
                journal,
                peers,
                node,
                pending: Notify::new(),
            }),
        };
        let tasks = kills.inner.environments.tasks();
        tasks.long_lived("merging of kills", merge::run(kills.clone(), tasks.stop_token()));
        kills
    }

    /// Kills. Waits for nothing but the store, and for that at most [`PATIENCE`].
    pub async fn kill(&self, order: KillOrder) -> Result<KillOutcome, CommitError> {
        let running = self.inner.environments.running(&order.environment)?;
        if let Some(call) = &order.call
            && let Some(answer) = running.committer.answered().find(call)?
        {
            return Ok(self.replay(&order, answer));
        }
        if let Some(existing) = self.provisional_of(&order.environment, &order.scope)? {
            return self.existing(&order, existing);
        }
        let id = order.id.clone().unwrap_or_else(|| self.new_id());
        self.check_not_ended(&order.environment, &id)?;
        let kill = Kill {
            id,
            scope: order.scope.clone(),
            reason: order.reason.clone(),
            actor: order.author.actor.clone(),
            at: self.inner.environments.clock().now(),
            flags: std::collections::BTreeSet::new(),
        };
        let draft = order.draft(kill.clone());
        let submitted = running.committer.submit(draft, Queue::Urgent, OnDisconnect::Skip);
        match tokio::time::timeout(PATIENCE, submitted).await {
            Ok(Ok(committed)) => Ok(KillOutcome {
                answer: committed.answer,
                replayed: committed.replayed,
                provisional: None,
                position: Some(committed.position),
                at: committed.at,
            }),
            Ok(Err(error)) if !error.is_store_away() => Err(error),
            Ok(Err(_)) | Err(_) => self.take_provisionally(&order, kill).await,
        }
    }

    /// Lifts a kill, and nothing but that kill. One that is provisional is merged first where the store is there, and withdrawn
    /// where it is not and this node took it.
    pub async fn restore(&self, id: KillId, draft: Draft) -> Result<RestoreOutcome, CommitError> {
        let environment = draft.environment.clone();
        if self.is_provisional(&environment, &id)? {
            if draft.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(CommitError::ReasonRequired);
            }
            if self.merge_one(&environment, &id).await.is_err() {
                let policy = self.inner.environments.state(&environment)?.records.policy();
                if policy.second_person.contains(&GuardedOperation::Restore) {
                    return Err(CommitError::Unavailable(NEEDS_THE_STORE.to_owned()));
                }
                return self.withdraw(&environment, &id).map(RestoreOutcome::Withdrawn);
            }
        }
        self.inner.environments.submit(draft).await.map(RestoreOutcome::Committed)
    }

    fn new_id(&self) -> KillId {
        let now = self.inner.environments.clock().now().as_millisecond();
        KillId::from_parts(u64::try_from(now).unwrap_or_default(), rand::random())
    }

    fn replay(&self, order: &KillOrder, answer: Answer) -> KillOutcome {
        let provisional = serde_json::from_str::<Named>(answer.body.get()).ok().map(|named| named.id);
        let provisional = provisional.filter(|id| self.is_provisional(&order.environment, id).unwrap_or(false));
        KillOutcome {
            answer,
            replayed: true,
            provisional,
            position: None,
            at: Instant::now(),
        }
    }
}

/// The id in the body of a kill's answer.
#[derive(serde::Deserialize)]
struct Named {
    id: KillId,
}

/// How a kill was lifted.
#[derive(Debug, Clone)]
pub enum RestoreOutcome {
    /// By a commit.
    Committed(crate::commit::Committed),
    /// It was provisional, and was withdrawn; the log learns of it when the store is back.
    Withdrawn(KillId),
}

impl KillOrder {
    /// The draft that commits the kill.
    fn draft(&self, kill: Kill) -> Draft {
        let answer = self.answer.clone();
        Draft {
            reason: self.reason.clone(),
            call: self.call.clone(),
            answer: ResponseBuilder(Arc::new(move |made| answer_to(&answer, made))),
            ..Draft::new(self.environment.clone(), self.author.clone(), vec![Operation::Kill(Box::new(kill))])
        }
    }
}

/// A kill of a draft, as its caller is told. A draft that made none has an answer of its own.
fn answer_to(answer: &KillResponseBuilder, made: &Applied) -> Answer {
    let Some((kill, standing)) = &made.kill else {
        return Answer {
            status: 500,
            body: Box::default(),
        };
    };
    (answer.0)(&KillInForce {
        kill: Arc::clone(kill),
        standing: *standing,
        held: KillDurability::Committed(made.position),
        flags: made.flags.clone(),
    })
}
