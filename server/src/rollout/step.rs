//! A step as an edit of a flag: it moves the split of one rule, and nothing else.
//!
//! ```text
//! 10 %          [on 1 %, off 99 %]  ->  [on 10 %, off 90 %]       taken from the control next to it
//! segment beta  a rule in front: when segment beta, serve on      stays in later steps
//! no such rule  one is made at the end: [on, control]
//! ```
//!
//! The variant grows into the control next to it, so that users who had the variant keep it and no other variant moves
//! (DESIGN, promise 9). Whatever would break that is refused.

#[cfg(test)]
mod properties;
mod share;
#[cfg(test)]
mod tests;

use ripcord_proto::condition::Condition;
use ripcord_proto::gate::Percent;
use ripcord_proto::one_way::OneWay;
use ripcord_proto::rollout::{Exposure, MovedSplit, RolloutPlan};
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::segment::Segment;
use ripcord_proto::split::{Share, Split, Weight};
use ripcord_proto::table::Table;
use ripcord_proto::validation::ValidationErrors;
use ripcord_proto::{Flag, RuleId, SegmentKey, VariantName};
use serde_json::Value;

/// The ids of rules that a rollout makes, and of those that it moves and that had none.
const MADE: &str = "rollout";

/// Why a flag cannot follow a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct PlanMismatch {
    /// The member of the plan that is at odds with the flag: `variant`, `steps[2].to`.
    pub path: String,
    /// What is wrong and how to fix it.
    pub problem: String,
}

impl PlanMismatch {
    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl From<PlanMismatch> for ValidationErrors {
    fn from(refused: PlanMismatch) -> Self {
        Self::one(refused.path, refused.problem)
    }
}

/// A flag as a step makes it, and what was moved in it.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedFlag {
    pub flag: Flag,
    /// What was moved, from before the first step on.
    pub moved: MovedSplit,
}

/// Walks all steps of a plan on a flag as it is: what would be refused later is refused now.
pub fn rehearse(plan: &RolloutPlan, flag: &Flag, segments: &Table<Segment>) -> Result<(), PlanMismatch> {
    if !flag.enabled {
        return Err(PlanMismatch::new(
            "flag",
            format!("{} is off, so no step would change what it serves; turn it on first", plan.flag),
        ));
    }
    let mut at = (flag.clone(), None);
    for number in 1..=plan.last() {
        let made = take(plan, number, &at.0, at.1.as_ref())?;
        reachable(&made, segments)?;
        at = (made.flag, Some(made.moved));
    }
    Ok(())
}

/// The flag at step `number` of `plan`. `moved` is what the steps before it have moved.
pub fn take(plan: &RolloutPlan, number: u32, flag: &Flag, moved: Option<&MovedSplit>) -> Result<MovedFlag, PlanMismatch> {
    let place = number.saturating_sub(1);
    let Some(step) = plan.step(number) else {
        return Err(PlanMismatch::new("steps", format!("there is no step {number}")));
    };
    let mut moving = match moved {
        Some(moved) => MovedFlag {
            flag: flag.clone(),
            moved: moved.clone(),
        },
        None => begin(plan, flag)?,
    };
    // Whether a segment matches everyone was asked at the start, by `rehearse`.
    reachable(&moving, &Table::default())?;
    match &step.to {
        Exposure::Segment(key) => add_segment(&mut moving, plan, key)?,
        Exposure::Share(share) => raise(&mut moving, plan, *share).map_err(|problem| PlanMismatch::new(format!("steps[{place}].to"), problem))?,
    }
    moving.moved.left = written(find(&moving.flag, &moving.moved.rule))?;
    Ok(moving)
}

/// Refuses a rule that no user reaches: a rollout of it would change nothing.
fn reachable(moving: &MovedFlag, segments: &Table<Segment>) -> Result<(), PlanMismatch> {
    let id = &moving.moved.rule;
    let Some(place) = moving.flag.rules.iter().position(|rule| rule.id.as_ref() == Some(id)) else {
        return Ok(());
    };
    if let Some(dead) = moving.flag.dead_rules(segments).into_iter().find(|dead| dead.index == place) {
        let problem = if moving.moved.before.is_none() {
            format!("is missing; one would be added at the end, but {dead}. Remove or limit that rule first")
        } else {
            format!("{id} would be rolled out without effect: {dead}. Move it in front, or remove that rule")
        };
        return Err(PlanMismatch::new("rule", problem));
    }
    if moving.flag.rules.get(place).is_some_and(|rule| rule.matches_nobody(segments)) {
        return Err(PlanMismatch::new(
            "rule",
            format!("{id} has a condition that no user meets, so a rollout of it would change nothing"),
        ));
    }
    Ok(())
}

