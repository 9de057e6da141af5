//! What changes, before and after: the effect of a plan, in lines that a person can check.

use std::fmt::Write as _;

use ripcord_proto::rest::plan::{FlagStep, PlanAnswer, SegmentStep};
use serde_json::Value;
use serde_json::value::RawValue;

use super::output::{Paint, count};

/// Characters of a value that are shown.
const SHOWN: usize = 160;

/// How many things a plan changes.
pub(crate) fn total(plan: &PlanAnswer) -> usize {
    plan.flags.len() + plan.segments.len() + usize::from(plan.settings.is_some())
}

/// The plan, thing by thing: `+` new, `-` gone, `~` changed, each with what differs.
pub(crate) fn describe(plan: &PlanAnswer, paint: Paint) -> String {
    let mut text = String::new();
    for step in &plan.segments {
        text.push_str(&segment(step, paint));
    }
    for step in &plan.flags {
        text.push_str(&flag(step, paint));
        if let Some(kills) = plan.kills.get(&step.key) {
            let ids: Vec<_> = kills.iter().map(ToString::to_string).collect();
            let stays = format!("    stays killed by {}: it goes on serving its safe variant", ids.join(", "));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", paint.warn(&stays));
        }
    }
    if let Some(settings) = &plan.settings {
        let before = serde_json::to_value(settings.from).unwrap_or_default();
        let after = serde_json::to_value(settings.to).unwrap_or_default();
        let _ = writeln!(text, "{} settings", paint.warn("~"));
        differences(&mut text, paint, "", &before, &after);
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "{}", paint.warn(&format!("! {warning}")));
    }
    text
}

/// A flag before and after.
fn flag(step: &FlagStep, paint: Paint) -> String {
    thing(paint, &format!("flag {}", step.key), step.from.as_deref(), step.to.as_deref())
}

/// A segment before and after.
pub(crate) fn segment(step: &SegmentStep, paint: Paint) -> String {
    thing(paint, &format!("segment {}", step.key), step.from.as_deref(), step.to.as_deref())
}

/// `2 flags and 1 segment`
pub(crate) fn summary(plan: &PlanAnswer) -> String {
    let mut parts = Vec::new();
    if !plan.flags.is_empty() {
        parts.push(count(plan.flags.len(), "flag", "flags"));
    }
    if !plan.segments.is_empty() {
        parts.push(count(plan.segments.len(), "segment", "segments"));
    }
    if plan.settings.is_some() {
        parts.push("the settings".to_owned());
    }
    parts.join(" and ")
}

fn thing(paint: Paint, name: &str, from: Option<&RawValue>, to: Option<&RawValue>) -> String {
    let read = |json: &RawValue| serde_json::from_str::<Value>(json.get()).unwrap_or_default();
    let mut text = String::new();
    // Writing to a String cannot fail.
    match (from, to) {
        (None, Some(to)) => {
            let _ = writeln!(text, "{}", paint.good(&format!("+ {name}")));
            if let Value::Object(members) = read(to) {
                for (member, value) in &members {
                    new_member(&mut text, member, value);
                }
            }
        }
        (Some(_), None) => drop(writeln!(text, "{}", paint.bad(&format!("- {name}")))),
        (Some(from), Some(to)) => {
            let _ = writeln!(text, "{} {name}", paint.warn("~"));
            differences(&mut text, paint, "", &read(from), &read(to));
        }
        (None, None) => {}
    }
    text
}

/// A member of something new; of a list of objects (rules) each on a line of its own.
fn new_member(text: &mut String, member: &str, value: &Value) {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "    {member}[{index}]: {}", shown(item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let _ = writeln!(text, "    {member}: {}", shown(value));
        }
    }
}

/// The members that differ, by path, as deep as both sides have the same shape.
fn differences(text: &mut String, paint: Paint, path: &str, from: &Value, to: &Value) {
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            for (member, old) in before {
                let path = join(path, member);
                match after.get(member) {
                    Some(new) => differences(text, paint, &path, old, new),
                    None => line(text, &paint.bad("-"), &path, &shown(old)),
                }
            }
            for (member, new) in after.iter().filter(|(member, _)| !before.contains_key(*member)) {
                line(text, &paint.good("+"), &join(path, member), &shown(new));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (index, old) in before.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match after.get(index) {
                    Some(new) => differences(text, paint, &path, old, new),
                    None => line(text, &paint.bad("-"), &path, &shown(old)),
                }
            }
            for (index, new) in after.iter().enumerate().skip(before.len()) {
                line(text, &paint.good("+"), &format!("{path}[{index}]"), &shown(new));
            }
        }
        (before, after) if before == after => {}
        (before, after) => line(text, &paint.warn("~"), path, &format!("{} -> {}", shown(before), shown(after))),
    }
}

fn join(path: &str, member: &str) -> String {
    if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") }
}

fn line(text: &mut String, sign: &str, path: &str, what: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {sign} {path}: {what}");
}

/// A value on one line, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut} …")
}

#[cfg(test)]
mod tests;
