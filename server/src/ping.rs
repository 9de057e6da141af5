//! Pings: revisions with identical content, which measure how fast a change reaches every application.
//!
//! A ping takes the path of every commit. A task of the server completes its result, so that a caller who hangs up loses only the
//! response, and keeps it as a record: the newest [`KEPT`] are the environment's propagation history.

mod schedule;

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::ping::{Ping, PingId};
use ripcord_proto::record::{RecordKey, Records};
use ripcord_proto::{EnvironmentKey, Position};

use crate::clock::new_id;
use crate::commit::{Applied, Author, CommitError, Draft, Expected, IdempotentCall, Operation, Outcome, RenderedAnswer, Renderer, record_entry};
use crate::environment::Environments;
use crate::fleet::{ConfirmationTarget, Fleet};
use crate::leader::LeaderLease;
use crate::telemetry::names;

/// Pings that are kept for each environment.
pub const KEPT: usize = 500;
/// How long applications may take until a ping is closed, unless a caller waits longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often writing the record of a ping is retried while the store is away, and how long apart.
const ATTEMPTS: u32 = 5;
const APART: Duration = Duration::from_secs(1);

/// Sends pings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pings {
    environments: Environments,
    fleet: Fleet,
    lease: LeaderLease,
}

/// A ping to send.
#[derive(Debug, Clone)]
pub struct PingRequest {
    /// The environment to ping.
    pub environment: EnvironmentKey,
    pub author: Author,
    /// The reason, if given.
    pub reason: Option<String>,
    /// The idempotent call that it came with, if any.
    pub call: Option<IdempotentCall>,
    /// How long the caller waits for confirmations.
    pub wait: Duration,
}

/// A sent ping.
#[derive(Debug, Clone)]
pub struct SentPing {
    /// The ping, and who has confirmed it so far.
    pub ping: Ping,
    /// Whether it had been sent before.
    pub replayed: bool,
}

/// Why a ping was not sent, or its repetition not answered.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// It was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What is recorded of the first call cannot be read.
    #[error("the receipt of the first call cannot be read: {0}")]
    Receipt(serde_json::Error),
}

/// How a repeated call finds its ping.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct PingReceipt {
    id: PingId,
    position: Position,
}

/// The newest ping that is closed.
pub fn newest(records: &Records) -> Option<&Ping> {
    newest_first(records).next()
}

/// All pings that are kept, newest first: their ids sort by time.
pub fn newest_first(records: &Records) -> impl Iterator<Item = &Ping> {
    records.pings.values().rev()
}

impl Pings {
    /// Sent to the applications of `fleet`.
    pub fn new(environments: Environments, fleet: Fleet, lease: LeaderLease) -> Self {
        Self { environments, fleet, lease }
    }

    /// Sends a ping, and answers when every application has confirmed it or the caller's time is up. Dropping the future does
    /// not undo it.
    pub async fn send(&self, order: PingRequest) -> Result<SentPing, PingError> {
        self.send_with(order, Vec::new()).await
    }

    async fn send_with(&self, order: PingRequest, conditions: Vec<Operation>) -> Result<SentPing, PingError> {
        let at = self.environments.clock().now();
        let id = new_id(at, PingId::from_parts);
        let draft = draft(&order, id.clone(), conditions);
        let outcome = self.environments.submit(draft).await?;
        let is_replayed = outcome.is_replayed();
        let receipt = if let Outcome::Replayed { recorded, .. } = &outcome {
            serde_json::from_str(recorded.answer.get()).map_err(PingError::Receipt)?
        } else {
            let position = outcome.applied()?.position;
            PingReceipt { id, position }
        };
        let target = ConfirmationTarget::Revision(receipt.position);
        if !is_replayed {
            metrics::counter!(names::PINGS, "env" => order.environment.to_string()).increment(1);
            let (this, order, id, target) = (self.clone(), order.clone(), receipt.id.clone(), target.clone());
            self.environments.tasks().short_lived(async move {
                let confirmation = this.fleet.wait(&order.environment, &target, order.wait.max(PATIENCE), None).await;
                this.close(&order, ping(&order, id, receipt.position, at, confirmation)).await;
            });
        }
        // A closed one knows more than what this node would count for an old revision.
        let closed = self.environments.state(&order.environment)?.records.pings.value(receipt.id.as_str()).cloned();
        let known = if let Some(closed) = closed {
            closed
        } else {
            let confirmation = self.fleet.wait(&order.environment, &target, order.wait, None).await;
            ping(&order, receipt.id, receipt.position, at, confirmation)
        };
        Ok(SentPing {
            ping: known,
            replayed: is_replayed,
        })
    }

    /// Records the result of a ping; replaces the oldest if there are enough.
    async fn close(&self, order: &PingRequest, ping: Ping) {
        let Ok(entry) = record_entry(ping.id.clone(), ping) else { return };
        for _ in 0..ATTEMPTS {
            let Ok(state) = self.environments.state(&order.environment) else { return };
            let excess = (state.records.pings.len() + 1).saturating_sub(KEPT);
            let oldest = state.records.pings.iter().take(excess).map(|entry| RecordKey::Ping(entry.key().clone()));
            let mut asks = vec![Operation::PutRecord(Arc::clone(&entry).into(), Expected::Anything)];
            asks.extend(oldest.map(|key| Operation::DeleteRecord(key, Expected::Anything)));
            let draft = Draft {
                reason: Some("ping result".to_owned()),
                operations: asks,
                call: None,
                renderer: Renderer::default(),
                ..draft(order, entry.key().clone(), Vec::new())
            };
            match self.environments.commit(draft).await {
                Ok(_) => return,
                Err(error) => tracing::warn!(env = %order.environment, ping = %entry.key(), %error, "ping result not recorded yet; retrying"),
            }
            tokio::time::sleep(APART).await;
        }
    }
}

fn draft(order: &PingRequest, id: PingId, conditions: Vec<Operation>) -> Draft {
    let receipt = id.clone();
    let mut asks = conditions;
    asks.push(Operation::Ping(id));
    let reason = order.reason.as_ref().map_or_else(|| "ping".to_owned(), |reason| format!("ping: {reason}"));
    Draft {
        reason: Some(reason),
        call: order.call.clone(),
        renderer: Renderer::new(move |made: &Applied| receipt_of(&receipt, made)),
        ..Draft::new(order.environment.clone(), order.author.clone(), asks)
    }
}

fn receipt_of(id: &PingId, made: &Applied) -> RenderedAnswer {
    let receipt = PingReceipt {
        id: id.clone(),
        position: made.position,
    };
    RenderedAnswer {
        // As the endpoint answers a call that sends one.
        status: 201,
        body: serde_json::value::to_raw_value(&receipt).unwrap_or_default(),
    }
}

fn ping(order: &PingRequest, id: PingId, position: Position, at: jiff::Timestamp, confirmation: Option<Confirmation>) -> Ping {
    let unknown = || Confirmation {
        epoch: position.epoch,
        revision: Some(position.revision),
        kill: None,
        complete: false,
        applied: ripcord_proto::confirmation::LevelCounts::default(),
        fetched: ripcord_proto::confirmation::LevelCounts::default(),
        sent: ripcord_proto::confirmation::LevelCounts::default(),
        nodes: Vec::new(),
        nodes_not_reached: Vec::new(),
        lost: Vec::new(),
        lost_total: 0,
    };
    Ping {
        id,
        epoch: position.epoch,
        revision: position.revision,
        by: order.author.actor.clone(),
        at,
        confirmation: confirmation.unwrap_or_else(unknown),
    }
}
