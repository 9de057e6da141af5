//! What differs between two states of a flag, a segment, the settings or the policy: a line for each member, rules and conditions in
//! words.

use std::fmt::Write as _;

use ripcord_proto::condition::Condition;
use ripcord_proto::flag_text;
use ripcord_proto::rule::Rule;
use ripcord_proto::visible::is_hidden;
use serde_json::{Map, Value};

use crate::duration::in_words;
use crate::output::Paint;

/// Characters of a value that are shown.
const SHOWN: usize = 160;
/// Members whose texts are shown without quotes.
const TEXTS: [&str; 5] = ["default", "safe", "owner", "description", "bucketing"];

/// The members of something new, rules one by one.
pub(super) fn new_members(text: &mut String, value: &Value) {
    let Value::Object(members) = value else { return };
    for (member, value) in members {
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (index, item) in items.iter().enumerate() {
                    let (name, told) = item_of(member, index, item);
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "    {name}: {told}");
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                let _ = writeln!(text, "    {member}: {}", told(member, value));
            }
        }
    }
}

/// The members that differ, by path, down to where the two sides have different types.
pub(super) fn differences(text: &mut String, paint: Paint, path: &str, from: &Value, to: &Value) {
    if from == to {
        return;
    }
    if let Some((before, after)) = conditions(path, from, to) {
        return line(text, &paint.warn("~"), path, &format!("{before} -> {after}"));
    }
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            for (member, old) in before {
                let path = join(path, member);
                match after.get(member) {
                    Some(new) => differences(text, paint, &path, old, new),
                    None => line(text, &paint.bad("-"), &path, &told(&path, old)),
                }
            }
            for (member, new) in after.iter().filter(|(member, _)| !before.contains_key(*member)) {
                let path = join(path, member);
                line(text, &paint.good("+"), &path, &told(&path, new));
            }
        }
        (Value::Array(before), Value::Array(after)) => items(text, paint, path, before, after),
        (before, after) => line(text, &paint.warn("~"), path, &format!("{} -> {}", told(path, before), told(path, after))),
    }
}

fn items(text: &mut String, paint: Paint, path: &str, before: &[Value], after: &[Value]) {
    for index in 0..before.len().max(after.len()) {
        match (before.get(index), after.get(index)) {
            (Some(old), Some(new)) => item(text, paint, path, index, (old, new)),
            (Some(old), None) => {
                let (name, told) = item_of(path, index, old);
                line(text, &paint.bad("-"), &name, &told);
            }
            (None, Some(new)) => {
                let (name, told) = item_of(path, index, new);
                line(text, &paint.good("+"), &name, &told);
            }
            (None, None) => {}
        }
    }
}

/// Two items at the same place: two rules in words, if these tell the difference; else member by member.
fn item(text: &mut String, paint: Paint, path: &str, index: usize, (old, new): (&Value, &Value)) {
    let rule = |value: &Value| (path == "rules").then(|| Rule::from_value(value).ok()).flatten();
    if old != new
        && let (Some(from), Some(to)) = (rule(old), rule(new))
        && from.id == to.id
    {
        let same_users = from.when == to.when;
        let words = |rule: &Rule| {
            if same_users { flag_text::serve(&rule.serve) } else { flag_text::rule(rule) }
        };
        if let Some((before, after)) = distinct(words(&from), words(&to)) {
            return line(text, &paint.warn("~"), &rule_name(&from, index), &format!("{before} -> {after}"));
        }
    }
    differences(text, paint, &format!("{path}[{index}]"), old, new);
}

/// The name and the text of an item of a list.
fn item_of(path: &str, index: usize, value: &Value) -> (String, String) {
    match Rule::from_value(value) {
        Ok(rule) if path == "rules" => (rule_name(&rule, index), cut(flag_text::rule(&rule))),
        Ok(_) | Err(_) => (format!("{path}[{index}]"), told(path, value)),
    }
}

fn rule_name(rule: &Rule, index: usize) -> String {
    rule.id.as_ref().map_or_else(|| format!("rules[{index}]"), |id| format!("rule {id}"))
}

/// Two conditions in words, if these tell the difference.
fn conditions(path: &str, from: &Value, to: &Value) -> Option<(String, String)> {
    if last(path) != "when" {
        return None;
    }
    let (from, to) = (Condition::from_value(from).ok()?, Condition::from_value(to).ok()?);
    distinct(flag_text::condition(&from), flag_text::condition(&to))
}

/// Both texts if they differ and none is too long to be compared at sight.
fn distinct(from: String, to: String) -> Option<(String, String)> {
    let is_short = |text: &str| text.chars().count() <= SHOWN;
    (from != to && is_short(&from) && is_short(&to)).then_some((from, to))
}

