//! JSON → plan.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Day, Exposure, Hours, RolloutPlan, RolloutStep, RolloutWindow};
use crate::duration::HumanDuration;
use crate::gate::{Gate, Percent};
use crate::limits;
use crate::reader::{self, Read, Reader};
use crate::role::Role;
use crate::split;
use crate::validation::ValidationErrors;
use crate::yaml;

const MEMBERS: [&str; 11] = [
    "flag", "variant", "control", "rule", "steps", "gates", "window", "bake", "release", "start_at", "no_gates",
];
const DAYS: [(&str, Day); 7] = [
    ("mon", Day::Mon),
    ("tue", Day::Tue),
    ("wed", Day::Wed),
    ("thu", Day::Thu),
    ("fri", Day::Fri),
    ("sat", Day::Sat),
    ("sun", Day::Sun),
];

impl RolloutPlan {
    /// Reads the JSON form and reports every problem.
    pub fn from_value(value: &Value) -> Result<Self, ValidationErrors> {
        reader::read(value, plan)
    }

    /// Reads YAML or JSON. A syntax error is reported with line and column; otherwise all problems are reported at once.
    pub fn parse(text: &str) -> Result<Self, ValidationErrors> {
        Self::from_value(&yaml::parse(text)?)
    }
}

fn plan(reader: &mut Reader, value: &Value) -> Read<RolloutPlan> {
    if value.is_null() {
        return reader.refuse("is empty; a plan has \"flag\", \"variant\" and \"steps\"");
    }
    reader.size(value, limits::PLAN_BYTES, "")?;
    let map = reader.object(value)?;
    reader.members(map, "a plan", &MEMBERS, &[]);
    let flag = reader.required(map, "flag", "the key of a flag", Reader::parsed);
    let variant = reader.required(map, "variant", "the name of the variant whose share is raised", Reader::parsed);
    let control = reader.optional(map, "control", Reader::parsed);
    let rule = reader.optional(map, "rule", Reader::parsed);
    let steps = reader.required(map, "steps", "a list of at least one step", steps);
    let gates = reader.optional(map, "gates", Gate::read_all);
    let window = reader.optional(map, "window", window);
    let bake = reader.optional(map, "bake", Reader::parsed);
    let release = reader.optional(map, "release", Reader::parsed);
    let start_at = reader.optional(map, "start_at", Reader::instant);
    let no_gates = reader.optional(map, "no_gates", Reader::boolean).unwrap_or_default();
    // It is unknown whether gates that could not be read would judge a step.
    let unreadable = map.contains_key("gates") && gates.is_none();
    let plan = RolloutPlan {
        flag: flag?,
        variant: variant?,
        control,
        rule,
        steps: steps?,
        gates: gates.unwrap_or_default(),
        window,
        bake,
        release,
        start_at,
        no_gates,
    };
    if plan.control.as_ref() == Some(&plan.variant) {
        reader.within("control", |reader| {
            reader.note("is the same as the variant; name the one whose share is lowered");
        });
    }
    if !plan.no_gates && !unreadable {
        note_steps_without_gate(reader, &plan);
    }
    Ok(plan)
}

/// Refuses steps without a gate, unless the plan says `no_gates`.
fn note_steps_without_gate(reader: &mut Reader, plan: &RolloutPlan) {
    for number in plan.steps_without_gate() {
        let place = usize::try_from(number).unwrap_or_default().saturating_sub(1);
        let problem = if plan.gates.is_empty() {
            "has no gate; add gates, or \"no_gates\": true to advance on time alone"
        } else {
            "has no control, now or earlier, that its gates could compare with; add a gate that needs none (a probe, prometheus, a limit), or \"no_gates\": true to advance on time alone"
        };
        reader.within("steps", |reader| reader.item(place, |reader| reader.note(problem)));
    }
}

