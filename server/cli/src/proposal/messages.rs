//! Proposals in words.

use std::fmt::Write as _;

use ripcord_proto::proposal::{Proposal, ProposalState};

use crate::changes;
use crate::context::Context;
use crate::output::{Paint, facts, indented, moment};

/// The state of a proposal, in one line.
pub(super) fn line(proposal: &Proposal, paint: Paint) -> String {
    let state = proposal.state.as_str();
    let state = match proposal.state {
        ProposalState::Applied => paint.good(state),
        ProposalState::Proposed => paint.warn(state),
        ProposalState::Declined | ProposalState::Withdrawn | ProposalState::Expired | ProposalState::Stale => paint.bad(state),
    };
    format!(
        "{} {state}: {} {}",
        paint.strong(proposal.id.as_str()),
        sentence(&proposal.summary),
        proposal.message
    )
}

/// All details of a proposal.
pub(super) fn whole(proposal: &Proposal, paint: Paint) -> String {
    let guarded: Vec<_> = proposal.guarded.iter().map(|guarded| guarded.as_str()).collect();
    let mut members = vec![
        ("proposed by", proposal.by.name.clone()),
        ("when", moment(proposal.at)),
        ("guarded", guarded.join(", ")),
        ("planned at", proposal.base.to_string()),
    ];
    if let Some(reason) = &proposal.reason {
        members.insert(1, ("reason", reason.clone()));
    }
    if let Some(release) = &proposal.release {
        members.push(("release", release.to_string()));
    }
    if let Some(word) = &proposal.decided {
        members.push(("decided by", word.by.name.clone()));
    } else {
        members.push(("expires", moment(proposal.expires)));
    }
    format!(
        "{}\n{}\n\n{}",
        line(proposal, paint),
        indented(&facts(&members)),
        changes::of_proposal(&proposal.diff, paint)
    )
}

/// The message for a caller whose write waits, with the command for the second person.
pub(super) fn made(proposal: &Proposal, call: &Context) -> String {
    let paint = call.output.paint();
    let mut text = String::new();
    let head = paint.warn("Waiting for approval by a second person.");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{head} Proposal {} expires {}.",
        paint.strong(proposal.id.as_str()),
        moment(proposal.expires)
    );
    let _ = writeln!(text, "A different person, with a different key, runs");
    let _ = writeln!(
        text,
        "  {}",
        call.command_in(&proposal.environment, &format!("proposal approve {}", proposal.id))
    );
    let _ = writeln!(text, "A script can wait for it with");
    let _ = writeln!(
        text,
        "  {}",
        call.command_in(&proposal.environment, &format!("proposal wait {} --wait 1h", proposal.id))
    );
    text
}

/// `change flag a` → `Change flag a.`
fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
