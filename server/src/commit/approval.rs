//! A second person: which commits need one, the proposals that wait for one, and how an approval does exactly what was shown.
//!
//! ```text
//! Draft ──► what it changes ──► guarded by the policy? ── no ──► committed
//!                                  │ yes, and no one else has agreed
//!                                  └──► a proposal is committed in its place, and returned to the caller
//! second person ──► the same Draft again, with Approval::Given ──► same hash? ──► committed, with both names
//! ```
//!
//! Only this module decides it, from what a commit changes and in the step that admits the commit: no endpoint, command or
//! concurrent change of the policy gets past it. What limits harm is not guarded: kills, pauses, stops, and rollouts that roll back.

mod approval_scope;
mod difference;
mod effect;
mod messages;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::change::Change;
use ripcord_proto::digest::Digest;
use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::proposal::{Proposal, ProposalState, ProposedOperation};
use ripcord_proto::record::RecordKey;
use ripcord_proto::table::Entry;
use ripcord_proto::{ProposalId, Revision, limits};

use super::draft::{Approval, Draft, GivenApproval, KilledEdit};
use super::error::{CommitError, GuardRefusal, MissingItem, StateConflict, UnfitForProposal};
use super::operation::Operation;
use super::plan;
use super::records::record_entry;
use super::state::EnvironmentState;

pub(super) use self::approval_scope::guarded;
pub(super) use self::effect::Effect;
use crate::clock::new_id;

/// What happens to a draft.
pub(super) enum ApprovalOutcome {
    /// It is committed.
    Commit,
    /// It is committed, and this record with it.
    CommitWith(Change),
    /// This proposal replaces it; these changes are committed instead.
    Propose(Arc<Entry<Proposal>>, Vec<Change>),
}

/// Decides what happens to a draft that every other check allows.
pub(super) fn decide(effect: Effect<'_>, revision: Option<Revision>, now: Timestamp) -> Result<ApprovalOutcome, CommitError> {
    match &effect.draft.approval {
        Approval::Agreed => Ok(ApprovalOutcome::Commit),
        Approval::Given(given) => applied(effect, given, revision).map(ApprovalOutcome::CommitWith),
        Approval::AsPolicySays => propose(effect, now),
    }
}

/// The record of a proposal that is applied in this commit, if it still does what was shown.
fn applied(effect: Effect<'_>, given: &GivenApproval, revision: Option<Revision>) -> Result<Change, CommitError> {
    let key = || RecordKey::Proposal(given.proposal.clone());
    let proposal = effect.before.records.proposals.value(given.proposal.as_str());
    let proposal = proposal.ok_or_else(|| CommitError::NotFound(MissingItem::Record(key())))?;
    if proposal.clone().at(given.word.at).state != ProposalState::Proposed {
        return Err(CommitError::Conflict(StateConflict::RecordMoved(key())));
    }
    let now = hash(effect, &planned(effect))?;
    if now != proposal.plan {
        let moved = "it would do something different from what was shown".to_owned();
        return Err(CommitError::Conflict(StateConflict::PlanStale { moved, now }));
    }
    let next = Proposal {
        state: ProposalState::Applied,
        message: messages::applied(&given.word, revision),
        decided: Some(given.word.clone()),
        revision,
        ..proposal.clone()
    };
    record_entry(next.id.clone(), next).map(|entry| Change::PutRecord(entry.into()))
}

