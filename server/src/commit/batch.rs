//! A batch: orders admitted one behind the other, to be appended in one atomic step and answered together.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::Position;
use ripcord_proto::commit::{Commit, Sealed};

use super::committer::Order;
use super::idempotency::Answered;
use super::log::{Admitted, LogDraft, LogState};
use super::{Answer, Call, CommitError, Committed, Made};
use crate::clock::Clock;

/// How often an order is admitted anew because other nodes were faster, at most.
const ATTEMPTS: u32 = 20;

/// A batch that was admitted: the orders with what they made, the entries, and the state after the last of them.
pub(super) struct Batch<S: LogState> {
    orders: Vec<(Order<S::Draft>, Admission)>,
    pub(super) entries: Vec<Sealed>,
    pub(super) state: S,
}

/// What becomes of one order of a batch, once the batch is durable.
enum Admission {
    /// The entry of this index is its commit.
    Commits(usize, Answer, Made),
    /// Nothing had to change.
    Nothing(Answer, Made),
    /// It was answered before.
    Replayed(Answer),
    /// It may not be.
    Refused(CommitError),
}

impl<S: LogState> Batch<S> {
    /// Admits orders one behind the other, each on the state that the ones before it make.
    pub(super) fn admit(state: &S, orders: Vec<Order<S::Draft>>, answered: &Answered, clock: &dyn Clock) -> Self {
        let mut batch = Self {
            orders: Vec::with_capacity(orders.len()),
            entries: Vec::new(),
            state: state.clone(),
        };
        for order in orders {
            let admission = batch.admit_one(&order.draft, answered, clock).unwrap_or_else(Admission::Refused);
            batch.orders.push((order, admission));
        }
        batch
    }

    fn admit_one(&mut self, draft: &S::Draft, answered: &Answered, clock: &dyn Clock) -> Result<Admission, CommitError> {
        if let Some(call) = draft.call() {
            if let Some(answer) = answered.find(call)? {
                return Ok(Admission::Replayed(answer));
            }
            if let Some(answer) = self.answered_here(call)? {
                return Ok(Admission::Replayed(answer));
            }
        }
        let now = clock.now();
        let Admitted { urgent, made, candidate } = self.state.admit(draft, now)?;
        let answer = match &made.proposal {
            Some(proposal) => Answer::of_proposal(proposal),
            None => (draft.answer().0)(&made),
        };
        let idempotency = draft.call().map(|call| call.record(&answer)).or_else(|| draft.answered().cloned());
        if made.changes.is_empty() && idempotency.is_none() {
            return Ok(Admission::Nothing(answer, made));
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
        Ok(Admission::Commits(self.entries.len() - 1, answer, made))
    }

    /// Answers every caller: the batch is durable and shown.
    pub(super) fn answer(self) {
        let at = Instant::now();
        let position = self.state.head().position();
        for (order, admission) in self.orders {
            let answer = match admission {
                Admission::Commits(index, answer, made) => {
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
                Admission::Nothing(answer, made) => {
                    let committed = Committed {
                        position: made.position,
                        commit: None,
                        answer,
                        replayed: false,
                        at,
                    };
                    committed.told()
                }
                Admission::Replayed(answer) => replayed(answer, position, at),
                Admission::Refused(error) => Err(error),
            };
            // A caller that has gone does not need its answer.
            let _ = order.reply.send(answer);
        }
    }

    /// The answer that an earlier order of the same batch gives to the same call.
    fn answered_here(&self, call: &Call) -> Result<Option<Answer>, CommitError> {
        let same = |other: &Call| other.caller == call.caller && other.route == call.route && other.key == call.key;
        for (order, admission) in &self.orders {
            let Some(other) = order.draft.call().filter(|other| same(other)) else {
                continue;
            };
            match admission {
                Admission::Commits(_, answer, _) | Admission::Nothing(answer, _) | Admission::Replayed(answer) => {
                    return if other.request == call.request {
                        Ok(Some(answer.clone()))
                    } else {
                        Err(CommitError::IdempotencyMismatch)
                    };
                }
                Admission::Refused(_) => {}
            }
        }
        Ok(None)
    }

    /// The orders of a batch whose append found the log moved, to be admitted anew.
    pub(super) fn again(self) -> Vec<Order<S::Draft>> {
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
                Admission::Refused(refusal) => Err(refusal),
                Admission::Replayed(answer) => replayed(answer, position, at),
                Admission::Nothing(..) | Admission::Commits(..) => Err(error.clone()),
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
