//! A batch: drafts that are admitted one after the other, appended in one atomic step and answered together.

use std::sync::Arc;

use ripcord_proto::Position;
use ripcord_proto::commit::{Commit, Recorded, Sealed};
use ripcord_proto::proposal::Proposal;
use ripcord_proto::table::Entry;

use super::committer::QueuedDraft;
use super::error::{CommitError, InvalidDraft, StoreFailure};
use super::idempotency::{AnsweredCalls, IdempotentCall, RenderedAnswer};
use super::outcome::{Applied, Outcome};
use super::traits::{AdmittedDraft, LogDraft, LogState};
use crate::clock::Clock;

/// How often a draft is admitted again because other nodes were faster, at most.
const ATTEMPTS: u32 = 20;

/// A batch that was admitted: the drafts with what they do, the entries, and the state after the last of them.
pub(super) struct DraftBatch<S: LogState> {
    drafts: Vec<(QueuedDraft<S::Draft>, DraftResult)>,
    pub(super) entries: Vec<Sealed>,
    pub(super) state: S,
}

/// The result of one draft of a batch, once the batch is durable.
enum DraftResult {
    /// The entry with this index is its commit.
    Commits(usize, Applied),
    /// This proposal was committed instead, now or before.
    Proposes(Arc<Entry<Proposal>>),
    /// Nothing had to change.
    Nothing(Applied),
    /// It was answered before.
    Replayed(Recorded),
    Refused(CommitError),
}

impl<S: LogState> DraftBatch<S> {
    /// Admits drafts one after the other, each on the state that the ones before it make.
    pub(super) fn admit(state: &S, drafts: Vec<QueuedDraft<S::Draft>>, answered: &AnsweredCalls, clock: &dyn Clock) -> Self {
        let mut batch = Self {
            drafts: Vec::with_capacity(drafts.len()),
            entries: Vec::new(),
            state: state.clone(),
        };
        for queued in drafts {
            let result = batch.admit_one(&queued.draft, answered, clock).unwrap_or_else(DraftResult::Refused);
            batch.drafts.push((queued, result));
        }
        batch
    }

    fn admit_one(&mut self, draft: &S::Draft, answered: &AnsweredCalls, clock: &dyn Clock) -> Result<DraftResult, CommitError> {
        if let Some(call) = draft.call() {
            if let Some(recorded) = answered.find(call)? {
                return Ok(DraftResult::Replayed(recorded));
            }
            if let Some(recorded) = self.answered_here(call)? {
                return Ok(DraftResult::Replayed(recorded));
            }
        }
        let now = clock.now();
        let AdmittedDraft {
            urgent,
            applied,
            proposal,
            candidate,
        } = self.state.admit(draft, now)?;
        let rendered = |call: &IdempotentCall| {
            call.record(match &proposal {
                Some(proposal) => RenderedAnswer::of_proposal(proposal.json()),
                None => draft.renderer().render(&applied),
            })
        };
        let idempotency = draft.call().map(rendered).or_else(|| draft.answered().cloned());
        if !applied.changes.is_empty() || idempotency.is_some() {
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
                release: draft.release().filter(|_| proposal.is_none()).cloned(),
                approved: draft.approved(),
                urgent,
                changes: applied.changes.clone(),
                hash: None,
                idempotency,
            };
            let (sealed, next) = self.state.seal(candidate, commit).map_err(|error| CommitError::Internal(error.to_string()))?;
            self.state = next;
            self.entries.push(sealed);
        } else if proposal.is_none() {
            return Ok(DraftResult::Nothing(applied));
        }
        Ok(match proposal {
            Some(proposal) => DraftResult::Proposes(proposal),
            None => DraftResult::Commits(self.entries.len() - 1, applied),
        })
    }

    /// Answers every caller: the batch is durable and published.
    pub(super) fn answer(self) {
        let position = self.state.head().position();
        for (queued, result) in self.drafts {
            let outcome = match result {
                DraftResult::Commits(index, applied) => Ok(Outcome::Written(Applied {
                    commit: self.entries.get(index).map(|entry| Arc::clone(&entry.commit)),
                    ..applied
                })),
                DraftResult::Proposes(proposal) => Ok(Outcome::Proposed(proposal)),
                DraftResult::Nothing(applied) => Ok(Outcome::Unchanged(applied)),
                DraftResult::Replayed(recorded) => Ok(Outcome::Replayed { recorded, position }),
                DraftResult::Refused(error) => Err(error),
            };
            // A caller that has gone does not need its answer.
            let _ = queued.reply.send(outcome);
        }
    }

    /// The answer that an earlier draft of the same batch records for the same call.
    fn answered_here(&self, call: &IdempotentCall) -> Result<Option<Recorded>, CommitError> {
        for (queued, result) in &self.drafts {
            if !queued.draft.call().is_some_and(|other| other.has_key_of(call)) {
                continue;
            }
            let recorded = match result {
                DraftResult::Replayed(recorded) => Some(recorded),
                DraftResult::Commits(..) | DraftResult::Proposes(_) => {
                    let mut recorded = self.entries.iter().filter_map(|entry| entry.commit.idempotency.as_ref());
                    recorded.find(|recorded| call.is_answered_by(recorded))
                }
                DraftResult::Nothing(_) | DraftResult::Refused(_) => None,
            };
            if let Some(recorded) = recorded {
                return if recorded.request == call.request {
                    Ok(Some(recorded.clone()))
                } else {
                    Err(CommitError::Invalid(InvalidDraft::IdempotencyMismatch))
                };
            }
        }
        Ok(None)
    }

    /// The drafts of a batch whose append found the log moved, to be admitted again.
    pub(super) fn again(self) -> Vec<QueuedDraft<S::Draft>> {
        let mut again = Vec::with_capacity(self.drafts.len());
        for (mut queued, _) in self.drafts {
            queued.attempts += 1;
            if queued.attempts < ATTEMPTS {
                again.push(queued);
            } else {
                let faster = CommitError::Store(StoreFailure::Unavailable("other nodes kept writing first".to_owned()));
                let _ = queued.reply.send(Err(faster));
            }
        }
        again
    }

    /// Nothing of the batch was written: refusals stay what they were, replays are answered, the rest gets `error`.
    pub(super) fn refuse(self, error: &CommitError) {
        let position: Position = self.state.head().position();
        for (queued, result) in self.drafts {
            let outcome = match result {
                DraftResult::Refused(refusal) => Err(refusal),
                DraftResult::Replayed(recorded) => Ok(Outcome::Replayed { recorded, position }),
                DraftResult::Nothing(_) | DraftResult::Commits(..) | DraftResult::Proposes(_) => Err(error.clone()),
            };
            let _ = queued.reply.send(outcome);
        }
    }
}
