//! Proposals: writes that wait for a second person. [`crate::commit::approval`] makes them; here they are
//! approved, declined and withdrawn.
//!
//! ```text
//! approve ──► the record ──► redo: what was asked, once more ──► commit: the hash still holds? ── yes ──► applied, both names in the log
//!                                                                                           └── no ──► stale, nothing changed
//! ```
//!
//! Each decision is a commit on condition that the proposal still waits: if two decide at once, on any nodes, one succeeds,
//! and the other learns the result.

mod error;
pub(crate) mod messages;
mod replay;
#[cfg(test)]
mod tests;
mod view;
use std::time::Duration;

use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollout::Attribution;
use ripcord_proto::{EnvironmentKey, Position, ProposalId};

pub use self::error::{ProposalError, Rejection};
pub use self::replay::change;
use crate::check::Checks;
use crate::commit::state::EnvironmentState;
use crate::commit::{
    Applied, Approval, Author, CommitError, Draft, Expected, GivenApproval, IdempotentCall, InvalidDraft, KilledEdit, MissingItem, Operation, Outcome,
    RenderedAnswer, Renderer, StateConflict,
};
use crate::environment::Environments;

/// How often a decision is repeated if the record changes at the same time.
const ATTEMPTS: usize = 8;

/// Decides on proposals. Cheap to create.
#[derive(Debug, Clone)]
pub struct Proposals {
    environments: Environments,
    checks: Checks,
}

/// A decision on a proposal.
#[derive(Debug, Clone)]
pub struct ProposalDecision {
    pub environment: EnvironmentKey,
    pub id: ProposalId,
    /// Who decides, when and why.
    pub word: Attribution,
    /// The same, for the audit log.
    pub author: Author,
    /// The idempotent call that it came with, if any.
    pub call: Option<IdempotentCall>,
}

/// The result of a decision.
#[derive(Debug, Clone)]
pub struct DecidedProposal {
    /// The proposal as it is now.
    pub proposal: Proposal,
    /// The position at which it took effect; `None` if it had been decided like this before.
    pub position: Option<Position>,
}

impl Proposals {
    /// Over these rooms.
    pub fn new(environments: Environments, checks: Checks) -> Self {
        Self { environments, checks }
    }

