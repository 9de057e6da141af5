//! Messages of decisions on proposals.

use ripcord_proto::proposal::Proposal;
use ripcord_proto::rollout::Attribution;

use super::error::Rejection;

/// Why its author cannot approve a proposal.
pub(crate) fn own(proposal: &Proposal) -> String {
    format!(
        "Nothing was changed: {} proposed this, and it needs a second person. A different person, with a different key, runs `{}`.",
        proposal.by.name,
        proposal.command()
    )
}

/// Why the caller cannot end a proposal in this way.
pub(crate) fn not_yours(proposal: &Proposal, rejection: Rejection) -> String {
    let Proposal { by, id, environment, .. } = proposal;
    match rejection {
        Rejection::Decline => format!(
            "{} proposed this: declining is for a second person. Its author withdraws it with `ripcord proposal withdraw {id} --env {environment}`.",
            by.name
        ),
        Rejection::Withdraw => format!(
            "{} proposed this, and only the same key can withdraw it. A second person declines it with `ripcord proposal decline {id} --env {environment}`.",
            by.name
        ),
    }
}

/// A proposal that ended without being applied.
pub(super) fn rejected(word: &Attribution, rejection: Rejection) -> String {
    let verb = match rejection {
        Rejection::Decline => "declined",
        Rejection::Withdraw => "withdrew",
    };
    let reason = word.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {verb} it{reason}. Nothing was changed.", word.by.name)
}

/// A proposal that is out of date.
pub(crate) fn stale(why: &str) -> String {
    let why = why.trim_end_matches('.');
    format!("The environment has changed since this was proposed: {why}. Propose it again; the new proposal shows what it would do now.")
}
