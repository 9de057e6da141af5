//! Proposals: not allowed for this caller, already decided, or out of date.

use ripcord_proto::problem::{Code, Problem};

use crate::http::ApiError;
use crate::proposal::{ProposalError, messages};

impl From<ProposalError> for ApiError {
    fn from(error: ProposalError) -> Self {
        match error {
            ProposalError::OwnProposal(proposal) => Problem::new(Code::Forbidden, messages::own(&proposal))
                .with("proposed_by", proposal.by.name.as_str())
                .into(),
            ProposalError::NotYours(proposal, rejection) => Self::new(Code::Forbidden, messages::not_yours(&proposal, rejection)),
            ProposalError::AlreadyDecided(proposal) => {
                let detail = format!("Proposal {} is {}: {}", proposal.id, proposal.state.as_str(), proposal.message);
                Self::new(Code::WrongState, detail)
            }
            ProposalError::Stale { proposal, why } => {
                let detail = format!("Nothing was changed. {}", messages::stale(&why));
                let now = serde_json::to_value(proposal).unwrap_or_default();
                Problem::new(Code::ProposalStale, detail).with("proposal", now).into()
            }
            ProposalError::Rollback(error) => error.into(),
            ProposalError::Commit(error) => error.into(),
        }
    }
}