/// Whether what a rollout moved still is as it left it; else what differs, in words.
pub fn untouched(flag: &Flag, moved: &MovedSplit) -> Result<(), String> {
    let as_left = |left: &Value| {
        let id = left.get("id").and_then(Value::as_str).unwrap_or_default();
        let rule = flag.rules.iter().find(|rule| rule.id.as_ref().is_some_and(|own| own.as_str() == id));
        match rule.map(serde_json::to_value) {
            Some(Ok(rule)) if rule == *left => Ok(()),
            Some(_) => Err(format!("rule {id:?} was changed")),
            None => Err(format!("rule {id:?} was removed")),
        }
    };
    as_left(&moved.left)?;
    moved.added.iter().try_for_each(as_left)
}

/// The one-way door of the variant that a plan raises: a rollback does not undo what it has done.
pub fn door<'a>(plan: &RolloutPlan, flag: &'a Flag) -> Option<&'a OneWay> {
    flag.one_way.as_ref().filter(|door| door.from == plan.variant)
}

/// The flag with what the rollout moved restored, and only that.
pub fn revert(flag: &Flag, moved: &MovedSplit) -> Result<Flag, ValidationErrors> {
    let mut flag = flag.clone();
    let added: Vec<&str> = moved.added.iter().filter_map(|rule| rule.get("id").and_then(Value::as_str)).collect();
    flag.rules.retain(|rule| rule.id.as_ref().is_none_or(|id| !added.contains(&id.as_str())));
    let place = flag.rules.iter().position(|rule| rule.id.as_ref() == Some(&moved.rule));
    match (&moved.before, place) {
        (Some(before), Some(place)) => {
            if let Some(slot) = flag.rules.get_mut(place) {
                *slot = Rule::from_value(before)?;
            }
        }
        // The rule was removed: it returns at the end, after all other rules.
        (Some(before), None) => flag.rules.push(Rule::from_value(before)?),
        (None, Some(place)) => drop(flag.rules.remove(place)),
        (None, None) => {}
    }
    // A variant that the rule served may be gone since; then the flag says so.
    let value = serde_json::to_value(&flag).map_err(|error| ValidationErrors::one("", error.to_string()))?;
    Flag::from_value(&value)
}

/// Finds the rule that is moved, or makes one.
fn begin(plan: &RolloutPlan, flag: &Flag) -> Result<MovedFlag, PlanMismatch> {
    if flag.variants.get(plan.variant.as_str()).is_none() {
        let names: Vec<&str> = flag.variants.iter().map(|(name, _)| name.as_str()).collect();
        let problem = format!("\"{}\" is not a variant of {}; its variants are {}", plan.variant, plan.flag, names.join(", "));
        return Err(PlanMismatch::new("variant", problem));
    }
    match rule_of(plan, flag)? {
        Some(place) => adopt(plan, flag, place),
        None => make(plan, flag),
    }
}

/// The place of the rule whose split is moved; none if the flag has no rule with a split.
fn rule_of(plan: &RolloutPlan, flag: &Flag) -> Result<Option<usize>, PlanMismatch> {
    let splits = |rule: &Rule| matches!(rule.serve, Serve::Split(_));
    if let Some(id) = &plan.rule {
        return match flag.rules.iter().position(|rule| rule.id.as_ref() == Some(id)) {
            Some(place) if flag.rules.get(place).is_some_and(splits) => Ok(Some(place)),
            Some(_) => Err(PlanMismatch::new(
                "rule",
                format!("{id} serves one variant to everyone; a rollout needs a rule with a split"),
            )),
            None => Err(PlanMismatch::new("rule", format!("{} has no rule {id}", plan.flag))),
        };
    }
    let mut places = flag.rules.iter().enumerate().filter(|(_, rule)| splits(rule)).map(|(place, _)| place);
    let (place, another) = (places.next(), places.next());
    if another.is_none() {
        return Ok(place);
    }
    let name = |(place, rule): (usize, &Rule)| {
        let id = rule.id.as_ref().map(ToString::to_string);
        id.unwrap_or_else(|| format!("rules[{place}], which has no id yet"))
    };
    let names: Vec<String> = flag.rules.iter().enumerate().filter(|(_, rule)| splits(rule)).map(name).collect();
    let problem = format!(
        "is missing; {} has several rules with a split: {}. Name the one to move",
        plan.flag,
        names.join(", ")
    );
    Err(PlanMismatch::new("rule", problem))
}

/// Takes over a rule that is there.
fn adopt(plan: &RolloutPlan, flag: &Flag, place: usize) -> Result<MovedFlag, PlanMismatch> {
    let mut flag = flag.clone();
    let fresh = fresh_id(&flag, MADE);
    let Some(rule) = flag.rules.get_mut(place) else {
        return Err(PlanMismatch::new("rule", "does not exist"));
    };
    let Serve::Split(split) = &rule.serve else {
        return Err(PlanMismatch::new("rule", "has no split"));
    };
    let control = share::control(plan, split, flag.safe.as_ref()).map_err(|problem| PlanMismatch::new("control", problem))?;
    let before = Some(written(Some(rule))?);
    let id = rule.id.get_or_insert(fresh?).clone();
    let moved = MovedSplit {
        rule: id,
        before,
        left: Value::Null,
        added: Vec::new(),
        control,
    };
    Ok(MovedFlag { flag, moved })
}