fn steps(reader: &mut Reader, value: &Value) -> Read<Vec<RolloutStep>> {
    let steps = reader.items(value, limits::ROLLOUT_STEPS, step)?;
    if steps.is_empty() {
        return reader.refuse("is empty; a rollout has at least one step");
    }
    let mut most = Percent::from_thousandths(0);
    for (place, step) in steps.iter().enumerate() {
        let Exposure::Share(share) = &step.to else { continue };
        if *share < most {
            let problem = format!("lowers exposure from {most} to {share}; steps only raise it. `ripcord rollout rollback` undoes a rollout");
            reader.item(place, |reader| reader.within("to", |reader| reader.note(problem)));
        }
        most = most.max(*share);
    }
    Ok(steps)
}

fn step(reader: &mut Reader, value: &Value) -> Read<RolloutStep> {
    let map = reader.object(value)?;
    reader.members(map, "a step", &["to", "hold", "approve"], &[]);
    let to = reader.required(map, "to", "a percentage such as \"10%\", or \"segment beta\"", exposure);
    let hold = reader.required(map, "hold", "how long it is held, such as \"30m\"", Reader::parsed::<HumanDuration>);
    let approve = reader.optional(map, "approve", approver);
    Ok(RolloutStep { to: to?, hold: hold?, approve })
}

fn exposure(reader: &mut Reader, value: &Value) -> Read<Exposure> {
    let text = reader.text(value)?;
    if let Some(key) = text.strip_prefix("segment ") {
        return key.trim().parse().map(Exposure::Segment).or_else(|faults| reader.refuse_all(faults));
    }
    if let Some(thousandths) = split::percent(text) {
        return Ok(Exposure::Share(Percent::from_thousandths(thousandths)));
    }
    if text
        .strip_suffix('%')
        .is_some_and(|number| number.trim().parse::<f64>().is_ok_and(|number| number > 100.0))
    {
        return reader.refuse(format!("is {text}; a step goes to 100% at most"));
    }
    reader.refuse(format!(
        "{text:?} is not an exposure; write a percentage such as \"10%\" (at most three decimals), or \"segment beta\""
    ))
}

fn approver(reader: &mut Reader, value: &Value) -> Read<Role> {
    let role: Role = reader.parsed(value)?;
    if matches!(role, Role::Oncall | Role::Editor | Role::Admin) {
        return Ok(role);
    }
    reader.refuse(format!("{role} cannot approve; it must be \"oncall\", \"editor\" or \"admin\""))
}

fn window(reader: &mut Reader, value: &Value) -> Read<RolloutWindow> {
    let map = reader.object(value)?;
    reader.members(map, "a window", &["days", "hours", "zone"], &[]);
    let days = reader.optional(map, "days", |reader, value| {
        let days: BTreeSet<Day> = reader.items(value, DAYS.len(), day)?.into_iter().collect();
        if days.is_empty() {
            reader.refuse("is empty; no step could ever start")
        } else {
            Ok(days)
        }
    });
    let hours = reader.required(map, "hours", "from when to when: \"09:00-16:00\"", hours);
    let zone = reader.required(map, "zone", "a time zone such as \"Europe/Amsterdam\"", Reader::prose);
    Ok(RolloutWindow {
        days: days.unwrap_or_else(|| DAYS.into_iter().map(|(_, day)| day).collect()),
        hours: hours?,
        zone: zone?,
    })
}

fn day(reader: &mut Reader, value: &Value) -> Read<Day> {
    let text = reader.text(value)?;
    match DAYS.iter().find(|(name, _)| *name == text) {
        Some((_, day)) => Ok(*day),
        None => reader.refuse(format!("{text:?} is not a day; write mon, tue, wed, thu, fri, sat or sun")),
    }
}

fn hours(reader: &mut Reader, value: &Value) -> Read<Hours> {
    let text = reader.text(value)?;
    let minutes = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let whole = hours * 60 + minutes;
        (hours <= 24 && minutes < 60 && whole <= 24 * 60).then_some(whole)
    };
    let read = text.split_once('-').and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
    match read {
        Some((from, to)) if from != to && from < 24 * 60 => Ok(Hours { from, to }),
        _ => reader.refuse(format!("{text:?} is not a time range; write it as \"09:00-16:00\"")),
    }
}