/// A value on one line, cut if it is long.
pub(super) fn told(path: &str, value: &Value) -> String {
    let words = match (last(path), value) {
        ("when", value) => Condition::from_value(value).ok().map(|condition| flag_text::condition(&condition)),
        ("default" | "safe", Value::Null) => Some("the caller's default".to_owned()),
        (member, Value::String(text)) if TEXTS.contains(&member) && is_plain(text) => Some(text.clone()),
        ("variants", Value::Object(variants)) => Some(listed(variants.iter().map(|(name, value)| format!("{name} = {value}")))),
        ("lease", Value::Object(lease)) => lease.get("seconds").and_then(Value::as_u64).map(in_words),
        ("requires", Value::Object(needed)) => pair(needed, "flag", "variant").map(|(flag, variant)| format!("{flag} = {variant}")),
        ("one_way", Value::Object(door)) if door.len() == 2 => pair(door, "from", "reason").map(|(variant, reason)| format!("from {variant}: {reason}")),
        ("tags" | "second_person", Value::Array(tags)) => Some(listed(tags.iter().map(|tag| tag.as_str().map_or_else(|| tag.to_string(), str::to_owned)))),
        _ => None,
    };
    cut(words.unwrap_or_else(|| value.to_string()))
}

fn pair<'v>(object: &'v Map<String, Value>, one: &str, other: &str) -> Option<(&'v str, &'v str)> {
    Some((object.get(one)?.as_str()?, object.get(other)?.as_str()?))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// Whether a text can be told from what stands around it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.chars().any(is_hidden)
}

fn cut(text: String) -> String {
    if text.chars().count() <= SHOWN {
        return text;
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut} …")
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn join(path: &str, member: &str) -> String {
    if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") }
}

fn line(text: &mut String, sign: &str, path: &str, what: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {sign} {path}: {what}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told_of(from: &Value, to: &Value) -> String {
        let mut text = String::new();
        differences(&mut text, Paint::Plain, "", from, to);
        text
    }

    #[test]
    fn rules_are_compared_in_words() {
        let split = |on: &str, off: &str| json!({"split": [{"variant": "on", "weight": on}, {"variant": "off", "weight": off}]});
        let staff = json!({"id": "staff", "when": {"segment": "staff"}, "serve": "on"});
        let from = json!({"rules": [staff, {"id": "gradual", "serve": split("25%", "75%")}]});
        let to = json!({"rules": [
            {"id": "staff", "when": {"attribute": "plan", "equals": "pro"}, "serve": "on"},
            {"id": "gradual", "serve": split("50%", "50%")},
            {"serve": "off"},
        ]});
        insta::assert_snapshot!(told_of(&from, &to), @r#"
        ~ rule staff: on if in segment staff -> on if plan = "pro"
        ~ rule gradual: on 25%, off 75% -> on 50%, off 50%
        + rules[2]: off for everyone
        "#);
        insta::assert_snapshot!(told_of(&json!({"rules": [staff]}), &json!({"rules": []})), @"- rule staff: on if in segment staff");
    }

    #[test]
    fn what_words_do_not_tell_apart_is_told_member_by_member() {
        let salted = |salt: &str| json!({"rules": [{"serve": {"split": [{"variant": "on", "weight": 1}], "salt": salt}}]});
        insta::assert_snapshot!(told_of(&salted("a"), &salted("b")), @r#"~ rules[0].serve.salt: "a" -> "b""#);
        let many = |last: u32| json!({"rules": [{"when": {"attribute": "n", "one_of": (0..last).collect::<Vec<_>>()}, "serve": "on"}]});
        insta::assert_snapshot!(told_of(&many(99), &many(100)), @"+ rules[0].when.one_of[99]: 99");
        insta::assert_snapshot!(told_of(&json!({"rules": [{"serve": "on"}, 1]}), &json!({"rules": [{"serve": "on"}, 2]})), @"~ rules[1]: 1 -> 2");
    }

    #[test]
    fn texts_have_no_quotes_unless_they_need_them() {
        let from = json!({"default": "off", "owner": "ada", "variants": {"on": "1"}});
        let to = json!({"default": null, "owner": "two\nlines", "variants": {"on": 1}});
        insta::assert_snapshot!(told_of(&from, &to), @r#"
        ~ default: off -> the caller's default
        ~ owner: ada -> "two\nlines"
        ~ variants.on: "1" -> 1
        "#);
    }

    #[test]
    fn what_a_new_flag_has_is_told_in_words() {
        let flag = json!({
            "default": "off", "tags": ["a", "b"], "lease": {"seconds": 300}, "requires": [{"flag": "api", "variant": "on"}],
            "one_way": {"from": "on", "reason": "new format"}, "rules": [{"serve": "on"}],
        });
        let mut text = String::new();
        new_members(&mut text, &flag);
        insta::assert_snapshot!(text, @r"
        default: off
        tags: a, b
        lease: 5 min
        requires[0]: api = on
        one_way: from on: new format
        rules[0]: on for everyone
        ");
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = told("metadata", &json!("é".repeat(500)));
        assert_eq!(text.chars().count(), SHOWN + 2);
        assert!(text.ends_with('…'));
    }
}
