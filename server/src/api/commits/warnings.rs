//! Warnings about a planned commit: flags that are still evaluated, exposure that would be lowered, and kills that stay.

use ripcord_proto::record::Records;
use ripcord_proto::rest::plan::FlagDiff;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::split::Split;
use ripcord_proto::table::Entity as _;
use ripcord_proto::text::{counted, counted_len, percent};
use ripcord_proto::{Flag, FlagKey, VariantName};
use serde_json::value::RawValue;

use crate::commit::plan::CommitPlan;
use crate::outcome::OutcomeTotal;
use crate::rollout::step;

/// Warnings listed one by one, at most.
const LISTED: usize = 200;

/// The warnings of a plan. `totals` are the evaluations that applications have reported.
pub(super) fn of(plan: &CommitPlan, totals: &[OutcomeTotal], records: &Records) -> Vec<String> {
    let mut warnings: Vec<String> = plan.flags.iter().filter_map(|step| removed(step, totals)).collect();
    warnings.extend(plan.flags.iter().filter_map(|step| ended(step, records)));
    warnings.extend(plan.flags.iter().flat_map(lowered));
    let more = warnings.len().saturating_sub(LISTED);
    if more > 0 {
        warnings.truncate(LISTED);
        warnings.push(format!("{} would be deleted or lose exposure.", counted_len(more, "more flag", "more flags")));
    }
    if !plan.kills.is_empty() {
        warnings.push(match plan.kills.len() {
            1 => "1 of these flags is killed and keeps serving its safe variant until the kill is lifted.".to_owned(),
            killed => format!("{killed} of these flags are killed and keep serving their safe variants until the kills are lifted."),
        });
    }
    warnings
}

fn removed(step: &FlagDiff, totals: &[OutcomeTotal]) -> Option<String> {
    if step.to.is_some() {
        return None;
    }
    let key = &step.key;
    let evaluations: u64 = totals.iter().filter(|total| total.flag == *key).map(|total| total.evaluations).sum();
    Some(if evaluations > 0 {
        format!(
            "{key} would be deleted but is still in use: {} since this node began counting. Applications that ask for it would get their own defaults.",
            counted(evaluations, "evaluation", "evaluations")
        )
    } else {
        format!("{key} would be deleted. Applications that still ask for it would get their own defaults.")
    })
}

/// A rollout in progress that the change would end.
fn ended(step: &FlagDiff, records: &Records) -> Option<String> {
    let mut rollouts = records.rollouts.values();
    let rollout = rollouts.find(|rollout| !rollout.state.is_final() && rollout.plan.flag == step.key)?;
    let flag = step.to.as_ref().and_then(|to| Flag::parse(to.get()).ok());
    let goes_on = flag.is_some_and(|flag| rollout.moved.as_ref().is_none_or(|moved| step::untouched(&flag, moved).is_ok()));
    (!goes_on).then(|| format!("{} is being changed by rollout {}; this would end the rollout.", step.key, rollout.id))
}

fn lowered(step: &FlagDiff) -> Vec<String> {
    let read = |json: &Option<Box<RawValue>>| json.as_ref().and_then(|json| Flag::parse(json.get()).ok());
    let (Some(from), Some(to)) = (read(&step.from), read(&step.to)) else {
        return Vec::new();
    };
    let key = &step.key;
    if from.enabled && !to.enabled {
        return vec![format!("{key} would be switched off. Applications would get their own defaults.")];
    }
    let safe = from.safe.as_ref();
    let mut lowered: Vec<String> = from.rules.iter().filter_map(|rule| lowered_rule(key, rule, &to, safe)).collect();
    if from.default.as_ref() != safe && to.default != from.default {
        let (was, is) = (named(from.default.as_ref()), named(to.default.as_ref()));
        lowered.push(format!("{key} would serve {is} by default instead of {was}."));
    }
    lowered
}

fn lowered_rule(key: &FlagKey, rule: &Rule, to: &Flag, safe: Option<&VariantName>) -> Option<String> {
    let was = exposure(&rule.serve, safe)?;
    let like = |other: &&Rule| if rule.id.is_some() { other.id == rule.id } else { other.when == rule.when };
    let name = rule.id.as_ref().map_or_else(|| "a rule".to_owned(), |id| format!("rule {id}"));
    let Some(other) = to.rules.iter().find(like) else {
        return (was > 0.0).then(|| format!("{key}: {name}, which exposes {} of matching users, would be removed.", percent(was, 3)));
    };
    let is = exposure(&other.serve, safe)?;
    (is < was).then(|| format!("{key}: the exposure of {name} would drop from {} to {}.", percent(was, 3), percent(is, 3)))
}

/// The share of matching users that get a variant other than the safe one; `None` for imported rules.
fn exposure(serve: &Serve, safe: Option<&VariantName>) -> Option<f64> {
    match serve {
        Serve::Variant(variant) => Some(if safe == Some(variant) { 0.0 } else { 1.0 }),
        Serve::Split(split) => Some(of_split(split, safe)),
        Serve::JsonLogic(_) => None,
    }
}

fn of_split(split: &Split, safe: Option<&VariantName>) -> f64 {
    let exposed = split.shares().iter().filter(|share| safe != Some(&share.variant));
    let exposed: u64 = exposed.map(|share| u64::from(share.weight.units())).sum();
    #[expect(clippy::cast_precision_loss, reason = "weights are below 2^31")]
    let share = exposed as f64 / f64::from(split.total());
    share
}

fn named(variant: Option<&VariantName>) -> String {
    variant.map_or_else(|| "the caller's own default".to_owned(), ToString::to_string)
}
