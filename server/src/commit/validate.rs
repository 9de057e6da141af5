//! Draft + state → what has to change, or a refusal. Nothing here touches the state that is served.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::change::Change;
use ripcord_proto::commit::{Commit, CommitApproval, Recorded, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::proposal::Proposal;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::table::Entry;
use ripcord_proto::{Position, ReleaseName};

use super::approval::{self, ApprovalOutcome};
use super::candidate::Candidate;
use super::draft::{Author, Draft};
use super::error::CommitError;
use super::idempotency::{IdempotentCall, Renderer};
use super::kill_guard;
use super::operation::Operation;
use super::outcome::Applied;
use super::state::{self, EnvironmentState};
use super::traits::{AdmittedDraft, LogDraft, LogState};
use super::{plan, precondition, protect};
use crate::store::Head;

impl LogDraft for Draft {
    fn author(&self) -> &Author {
        &self.author
    }

    fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    fn call(&self) -> Option<&IdempotentCall> {
        self.call.as_ref()
    }

    fn release(&self) -> Option<&ReleaseName> {
        self.release.as_ref()
    }

    fn approved(&self) -> Option<CommitApproval> {
        self.approval.named()
    }

    fn answered(&self) -> Option<&Recorded> {
        self.answered.as_ref()
    }

    fn renderer(&self) -> &Renderer<Applied> {
        &self.renderer
    }
}

impl LogState for EnvironmentState {
    type Draft = Draft;

    fn head(&self) -> Head {
        self.head
    }

    fn admit(&self, draft: &Draft, now: Timestamp) -> Result<AdmittedDraft<Self>, CommitError> {
        admit(draft, self, now)
    }

    fn seal(&self, candidate: Self, mut commit: Commit) -> Result<(Sealed, Self), serde_json::Error> {
        let mut next = candidate;
        if state::makes_revision(&commit.changes, self) {
            let position = Position {
                epoch: commit.epoch,
                revision: self.head.revision.next(),
            };
            next.snapshot.position = position;
            next.hash = next.snapshot.content_hash();
            commit.revision = Some(position.revision);
            commit.hash = Some(next.hash);
            if commit.urgent {
                next.urgent = position;
            }
        }
        let sealed = Sealed::seal(commit, &self.head.chain)?;
        next.head = self.head.after(&sealed);
        next.keep_earlier(self, &sealed.commit.changes);
        Ok((sealed, next))
    }

    fn after(self, entry: &Sealed) -> Self {
        self.followed_by(entry)
    }

    fn agrees(&self, entry: &Sealed) -> Result<(), Digest> {
        match entry.commit.hash {
            Some(stated) if stated != self.hash && !self.snapshot.has_hash(&stated) => Err(self.hash),
            _ => Ok(()),
        }
    }
}

/// Decides what a draft changes at `now`, in order, or why it is refused. If the policy requires a second person, the result is a
/// proposal.
pub(super) fn admit(draft: &Draft, state: &EnvironmentState, now: Timestamp) -> Result<AdmittedDraft<EnvironmentState>, CommitError> {
    precondition::check(draft, state)?;
    let mut candidate = Candidate::new(state);
    candidate.expected = draft.plan;
    for operation in &draft.operations {
        candidate.apply(operation)?;
    }
    candidate.latch_kills()?;
    candidate.check()?;
    candidate.join_release(draft.release.as_ref())?;
    let (before, after) = (state, &candidate.state);
    kill_guard::check(draft, before, after, &candidate.touched.flags)?;
    protect::check(draft, before, after, &candidate.touched)?;
    // A rollback has its own kind of plan, and was checked against it already.
    let is_rollback = draft.operations.iter().any(|ask| matches!(ask, Operation::Rollback(_)));
    if let Some(expected) = draft.plan.filter(|_| !is_rollback) {
        plan::check(expected, draft, before, after, &candidate.touched)?;
    }
    match approval::decide(candidate.effect(draft), candidate.revision(), now)? {
        ApprovalOutcome::Commit => {}
        ApprovalOutcome::CommitWith(record) => candidate.push(record),
        ApprovalOutcome::Propose(proposal, changes) => return Ok(proposed(state, proposal, changes)),
    }
    let urgent = draft.operations.iter().any(Operation::is_urgent);
    let (applied, candidate) = candidate.applied();
    Ok(AdmittedDraft {
        urgent,
        applied,
        proposal: None,
        candidate,
    })
}

/// A proposal that replaces the requested changes.
fn proposed(state: &EnvironmentState, proposal: Arc<Entry<Proposal>>, changes: Vec<Change>) -> AdmittedDraft<EnvironmentState> {
    let mut candidate = Candidate::new(state);
    for change in changes {
        candidate.push(change);
    }
    let (applied, candidate) = candidate.applied();
    AdmittedDraft {
        urgent: false,
        applied,
        proposal: Some(proposal),
        candidate,
    }
}

/// What a draft would lead to.
pub(super) struct DraftPreview {
    /// The state with its changes made.
    pub(super) after: EnvironmentState,
    /// The flags and segments among them.
    pub(super) touched: TouchedKeys,
    pub(super) changes: Vec<Change>,
}

/// What a draft would lead to, without doing it, or why a kill forbids it.
pub(super) fn preview(draft: &Draft, state: &EnvironmentState) -> Result<DraftPreview, CommitError> {
    let mut candidate = Candidate::new(state);
    for operation in &draft.operations {
        candidate.apply(operation)?;
    }
    candidate.latch_kills()?;
    candidate.check()?;
    kill_guard::check_kills(draft, state, &candidate.state, &candidate.touched.flags)?;
    Ok(DraftPreview {
        after: candidate.state,
        touched: candidate.touched,
        changes: candidate.changes,
    })
}
