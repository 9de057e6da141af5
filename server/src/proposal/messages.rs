//! What is said of decisions on proposals.

use ripcord_proto::proposal::Proposal;
use ripcord_proto::rollout::Attribution;

use super::Rejection;

/// Why its author cannot approve a proposal.
pub(super) fn own(proposal: &Proposal) -> String {
    format!(
        "Nothing was changed: {} asked for this, and it needs a second person. Somebody else, with another key, runs `{}`.",
        proposal.by.name,
        proposal.command()
    )
}

/// Why its author cannot decline a proposal.
pub(super) fn not_declined(proposal: &Proposal) -> String {
    format!(
        "{} asked for this, and takes it back with `ripcord proposal withdraw {} --env {}`; declining is for a second person.",
        proposal.by.name, proposal.id, proposal.environment
    )
}

/// Why nobody but its author can withdraw a proposal.
pub(super) fn not_withdrawn(proposal: &Proposal) -> String {
    format!(
        "{} asked for this, and only with the same key can it be taken back; a second person says no with `ripcord proposal decline {} --env {}`.",
        proposal.by.name, proposal.id, proposal.environment
    )
}

/// What a proposal says that ended without being applied.
pub(super) fn refused(word: &Attribution, rejection: Rejection) -> String {
    let verb = match rejection {
        Rejection::Decline => "declined",
        Rejection::Withdraw => "withdrew",
    };
    let reason = word.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {verb} it{reason}. Nothing was changed.", word.by.name)
}

/// What a proposal says that no longer holds.
pub(super) fn stale(why: &str) -> String {
    let why = why.trim_end_matches('.');
    format!("The world has moved since it was proposed: {why}. Propose it again; it becomes a new proposal that shows what it would do now.")
}
