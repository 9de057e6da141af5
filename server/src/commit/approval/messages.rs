//! Texts about proposals.

use std::collections::BTreeSet;

use ripcord_proto::policy::GuardedOperation;
use ripcord_proto::proposal::{Proposal, ProposedOperation};
use ripcord_proto::rest::commits::ChangeRequest;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::rollout::{Attribution, Rollout};
use ripcord_proto::text::{self, counted_len};
use ripcord_proto::trigger::Trigger;
use ripcord_proto::{Kill, Revision};

use super::super::reversal::ReversalDecision;

/// Names listed in a sentence, at most.
const NAMED: usize = 5;

/// The warning in the plan of a write that needs approval.
pub(super) fn would_wait(guarded: &BTreeSet<GuardedOperation>) -> String {
    let guarded: Vec<_> = guarded.iter().map(|guarded| guarded.as_str()).collect();
    format!(
        "The policy requires a second person ({}): this becomes a proposal and takes effect when a different person approves it.",
        guarded.join(", ")
    )
}

/// The message of a waiting proposal.
pub(super) fn waits(proposal: &Proposal) -> String {
    let guarded: Vec<_> = proposal.guarded.iter().map(|guarded| guarded.as_str()).collect();
    format!(
        "Waiting for approval (until {}); the policy requires a second person for {}. A different person, with a different key, runs `{}`.",
        text::moment(proposal.expires),
        guarded.join(", "),
        proposal.command()
    )
}

/// The message of an applied proposal.
pub(super) fn applied(word: &Attribution, revision: Option<Revision>) -> String {
    let what = revision.map_or_else(|| "recorded".to_owned(), |revision| format!("revision {}", revision.0));
    let reason = word.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{} approved it{reason}: {what}.", word.by.name)
}

/// What a proposal does, in words.
pub(super) fn what(proposal: &Proposal) -> String {
    let own: BTreeSet<String> = proposal.asked.iter().filter_map(|asked| of_asked(asked, proposal)).collect();
    let mut parts: Vec<String> = own.into_iter().collect();
    if !proposal.asked.iter().any(|asked| matches!(asked, ProposedOperation::RollBack(_))) {
        let keys: Vec<_> = proposal.diff.flags.iter().map(|step| step.key.as_str()).collect();
        parts.extend(listed("flag", "flags", &keys).map(|flags| format!("change {flags}")));
        let keys: Vec<_> = proposal.diff.segments.iter().map(|step| step.key.as_str()).collect();
        parts.extend(listed("segment", "segments", &keys).map(|segments| format!("change {segments}")));
        parts.extend(proposal.diff.settings.as_ref().map(|_| "change the settings".to_owned()));
    }
    if parts.is_empty() {
        "take over ownership".to_owned()
    } else {
        parts.join(", ")
    }
}

fn of_asked(asked: &ProposedOperation, proposal: &Proposal) -> Option<String> {
    match asked {
        ProposedOperation::Change(ChangeRequest::Restore(id)) => Some(format!("lift kill {id}")),
        ProposedOperation::Change(ChangeRequest::ApplySet(set)) => Some(format!("apply the files of set {}", set.set)),
        ProposedOperation::Change(_) => None,
        ProposedOperation::PutRecord(_) => proposal.diff.policy.as_ref().map(|_| "set the policy".to_owned()),
        ProposedOperation::StartRollout(rollout) => Some(format!("start a rollout of {}", rollout.plan.flag)),
        ProposedOperation::ResumeRollout { rollout, .. } => Some(format!("resume rollout {rollout}")),
        ProposedOperation::AdvanceRollout { rollout, .. } => Some(format!("begin the next step of rollout {rollout}")),
        ProposedOperation::ChangeTrigger { trigger, .. } => Some(format!("change trigger {trigger}")),
        ProposedOperation::RollBack(rollback) => {
            let keys: Vec<_> = proposal.diff.flags.iter().map(|step| step.key.as_str()).collect();
            let flags = listed("flag", "flags", &keys).unwrap_or_else(|| "nothing".to_owned());
            Some(format!("roll back {flags} to {}", rollback.target.position()))
        }
    }
}

/// `flags a, b and 3 more`
fn listed(one: &str, many: &str, keys: &[&str]) -> Option<String> {
    let noun = if keys.len() == 1 { one } else { many };
    (!keys.is_empty()).then(|| format!("{noun} {}", text::listed(keys, NAMED)))
}

/// A kill that would be lifted.
pub(super) fn lifted(kill: &Kill) -> String {
    let reason = kill.reason.as_ref().map(|reason| format!("; its reason was: {reason}")).unwrap_or_default();
    format!("Kill {} of {} will be lifted{reason}.", kill.id, kill.scope)
}

/// A rollout that would start or resume.
pub(super) fn rollout(was: Option<&Rollout>, rollout: &Rollout) -> String {
    let plan = &rollout.plan;
    let Some(was) = was else {
        let steps: Vec<_> = plan.steps.iter().map(|step| step.to.to_string()).collect();
        return format!(
            "A rollout of {} starts: variant {} to {}, checked by {}.",
            plan.flag,
            plan.variant,
            steps.join(", "),
            counted_len(plan.gates.len(), "gate", "gates")
        );
    };
    format!(
        "Rollout {} of {} resumes at step {} of {}; until now it was {}: {}",
        was.id,
        plan.flag,
        was.step,
        plan.last(),
        was.state.as_str(),
        was.reason
    )
}

/// A trigger that would be armed, or do something else.
pub(super) fn trigger(trigger: &Trigger) -> String {
    format!("Trigger {} will be {}; when it fires, it will {}.", trigger.name, trigger.state, trigger.action)
}

/// What a rollback does apart from restoring flags.
pub(super) fn rollback(record: &Rollback, decision: &ReversalDecision) -> Vec<String> {
    let mut also = Vec::new();
    if let Some(ladder) = &record.ladder {
        let steps: Vec<_> = ladder.steps.iter().map(|step| format!("{step} %")).collect();
        also.push(format!("It lowers exposure step by step ({}), then restores the target.", steps.join(", ")));
    }
    if !decision.conflicts.is_empty() {
        also.push(format!(
            "{}, because others have changed them since.",
            counted_len(
                decision.conflicts.len(),
                "flag or segment stays as it is",
                "flags and segments stay as they are"
            )
        ));
    }
    also.extend(record.acknowledged.iter().map(|flag| format!("It crosses the one-way door of {flag}.")));
    also
}
