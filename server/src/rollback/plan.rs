//! The plan of a rollback: everything that a person has to know before it, with the hash that does exactly that.

use ripcord_proto::rest::rollbacks::{RollbackPlan, UserShare};
use ripcord_proto::rollback::RollbackScope;
use ripcord_sdk::engine::Compiled;

use super::describe::{self, PlanDescriber};
pub use super::impact::SampleUsers;
use super::impact::{self, ImpactComparison};
use super::prepare::{PrepareError, PreparedRollback};
use crate::audit;
use crate::commit::reversal::{RollbackPreview, StageMethod};
use crate::environment::Environments;
use crate::store::LogName;

/// What `prepared` would do, and whom it would affect. Changes nothing; a dropped future leaves nothing behind but the share of
/// users, which is counted to its end.
pub async fn plan(environments: &Environments, prepared: &PreparedRollback, users: SampleUsers) -> Result<RollbackPlan, PrepareError> {
    let now = &prepared.state.snapshot;
    let record = &prepared.reversal.record;
    let preview = prepared.reversal.preview(&prepared.state)?;
    let log = LogName::Environment(now.environment.clone());
    let hands = audit::change_history(&**environments.store(), &log, prepared.since).await?;
    let comparison = ImpactComparison {
        now: compiled(environments, prepared),
        before: now.clone(),
        after: preview.after.clone(),
        touched: preview.touched.clone(),
    };
    let shares = impact::shares(comparison, users).await?;
    let known = PlanDescriber { prepared, hands: &hands };
    let decision = &preview.decision;
    let steps = record.ladder.as_ref().map(|ladder| describe::ladder(ladder, decision, now)).transpose()?;
    Ok(RollbackPlan {
        hash: preview.hash,
        target: record.target.clone(),
        scope: record.scope.clone(),
        segment: prepared.reversal.segment.clone(),
        epoch: now.position.epoch,
        revision: now.position.revision,
        flags: known.flags(decision, &shares.flags),
        segments: describe::segments(decision, now),
        settings: describe::settings(decision, now),
        conflicts: known.conflicts(decision),
        kills: describe::killed(&preview),
        one_way: describe::doors(decision, prepared),
        breaks: preview.breaks.clone(),
        cannot: describe::cannot(decision),
        rollouts: Vec::new(),
        under_way: preview.under_way.clone(),
        users: shares.users,
        steps,
        warnings: warnings(prepared, &preview, shares.users),
    })
}

/// The environment in the form that is evaluated: the one that is served, where it is the same state.
fn compiled(environments: &Environments, prepared: &PreparedRollback) -> Compiled {
    let now = &prepared.state.snapshot;
    match environments.board().served(now.environment.as_str()) {
        Some(served) if served.snapshot.position == now.position => served.compiled.clone(),
        Some(_) | None => Compiled::new(now),
    }
}

fn warnings(prepared: &PreparedRollback, preview: &RollbackPreview, users: UserShare) -> Vec<String> {
    let decision = &preview.decision;
    let mut warnings = Vec::new();
    if decision.reached == 0 {
        warnings.push("The scope holds no flag, neither now nor at the target: there is nothing to roll back.".to_owned());
    } else if decision.is_empty() && decision.conflicts.is_empty() {
        warnings.push("Everything in scope is as it was at the target already.".to_owned());
    }
    if decision.settings.is_some() {
        warnings.push("The bucketing goes back too, which puts every user into another bucket of every split.".to_owned());
    }
    let off = decision
        .flags
        .iter()
        .filter(|step| prepared.reversal.target.flags.get(step.key.as_str()).is_none())
        .count();
    if off > 0 {
        warnings.push(format!("Flags that the target does not have are switched off, not deleted: {off}."));
    }
    let returning = decision.flags.iter().filter(|step| step.from.is_none()).count();
    if returning > 0 {
        warnings.push(format!("Flags that were deleted since come back: {returning}."));
    }
    if preview.killed.iter().any(|killed| !killed.kills.is_empty()) {
        warnings.push("Kills stay: the killed flags go on serving their safe variant until `ripcord restore` lifts the kill.".to_owned());
    }
    if prepared.reversal.record.ladder.is_some() {
        let whole = decision.flags.iter().filter(|step| step.way == StageMethod::Whole).count();
        if whole > 0 {
            warnings.push(format!(
                "Flags that go back whole at the first step, since more than the weights of one split differs: {whole}."
            ));
        }
        if !decision.segments.is_empty() {
            warnings.push("Segments, and the flags that use them, go back at the last step.".to_owned());
        }
    }
    if users.contexts < 1_000 && !decision.flags.is_empty() {
        warnings.push(format!("The share of users is computed over {} contexts only.", users.contexts));
    }
    if matches!(prepared.reversal.record.scope, RollbackScope::Environment) && prepared.reversal.segment.is_some() && !decision.cannot.is_empty() {
        warnings.push("It is refused as it stands: name the flags that rules can say it for with --flag.".to_owned());
    }
    warnings
}
