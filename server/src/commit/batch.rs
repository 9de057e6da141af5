//! A batch: orders admitted one behind the other, to be appended in one atomic step and answered together.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::Position;
use ripcord_proto::commit::{Commit, Sealed};

use super::committer::QueuedDraft;
use super::idempotency::AnsweredCalls;
use super::traits::{AdmittedDraft, LogDraft, LogState};
use super::{Answer, Applied, CommitError, Committed, IdempotentCall};
use crate::clock::Clock;

/// How often an order is admitted anew because other nodes were faster, at most.
const ATTEMPTS: u32 = 20;

/// A batch that was admitted: the orders with what they made, the entries, and the state after the last of them.
pub(super) struct DraftBatch<S: LogState> {
    orders: Vec<(QueuedDraft<S::Draft>, DraftResult)>,
    pub(super) entries: Vec<Sealed>,
    pub(super) state: S,
}

/// What becomes of one order of a batch, once the batch is durable.
enum DraftResult {
    /// The entry of this index is its commit.
    Commits(usize, Answer, Applied),
    /// Nothing had to change.
    Nothing(Answer, Applied),
    /// It was answered before.
    Replayed(Answer),
    /// It may not be.
    Refused(CommitError),
}

impl<S: LogState> DraftBatch<S> {
    /// Admits orders one behind the other, each on the state that the ones before it make.
    pub(super) fn admit(state: &S, orders: Vec<QueuedDraft<S::Draft>>, answered: &AnsweredCalls, clock: &dyn Clock) -> Self {
        let mut batch = Self {
            orders: Vec::with_capacity(orders.len()),
            entries: Vec::new(),
            state: state.clone(),
        };
        for order in orders {
            let admission = batch.admit_one(&order.draft, answered, clock).unwrap_or_else(DraftResult::Refused);
            batch.orders.push((order, admission));
        }
        batch
    }

    fn admit_one(&mut self, draft: &S::Draft, answered: &AnsweredCalls, clock: &dyn Clock) -> Result<DraftResult, CommitError> {
        if let Some(call) = draft.call() {
            if let Some(answer) = answered.find(call)? {
                return Ok(DraftResult::Replayed(answer));
            }
            if let Some(answer) = self.answered_here(call)? {
                return Ok(DraftResult::Replayed(answer));
            }
        }
        let now = clock.now();
        let AdmittedDraft { urgent, made, candidate } = self.state.admit(draft, now)?;
        let answer = match &made.proposal {
            Some(proposal) => Answer::of_proposal(proposal),
            None => (draft.answer().0)(&made),
        };
        let idempotency = draft.call().map(|call| call.record(&answer)).or_else(|| draft.answered().cloned());
        if made.changes.is_empty() && idempotency.is_none() {
            return Ok(DraftResult::Nothing(answer, made));
        }
        let head = self.state.head();
        let commit = Commit {
            sequence: head.sequence.next(),
            epoch: head.epoch,
            revision: None,
            at: now,
            actor: draft.author().actor.clone(),
            origin: draft.author().origin.clone(),
            reason: draft.reason(),
            // What is only proposed changes nothing of its release.
            release: draft.release().filter(|_| made.proposal.is_none()).cloned(),
            approved: draft.approved(),
            urgent,
            changes: made.changes.clone(),
            hash: None,
            idempotency,
        };
        let (sealed, next) = self.state.seal(candidate, commit).map_err(|error| CommitError::Internal(error.to_string()))?;
        self.state = next;
        self.entries.push(sealed);
        Ok(DraftResult::Commits(self.entries.len() - 1, answer, made))
    }

    /// Answers every caller: the batch is durable and shown.
    pub(super) fn answer(self) {
        let at = Instant::now();
        let position = self.state.head().position();
        for (order, admission) in self.orders {
            let answer = match admission {
                DraftResult::Commits(index, answer, made) => {
                    let commit = self.entries.get(index).map(|entry| Arc::clone(&entry.commit));
                    let committed = Committed {
                        position: made.position,
                        commit,
                        answer,
                        replayed: false,
                        at,
                    };
                    committed.told()
                }
                DraftResult::Nothing(answer, made) => {
                    let committed = Committed {
                        position: made.position,
                        commit: None,
                        answer,
                        replayed: false,
                        at,
                    };
                    committed.told()
                }
                DraftResult::Replayed(answer) => replayed(answer, position, at),
                DraftResult::Refused(error) => Err(error),
            };
            // A caller that has gone does not need its answer.
            let _ = order.reply.send(answer);
        }
    }

    /// The answer that an earlier order of the same batch gives to the same call.
    fn answered_here(&self, call: &IdempotentCall) -> Result<Option<Answer>, CommitError> {
        let same = |other: &IdempotentCall| other.caller == call.caller && other.route == call.route && other.key == call.key;
        for (order, admission) in &self.orders {
            let Some(other) = order.draft.call().filter(|other| same(other)) else {
                continue;
            };
            match admission {
                DraftResult::Commits(_, answer, _) | DraftResult::Nothing(answer, _) | DraftResult::Replayed(answer) => {
                    return if other.request == call.request {
                        Ok(Some(answer.clone()))
                    } else {
                        Err(CommitError::IdempotencyMismatch)
                    };
                }
                DraftResult::Refused(_) => {}
            }
        }
        Ok(None)
    }

    /// The orders of a batch whose append found the log moved, to be admitted anew.
    pub(super) fn again(self) -> Vec<QueuedDraft<S::Draft>> {
        let mut orders = Vec::with_capacity(self.orders.len());
        for (mut order, _) in self.orders {
            order.attempts += 1;
            if order.attempts < ATTEMPTS {
                orders.push(order);
            } else {
                let _ = order.reply.send(Err(CommitError::Unavailable("other nodes kept writing faster".to_owned())));
            }
        }
        orders
    }

    /// Nothing of the batch was written: refusals stay what they were, replays are answered, the rest gets `error`.
    pub(super) fn refuse(self, error: &CommitError) {
        let at = Instant::now();
        let position = self.state.head().position();
        for (order, admission) in self.orders {
            let answer = match admission {
                DraftResult::Refused(refusal) => Err(refusal),
                DraftResult::Replayed(answer) => replayed(answer, position, at),
                DraftResult::Nothing(..) | DraftResult::Commits(..) => Err(error.clone()),
            };
            let _ = order.reply.send(answer);
        }
    }
}

/// What is answered to a call that was answered before.
fn replayed(answer: Answer, position: Position, at: Instant) -> Result<Committed, CommitError> {
    let committed = Committed {
        position,
        commit: None,
        answer,
        replayed: true,
        at,
    };
    committed.told()
}
