//! The plan of a rollback: everything that a person needs to know first, with the hash to do exactly that.

use ripcord_proto::diff::PlanConflict;
use ripcord_proto::rest::rollbacks::{RollbackPlan, UserShare};
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::text::{counted, counted_len, listed};
use ripcord_sdk::engine::Compiled;

use super::alternatives::Alternatives;
use super::describe::{self, PlanDescriber};
use super::error::PrepareError;
use super::prepare::PreparedRollback;
use crate::audit;
use crate::commit::reversal::{RollbackPreview, StageMethod};
use crate::environment::Environments;
use crate::impact::{self, ImpactComparison, SampleUsers};
use crate::store::LogName;

/// Most rollouts that a warning names.
const ROLLOUTS: usize = 5;

/// What `prepared` would do, and whom it would affect. Changes nothing; a dropped future leaves nothing behind but the share of
/// users, which is counted to its end.
pub async fn plan(environments: &Environments, prepared: &PreparedRollback, users: SampleUsers) -> Result<RollbackPlan, PrepareError> {
    let now = &prepared.state.snapshot;
    let record = &prepared.reversal.record;
    let preview = prepared.reversal.preview(&prepared.state)?;
    let log = LogName::Environment(now.environment.clone());
    let history = audit::change_history(&**environments.store(), &log, prepared.since).await?;
    let comparison = ImpactComparison {
        now: compiled(environments, prepared),
        before: now.clone(),
        after: preview.after.clone(),
        touched: preview.touched.clone(),
    };
    let shares = impact::shares(comparison, users).await?;
    let known = PlanDescriber { prepared, history: &history };
    let decision = &preview.decision;
    let steps = record.ladder.as_ref().map(|stages| describe::stages(stages, decision, now)).transpose()?;
    Ok(RollbackPlan {
        hash: preview.hash,
        target: record.target.clone(),
        scope: record.scope.clone(),
        segment: prepared.reversal.segment.clone(),
        epoch: now.position.epoch,
        revision: now.position.revision,
        flags_in_scope: decision.reached,
        flags: known.flags(decision, &shares.flags),
        segments: describe::segments(decision, now),
        settings: describe::settings(decision, now),
        conflicts: known.conflicts(decision),
        kills: describe::killed(&preview),
        one_way: describe::doors(decision, prepared),
        breaks: preview.breaks.clone(),
        cannot: describe::cannot(decision),
        rollouts: describe::rollouts(decision, &prepared.state.records),
        under_way: preview.under_way.clone(),
        users: shares.users,
        steps,
        warnings: warnings(prepared, &preview, shares.users),
    })
}

/// What `prepared` leaves as it is, because others have changed it. Changes nothing.
pub async fn conflicts(environments: &Environments, prepared: &PreparedRollback) -> Result<Vec<PlanConflict>, PrepareError> {
    let decision = prepared.reversal.decide(&prepared.state.snapshot)?;
    if decision.conflicts.is_empty() {
        return Ok(Vec::new());
    }
    let log = LogName::Environment(prepared.state.snapshot.environment.clone());
    let history = audit::change_history(&**environments.store(), &log, prepared.since).await?;
    Ok(PlanDescriber { prepared, history: &history }.conflicts(&decision))
}

/// The environment in the form that is evaluated: the one that is served, if it is the same state.
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
        warnings.push("Nothing to roll back: the scope has no flags, neither now nor at the target.".to_owned());
    } else if decision.is_empty() && decision.conflicts.is_empty() {
        let more = Alternatives::of(&prepared.state, &prepared.reversal.record.target.hash).describe();
        warnings.push(format!("Nothing to roll back: everything in scope already matches the target.{more}"));
    }
    if decision.settings.is_some() {
        warnings.push("The bucketing settings are rolled back too, which moves every user to a different bucket of every split.".to_owned());
    }
    let off = decision
        .flags
        .iter()
        .filter(|step| prepared.reversal.target.flags.get(step.key.as_str()).is_none())
        .count();
    if off > 0 {
        warnings.push(format!("{} did not exist then: switched off, not deleted.", flags(off)));
    }
    let returning = decision.flags.iter().filter(|step| step.from.is_none()).count();
    if returning > 0 {
        warnings.push(format!("{} deleted since then: restored.", flags(returning)));
    }
    if preview.killed.iter().any(|killed| !killed.kills.is_empty()) {
        warnings.push("Kills stay in force: killed flags keep serving their safe variant until `ripcord restore` lifts the kill.".to_owned());
    }
    if prepared.reversal.record.ladder.is_some() {
        let whole = decision.flags.iter().filter(|step| step.way == StageMethod::Whole).count();
        if whole > 0 {
            warnings.push(format!(
                "{} rolled back completely at the first step, because more than the weights of one split differs.",
                flags(whole)
            ));
        }
        if !decision.segments.is_empty() {
            warnings.push("Segments, and the flags that use them, are rolled back at the last step.".to_owned());
        }
    }
    let rollouts = describe::rollouts(decision, &prepared.state.records);
    if !rollouts.is_empty() {
        let ids = listed(rollouts.iter().map(|rollout| &rollout.name), ROLLOUTS);
        warnings.push(format!("It ends {} ({ids}).", counted_len(rollouts.len(), "live rollout", "live rollouts")));
    }
    if users.contexts < 1_000 && !decision.flags.is_empty() {
        warnings.push(format!("The impact is computed over only {}.", counted(users.contexts, "user", "users")));
    }
    if matches!(prepared.reversal.record.scope, RollbackScope::Environment) && prepared.reversal.segment.is_some() && !decision.cannot.is_empty() {
        warnings.push("This rollback would be refused: name the flags whose rules can express it with --flag.".to_owned());
    }
    warnings
}

fn flags(count: usize) -> String {
    counted_len(count, "flag", "flags")
}
