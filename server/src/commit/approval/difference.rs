//! What a proposal changes, for the second person to review.

use ripcord_proto::change::Change;
use ripcord_proto::proposal::{PolicyDiff, ProposalDiff};
use ripcord_proto::record::Record;
use ripcord_proto::rest::plan::FlagDiff;

use super::super::error::CommitError;
use super::super::operation::Operation;
use super::super::plan::CommitPlan;
use super::effect::Effect;
use super::messages;

/// The difference of an effect whose plan is `plan`.
pub(super) fn of(effect: Effect<'_>, plan: CommitPlan) -> Result<ProposalDiff, CommitError> {
    let mut difference = ProposalDiff {
        flags: plan.flags,
        segments: plan.segments,
        settings: plan.settings,
        ..ProposalDiff::default()
    };
    for ask in &effect.draft.operations {
        if let Operation::Rollback(reversal) = ask {
            // A staged one begins with less: what counts is where it leads.
            let decision = reversal.decide(&effect.before.snapshot)?;
            difference.flags = decision.flags.iter().map(flag).collect();
            difference.also.extend(messages::rollback(&reversal.record, &decision));
        }
    }
    for change in effect.changes {
        if let Change::Restore(id) = change {
            difference.also.extend(effect.before.snapshot.kills.value(id.as_str()).map(messages::lifted));
        } else if let Change::PutRecord(Record::Policy(entry)) = change {
            let from = effect.before.records.policy();
            difference.policy = entry.value().ok().map(|to| PolicyDiff { from, to: to.clone() });
        } else if let Change::PutRecord(Record::Rollout(entry)) = change {
            let was = effect.before.records.rollouts.value(entry.key().as_str());
            difference.also.extend(entry.value().ok().map(|rollout| messages::rollout(was, rollout)));
        }
        if let Change::PutRecord(Record::Trigger(entry)) = change {
            difference.also.extend(entry.value().ok().map(messages::trigger));
        }
    }
    Ok(difference)
}

fn flag(step: &super::super::reversal::FlagReversal) -> FlagDiff {
    FlagDiff {
        key: step.key.clone(),
        from: step.from.as_ref().map(|entry| entry.json().to_owned()),
        to: Some(step.to.json().to_owned()),
    }
}