/// Makes a rule at the end that serves what the default serves, to all.
fn make(plan: &RolloutPlan, flag: &Flag) -> Result<MovedFlag, PlanMismatch> {
    let control = control_of_made(plan, flag)?;
    let mut flag = flag.clone();
    let share = |variant: &VariantName, thousandths| Share {
        variant: variant.clone(),
        weight: Weight::Percent(thousandths),
    };
    let split = Split::new(vec![share(&plan.variant, 0), share(&control, 100_000)], None, None);
    let id = fresh_id(&flag, MADE)?;
    flag.rules.push(Rule {
        id: Some(id.clone()),
        when: None,
        serve: Serve::Split(split.map_err(|faults| PlanMismatch::new("steps", faults.to_string()))?),
    });
    let moved = MovedSplit {
        rule: id,
        before: None,
        left: Value::Null,
        added: Vec::new(),
        control,
    };
    Ok(MovedFlag { flag, moved })
}

/// A new rule serves the control to users who do not get the variant, which is what they are served now.
fn control_of_made(plan: &RolloutPlan, flag: &Flag) -> Result<VariantName, PlanMismatch> {
    let refuse = |problem: String| Err(PlanMismatch::new("control", problem));
    let Some(default) = &flag.default else {
        let problem = format!(
            "{} serves the caller's own default, which a split cannot serve; give it a default variant first",
            plan.flag
        );
        return refuse(problem);
    };
    if *default == plan.variant {
        let problem = format!(
            "{} has no rule with a split and already serves \"{default}\" to everyone by default: a rollout would lower that",
            plan.flag
        );
        return Err(PlanMismatch::new("variant", problem));
    }
    match plan.control.as_ref().or(flag.safe.as_ref()) {
        Some(control) if control != default => refuse(format!(
            "would be \"{control}\", and {} serves \"{default}\" to users whom no rule matches; make \"{default}\" the control, or add a rule with the split to start from",
            plan.flag
        )),
        Some(_) | None => Ok(default.clone()),
    }
}

/// Raises the variant's share of the moved rule.
fn raise(moving: &mut MovedFlag, plan: &RolloutPlan, share: Percent) -> Result<(), String> {
    let control = moving.moved.control.clone();
    let id = moving.moved.rule.clone();
    let rule = moving.flag.rules.iter_mut().find(|rule| rule.id.as_ref() == Some(&id));
    let Some(Rule {
        serve: Serve::Split(split), ..
    }) = rule
    else {
        return Err(format!("rule {id}, which it moves, was removed or no longer has a split"));
    };
    *split = share::raised(split, &plan.variant, &control, share)?;
    Ok(())
}

/// Adds a rule for a segment in front of the moved one.
fn add_segment(moving: &mut MovedFlag, plan: &RolloutPlan, segment: &SegmentKey) -> Result<(), PlanMismatch> {
    let id = fresh_id(&moving.flag, &format!("{MADE}-{segment}"))?;
    let place = moving.flag.rules.iter().position(|rule| rule.id.as_ref() == Some(&moving.moved.rule));
    let rule = Rule {
        id: Some(id),
        when: Some(Condition::Segment(segment.clone())),
        serve: Serve::Variant(plan.variant.clone()),
    };
    moving.moved.added.push(written(Some(&rule))?);
    moving.flag.rules.insert(place.unwrap_or_default(), rule);
    Ok(())
}

/// An id that no rule of the flag has.
fn fresh_id(flag: &Flag, wish: &str) -> Result<RuleId, PlanMismatch> {
    let taken = |id: &str| flag.rules.iter().any(|rule| rule.id.as_ref().is_some_and(|own| own.as_str() == id));
    let numbered = (2..).map(|number| format!("{wish}-{number}"));
    let free = std::iter::once(wish.to_owned()).chain(numbered).find(|id| !taken(id)).unwrap_or_default();
    RuleId::new(&free).map_err(|faults| PlanMismatch::new("rule", faults.to_string()))
}

fn find<'f>(flag: &'f Flag, id: &RuleId) -> Option<&'f Rule> {
    flag.rules.iter().find(|rule| rule.id.as_ref() == Some(id))
}

fn written(rule: Option<&Rule>) -> Result<Value, PlanMismatch> {
    let rule = rule.ok_or_else(|| PlanMismatch::new("rule", "is gone"))?;
    serde_json::to_value(rule).map_err(|error| PlanMismatch::new("rule", error.to_string()))
}