fn propose(effect: Effect<'_>, now: Timestamp) -> Result<ApprovalOutcome, CommitError> {
    let guarded = guarded(effect)?;
    if guarded.is_empty() {
        return Ok(ApprovalOutcome::Commit);
    }
    let draft = effect.draft;
    if draft.operations.iter().any(|ask| matches!(ask, Operation::Kill(_))) {
        return Err(GuardRefusal::SecondPerson(UnfitForProposal::ContainsKill).into());
    }
    let Some(asked) = draft.operations.iter().map(Operation::kept).collect::<Option<Vec<_>>>() else {
        let unfit = if approval_scope::creates_trigger(effect) {
            UnfitForProposal::NewTrigger
        } else {
            UnfitForProposal::NotOneProposal
        };
        return Err(GuardRefusal::SecondPerson(unfit).into());
    };
    let plan = planned(effect);
    let hash = hash(effect, &plan)?;
    let others = &effect.before.records.proposals;
    if let Some(standing) = others.iter().find(|entry| is_repeated(entry, draft, &asked, hash, now)) {
        return Ok(ApprovalOutcome::Propose(Arc::clone(standing), Vec::new()));
    }
    let id = new_id(now, ProposalId::from_parts);
    let within = effect.before.records.policy().proposals_expire_seconds();
    // To the second: people read it.
    let expires = now.as_second().saturating_add(i64::try_from(within).unwrap_or(i64::MAX));
    let mut proposal = Proposal {
        id,
        environment: draft.environment.clone(),
        state: ProposalState::Proposed,
        message: String::new(),
        summary: String::new(),
        guarded,
        by: draft.author.actor.clone(),
        at: now,
        reason: draft.reason.clone(),
        release: draft.release.clone(),
        base: effect.before.head.position(),
        plan: hash,
        diff: difference::of(effect, plan)?,
        asked,
        allow_killed_edit: draft.killed_edit == KilledEdit::Accept,
        expires: Timestamp::from_second(expires).unwrap_or(Timestamp::MAX),
        decided: None,
        revision: None,
    };
    proposal.summary = messages::what(&proposal);
    proposal.message = messages::waits(&proposal);
    let entry = record_entry(proposal.id.clone(), proposal)?;
    let room = room(effect.before, &entry, now)?;
    let put = Change::PutRecord(Arc::clone(&entry).into());
    Ok(ApprovalOutcome::Propose(entry, std::iter::once(put).chain(room).collect()))
}

/// Whether the same caller has already proposed the same, and it is waiting.
fn is_repeated(entry: &Entry<Proposal>, draft: &Draft, asked: &[ProposedOperation], hash: Digest, now: Timestamp) -> bool {
    let written = |asked: &[ProposedOperation]| serde_json::to_vec(asked).ok();
    entry.value().is_ok_and(|other| {
        other.plan == hash
            && other.by == draft.author.actor
            && other.reason == draft.reason
            && other.release == draft.release
            && other.clone().at(now).state == ProposalState::Proposed
            && written(&other.asked) == written(asked)
    })
}

/// Makes room for one more proposal by deleting the oldest decided ones. Waiting proposals stay.
fn room(state: &EnvironmentState, new: &Entry<Proposal>, now: Timestamp) -> Result<Vec<Change>, CommitError> {
    let proposals = &state.records.proposals;
    let size = |entry: &Entry<Proposal>| entry.json().get().len();
    let (mut count, mut bytes) = (proposals.len() + 1, proposals.bytes() + size(new));
    let fits = |count: usize, bytes: usize| count <= limits::PROPOSALS && bytes <= limits::PROPOSALS_BYTES;
    let is_decided = |entry: &&Arc<Entry<Proposal>>| entry.value().map_or(true, |proposal| proposal.clone().at(now).state.is_final());
    let mut room = Vec::new();
    for entry in proposals.iter().filter(is_decided) {
        if fits(count, bytes) {
            break;
        }
        (count, bytes) = (count - 1, bytes.saturating_sub(size(entry)));
        room.push(Change::DeleteRecord(RecordKey::Proposal(entry.key().clone())));
    }
    if fits(count, bytes) {
        Ok(room)
    } else {
        Err(GuardRefusal::SecondPerson(UnfitForProposal::LimitReached).into())
    }
}

fn planned(effect: Effect<'_>) -> plan::CommitPlan {
    plan::make(effect.draft, effect.before, effect.after, effect.touched)
}

/// The hash of all that a proposal shows: each thing that it touches as it is and as it would be, and what it relies on.
fn hash(effect: Effect<'_>, plan: &plan::CommitPlan) -> Result<Digest, CommitError> {
    let rollbacks = effect.draft.operations.iter().filter_map(|ask| {
        let Operation::Rollback(reversal) = ask else { return None };
        Some(reversal.planned(effect.before))
    });
    let covered = (plan.hash, approval_scope::relied_on(effect), rollbacks.collect::<Result<Vec<_>, _>>()?);
    let covered = serde_json::to_vec(&covered).map_err(|error| CommitError::Internal(error.to_string()))?;
    Ok(Digest::of([b"proposal\0".as_slice(), &covered]))
}

/// The warning in the plan of a write that needs approval.
pub(super) fn warning(guarded: &BTreeSet<GuardedOperation>) -> Option<String> {
    (!guarded.is_empty()).then(|| messages::would_wait(guarded))
}