    /// Approves a proposal: what it holds is committed, exactly as it was shown, or refused as stale. One that was approved before
    /// does not change. Dropping the future does not undo it.
    ///
    /// # Errors
    /// It does not exist, was decided differently, or is the approver's own; or what it does is refused.
    pub async fn approve(&self, decision: &ProposalDecision) -> Result<DecidedProposal, ProposalError> {
        if let Some(decided) = self.replayed(decision)? {
            return Ok(decided);
        }
        for _ in 0..ATTEMPTS {
            let proposal = self.waiting(decision, ProposalState::Applied)?;
            let ProposalStatus::Waiting(proposal) = proposal else {
                return Ok(proposal.into());
            };
            if !proposal.is_second(&decision.word.by) {
                return Err(ProposalError::OwnProposal(proposal));
            }
            let draft = match self.redone(&proposal, decision).await {
                Ok(draft) => draft,
                Err(replay::ReplayError::Outdated(why)) => return Err(self.gone_stale(&proposal, decision, &why).await?),
                Err(replay::ReplayError::Refused(refused)) => return Err((*refused).into()),
            };
            match self.environments.submit(draft).await {
                Ok(outcome) => return Ok(self.decided(decision, outcome.position())?),
                Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Proposal(_)))) => {}
                Err(error) if replay::has_moved(&error) => return Err(self.gone_stale(&proposal, decision, &error.to_string()).await?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Proposal(decision.id.clone()))).into())
    }

    /// Ends a proposal without applying it.
    ///
    /// # Errors
    /// It does not exist, was decided differently, or cannot be ended by this caller; or no reason is given.
    pub async fn refuse(&self, decision: &ProposalDecision, rejection: Rejection) -> Result<DecidedProposal, ProposalError> {
        if let Some(decided) = self.replayed(decision)? {
            return Ok(decided);
        }
        let state = match rejection {
            Rejection::Decline => ProposalState::Declined,
            Rejection::Withdraw => ProposalState::Withdrawn,
        };
        for _ in 0..ATTEMPTS {
            let proposal = self.waiting(decision, state)?;
            let ProposalStatus::Waiting(proposal) = proposal else {
                return Ok(proposal.into());
            };
            let may_end = match rejection {
                Rejection::Decline => proposal.is_second(&decision.word.by),
                Rejection::Withdraw => proposal.by.key == decision.word.by.key,
            };
            if !may_end {
                return Err(ProposalError::NotYours(proposal, rejection));
            }
            if decision.word.reason.is_none() {
                return Err(CommitError::Invalid(InvalidDraft::ReasonRequired).into());
            }
            let next = Proposal {
                state,
                message: messages::rejected(&decision.word, rejection),
                decided: Some(decision.word.clone()),
                ..(*proposal).clone()
            };
            match self.amend(decision, next).await {
                Ok(outcome) => return Ok(self.decided(decision, outcome.position())?),
                Err(CommitError::Conflict(StateConflict::RecordMoved(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Proposal(decision.id.clone()))).into())
    }

    /// A proposal once it is decided, or its state after `patience`.
    ///
    /// # Errors
    /// The environment or the proposal does not exist.
    pub async fn settled(&self, environment: &EnvironmentKey, id: &ProposalId, patience: Duration) -> Result<Proposal, CommitError> {
        let clock = self.environments.clock();
        let found = |state: &EnvironmentState| state.records.proposals.value(id.as_str()).cloned();
        let proposal =
            found(&*self.environments.state(environment)?).ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Proposal(id.clone()))))?;
        let lapses = Duration::try_from(proposal.expires.duration_since(clock.now())).unwrap_or_default();
        let mut states = self.environments.watch(environment)?;
        let over = states.wait_for(|state| found(state).is_none_or(|proposal| proposal.state.is_final()));
        // Whether the time is up or the environment goes: what is known last is the answer.
        let _ = tokio::time::timeout(patience.min(lapses), over).await;
        let last = self.environments.state(environment).ok().and_then(|state| found(&state));
        Ok(last.unwrap_or(proposal).at(clock.now()))
    }

    /// What an idempotent call decided before.
    fn replayed(&self, decision: &ProposalDecision) -> Result<Option<DecidedProposal>, CommitError> {
        let Some(call) = &decision.call else { return Ok(None) };
        let answer = self.environments.answered(&decision.environment, call)?;
        answer
            .map(|_| self.found(decision).map(|proposal| DecidedProposal { proposal, position: None }))
            .transpose()
    }

    fn found(&self, decision: &ProposalDecision) -> Result<Proposal, CommitError> {
        let state = self.environments.state(&decision.environment)?;
        let proposal = state.records.proposals.value(decision.id.as_str()).cloned();
        let missing = || CommitError::NotFound(MissingItem::Record(RecordKey::Proposal(decision.id.clone())));
        Ok(proposal.ok_or_else(missing)?.at(decision.word.at))
    }

    /// The proposal, if it waits or was decided like this before.
    fn waiting(&self, decision: &ProposalDecision, like: ProposalState) -> Result<ProposalStatus, ProposalError> {
        let proposal = Box::new(self.found(decision)?);
        match proposal.state {
            ProposalState::Proposed => Ok(ProposalStatus::Waiting(proposal)),
            state if state == like => Ok(ProposalStatus::AlreadyDecided(proposal)),
            ProposalState::Applied | ProposalState::Declined | ProposalState::Withdrawn | ProposalState::Expired | ProposalState::Stale => {
                Err(ProposalError::AlreadyDecided(proposal))
            }
        }
    }

    /// The proposed draft, as its approval submits it.
    async fn redone(&self, proposal: &Proposal, decision: &ProposalDecision) -> Result<Draft, replay::ReplayError> {
        let author = Author {
            actor: proposal.by.clone(),
            origin: decision.author.origin.clone(),
        };
        let operations = replay::operations(&self.environments, Some(&self.checks), &author, proposal).await?;
        Ok(Draft {
            reason: proposal.reason.clone(),
            release: proposal.release.clone(),
            killed_edit: allow_killed_edit(proposal),
            approval: Approval::Given(Box::new(GivenApproval {
                proposal: proposal.id.clone(),
                word: decision.word.clone(),
            })),
            call: decision.call.clone(),
            renderer: answer_with(&proposal.id),
            ..Draft::new(decision.environment.clone(), author, operations)
        })
    }

    /// Records that a proposal is out of date. If it has been decided in between, that decision stays.
    async fn gone_stale(&self, proposal: &Proposal, decision: &ProposalDecision, why: &str) -> Result<ProposalError, CommitError> {
        let next = Proposal {
            state: ProposalState::Stale,
            message: messages::stale(why),
            ..proposal.clone()
        };
        let unasked = ProposalDecision {
            call: None,
            ..decision.clone()
        };
        match self.amend(&unasked, next).await {
            Ok(_) | Err(CommitError::Conflict(StateConflict::RecordMoved(_))) => {}
            Err(error) => return Err(error),
        }
        Ok(ProposalError::Stale {
            proposal: Box::new(self.found(decision)?),
            why: why.to_owned(),
        })
    }

    /// Commits a proposal's record, if the proposal still waits.
    async fn amend(&self, decision: &ProposalDecision, next: Proposal) -> Result<Outcome, CommitError> {
        let (id, at, reason) = (next.id.clone(), decision.word.at, decision.word.reason.clone());
        let renderer = answer_with(&id);
        let put = Operation::decide(move |state| {
            let waits = state.records.proposals.value(id.as_str());
            let waits = waits.is_some_and(|proposal| proposal.clone().at(at).state == ProposalState::Proposed);
            if !waits {
                return Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Proposal(id.clone()))));
            }
            Ok(vec![Operation::put_record(id.clone(), next.clone(), Expected::Anything)?])
        });
        let draft = Draft {
            reason,
            call: decision.call.clone(),
            renderer,
            ..Draft::new(decision.environment.clone(), decision.author.clone(), vec![put])
        };
        self.environments.submit(draft).await
    }

    fn decided(&self, decision: &ProposalDecision, position: Position) -> Result<DecidedProposal, CommitError> {
        let proposal = self.found(decision)?;
        Ok(DecidedProposal {
            proposal,
            position: Some(position),
        })
    }
}

/// What a decision finds.
enum ProposalStatus {
    Waiting(Box<Proposal>),
    /// It was decided like this before.
    AlreadyDecided(Box<Proposal>),
}

impl From<ProposalStatus> for DecidedProposal {
    fn from(status: ProposalStatus) -> Self {
        let (ProposalStatus::Waiting(proposal) | ProposalStatus::AlreadyDecided(proposal)) = status;
        Self {
            proposal: *proposal,
            position: None,
        }
    }
}

fn allow_killed_edit(proposal: &Proposal) -> KilledEdit {
    if proposal.allow_killed_edit { KilledEdit::Accept } else { KilledEdit::Refuse }
}

/// Answers with the record of a proposal.
fn answer_with(id: &ProposalId) -> Renderer<Applied> {
    let id = id.clone();
    Renderer::new(move |applied: &Applied| RenderedAnswer {
        status: 200,
        body: applied
            .records
            .proposals
            .get(id.as_str())
            .map(|entry| entry.json().to_owned())
            .unwrap_or_default(),
    })
}
