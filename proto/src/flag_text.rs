//! Flags, rules and conditions in words: who is served what, and what differs between two states. The one place that writes them for
//! people: plans, lists, histories and explanations call it.

use crate::condition::{Condition, Test};
use crate::flag::Flag;
use crate::key::VariantName;
use crate::rule::{Rule, Serve};
use crate::split::{Split, Weight};
use crate::text::{counted_len, grouped_len};
use crate::value::Scalar;

/// Rules that are described one by one in a summary, at most.
const RULES: usize = 8;
/// Values of a list that are named in a summary, at most.
const VALUES: usize = 4;
/// Characters of a condition in a summary, at most.
const CONDITION: usize = 120;
const CALLER: &str = "the caller's default";

/// Who is served what by a flag, on one line: `on if in segment staff; on 25%, off 75%`.
pub fn flag(flag: &Flag) -> String {
    if !flag.enabled {
        return format!("switched off: {CALLER}");
    }
    let required = flag.requires.iter();
    let mut text = required
        .map(|required| format!("requires {} = {}: ", required.flag, required.variant))
        .collect::<Vec<_>>()
        .concat();
    for rule in flag.rules.iter().take(RULES) {
        let serve = serve(&rule.serve);
        let Some(when) = &rule.when else { return text + &serve };
        text.extend([serve, format!(" if {}; ", summary(when))]);
    }
    if flag.rules.len() > RULES {
        text.extend([counted_len(flag.rules.len() - RULES, "more rule; ", "more rules; ")]);
    }
    let alone = flag.rules.is_empty() && flag.requires.is_empty();
    text + if alone { "" } else { "else " } + &variant(flag.default.as_ref())
}

fn variant(name: Option<&VariantName>) -> String {
    name.map_or_else(|| CALLER.to_owned(), ToString::to_string)
}

/// A whole rule: `on 25%, off 75% if country in ("DE", "AT")`.
pub fn rule(rule: &Rule) -> String {
    match &rule.when {
        Some(when) => format!("{} if {}", serve(&rule.serve), condition(when)),
        None => format!("{} for everyone", serve(&rule.serve)),
    }
}

/// What a rule serves: `on`, or `on 25%, off 75% by country`.
pub fn serve(serve: &Serve) -> String {
    match serve {
        Serve::Variant(name) => name.to_string(),
        Serve::Split(split) => shares(split),
        Serve::JsonLogic(_) => "by JSONLogic".to_owned(),
    }
}

fn shares(split: &Split) -> String {
    let total = split.total();
    let shares = split.shares().iter().map(|share| format!("{} {}", share.variant, percent(share.weight, total)));
    let text = shares.collect::<Vec<_>>().join(", ");
    match split.by() {
        Some(by) => format!("{text} by {by}"),
        None => text,
    }
}

fn percent(weight: Weight, total: u32) -> String {
    match weight {
        Weight::Percent(_) => weight.to_string(),
        Weight::Count(count) => {
            let thousandths = (u64::from(count) * 100_000 + u64::from(total) / 2) / u64::from(total.max(1));
            Weight::Percent(u32::try_from(thousandths).unwrap_or(100_000)).to_string()
        }
    }
}

/// A whole condition: `country in ("DE", "AT") and plan = "pro"`.
pub fn condition(condition: &Condition) -> String {
    written(condition, Detail::Whole)
}

/// The same with long lists, imported rules and long texts shortened.
fn summary(condition: &Condition) -> String {
    cut(written(condition, Detail::Summary))
}

/// How much of a condition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything.
    Whole,
    /// The beginnings of lists, and that there is an imported rule.
    Summary,
}

fn written(condition: &Condition, detail: Detail) -> String {
    let joined = |items: &[Condition], word: &str, none: &str| match items {
        [] => none.to_owned(),
        [one] => written(one, detail),
        items => items.iter().map(|item| part(item, detail)).collect::<Vec<_>>().join(word),
    };
    match condition {
        Condition::All(items) => joined(items, " and ", "always"),
        Condition::Any(items) => joined(items, " or ", "never"),
        Condition::Not(inner) => format!("not ({})", written(inner, detail)),
        Condition::Segment(key) => format!("in segment {key}"),
        Condition::JsonLogic(rule) if detail == Detail::Whole => format!("JSONLogic {rule}"),
        Condition::JsonLogic(_) => "an imported rule matches".to_owned(),
        Condition::Attribute { attribute, test } => format!("{attribute} {}", tested(test, detail)),
    }
}

/// A condition within another one, in parentheses if it would read differently without them.
fn part(condition: &Condition, detail: Detail) -> String {
    let text = written(condition, detail);
    let is_list = matches!(condition, Condition::All(items) | Condition::Any(items) if items.len() > 1);
    if is_list { format!("({text})") } else { text }
}

fn tested(test: &Test, detail: Detail) -> String {
    match test {
        Test::Equals(value) => format!("= {}", scalar(value)),
        Test::OneOf(values) => format!("in ({})", list(values.iter().map(scalar), detail)),
        Test::Contains(value) => format!("contains {}", scalar(value)),
        Test::StartsWith(text) => format!("starts with {text:?}"),
        Test::EndsWith(text) => format!("ends with {text:?}"),
        Test::Matches(pattern) => format!("matches /{pattern}/"),
        Test::Lt(number) => format!("< {number}"),
        Test::Lte(number) => format!("<= {number}"),
        Test::Gt(number) => format!("> {number}"),
        Test::Gte(number) => format!(">= {number}"),
        Test::SemverEq(version) => format!("= version {version}"),
        Test::SemverLt(version) => format!("< version {version}"),
        Test::SemverLte(version) => format!("<= version {version}"),
        Test::SemverGt(version) => format!("> version {version}"),
        Test::SemverGte(version) => format!(">= version {version}"),
        Test::SemverIn(range) => format!("in versions {range}"),
        Test::Before(instant) => format!("before {instant}"),
        Test::After(instant) => format!("after {instant}"),
        Test::InCidr(networks) => format!("in network {}", list(networks.iter().map(ToString::to_string), detail)),
        Test::Exists(true) => "is set".to_owned(),
        Test::Exists(false) => "is not set".to_owned(),
    }
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::String(text) => format!("{text:?}"),
        Scalar::Number(number) => number.to_string(),
        Scalar::Boolean(boolean) => boolean.to_string(),
    }
}

fn list(values: impl ExactSizeIterator<Item = String>, detail: Detail) -> String {
    let most = match detail {
        Detail::Whole => usize::MAX,
        Detail::Summary => VALUES,
    };
    let more = values.len().saturating_sub(most);
    let mut listed: Vec<String> = values.take(most).collect();
    if more > 0 {
        listed.push(format!("{} more", grouped_len(more)));
    }
    listed.join(", ")
}

fn cut(text: String) -> String {
    if text.chars().count() <= CONDITION {
        return text;
    }
    let cut: String = text.chars().take(CONDITION).collect();
    format!("{cut} …")
}

/// What differs between two states of a flag, a line for each difference: `rule gradual: on 25%, off 75% → on 50%, off 50%`.
pub fn differences(from: Option<&Flag>, to: Option<&Flag>) -> Vec<String> {
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (None, _) => return vec!["the flag is restored".to_owned()],
        (_, None) => return vec!["this version cannot read the flag".to_owned()],
    };
    let mut lines = Vec::new();
    let mut line = |what: &str, from: String, to: String| {
        if from != to {
            lines.push(format!("{what}: {from} → {to}"));
        }
    };
    let on = |flag: &Flag| if flag.enabled { "on" } else { "off" }.to_owned();
    line("switched", on(from), on(to));
    line("default", variant(from.default.as_ref()), variant(to.default.as_ref()));
    line("safe", variant(from.safe.as_ref()), variant(to.safe.as_ref()));
    let names: Vec<&VariantName> = from
        .variants
        .names()
        .chain(to.variants.names().filter(|name| from.variants.get(name.as_str()).is_none()))
        .collect();
    for name in names {
        let value = |flag: &Flag| {
            flag.variants
                .get(name.as_str())
                .map_or_else(|| "none".to_owned(), |value| cut(serde_json::to_string(value).unwrap_or_default()))
        };
        line(&format!("variant {name}"), value(from), value(to));
    }
    let requires = |flag: &Flag| {
        let all = flag
            .requires
            .iter()
            .map(|requirement| format!("{} = {}", requirement.flag, requirement.variant));
        let all: Vec<String> = all.collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    };
    line("requires", requires(from), requires(to));
    let lease = |flag: &Flag| flag.lease.map_or_else(|| "none".to_owned(), |lease| format!("{} s", lease.seconds));
    line("lease", lease(from), lease(to));
    changed_rules(&from.rules, &to.rules, &mut lines);
    if lines.is_empty() {
        lines.push("only its description, owner, tags, checks or metadata".to_owned());
    }
    lines
}

fn changed_rules(from: &[Rule], to: &[Rule], lines: &mut Vec<String>) {
    let whole = |rule: &Rule| {
        let when = rule.when.as_ref().map(|when| format!(" if {}", summary(when))).unwrap_or_default();
        format!("{}{when}", serve(&rule.serve))
    };
    let count = from.len().max(to.len());
    for index in 0..count {
        let name = |rule: &Rule| rule.id.as_ref().map_or_else(|| format!("rules[{index}]"), |id| format!("rule {id}"));
        match (from.get(index), to.get(index)) {
            (Some(from), Some(to)) if from == to => {}
            (Some(from), Some(to)) if from.when == to.when => lines.push(format!("{}: {} → {}", name(from), serve(&from.serve), serve(&to.serve))),
            (Some(from), Some(to)) => lines.push(format!("{}: {} → {}", name(from), whole(from), whole(to))),
            (Some(from), None) => lines.push(format!("{} removed: {}", name(from), whole(from))),
            (None, Some(to)) => lines.push(format!("{} added: {}", name(to), whole(to))),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(value: &serde_json::Value) -> String {
        condition(&Condition::from_value(value).unwrap())
    }

    #[test]
    fn a_condition_reads_like_a_sentence() {
        let countries = json!({"attribute": "country", "one_of": ["DE", "AT"]});
        let plan = json!({"attribute": "plan", "equals": "pro"});
        assert_eq!(told(&json!({"all": [countries, plan]})), "country in (\"DE\", \"AT\") and plan = \"pro\"");
        assert_eq!(
            told(&json!({"any": [{"segment": "staff"}, {"all": [{"not": plan}, {"attribute": "age", "gte": 18}]}]})),
            "in segment staff or (not (plan = \"pro\") and age >= 18)"
        );
        assert_eq!(told(&json!({"all": []})), "always");
        assert_eq!(told(&json!({"any": [{"attribute": "email", "exists": false}]})), "email is not set");
        assert_eq!(
            told(&json!({"attribute": "app.version", "semver_gte": "2.3.0"})),
            "app.version >= version 2.3.0"
        );
        assert_eq!(told(&json!({"jsonlogic": {"==": [1, 1]}})), "JSONLogic {\"==\":[1,1]}");
    }

    #[test]
    fn a_summary_shortens_what_a_whole_condition_shows() {
        let long = Condition::from_value(&json!({"attribute": "n", "one_of": [1, 2, 3, 4, 5, 6]})).unwrap();
        assert_eq!(condition(&long), "n in (1, 2, 3, 4, 5, 6)");
        assert_eq!(summary(&long), "n in (1, 2, 3, 4, 2 more)");
        let imported = Condition::from_value(&json!({"jsonlogic": {"==": [1, 1]}})).unwrap();
        assert_eq!(summary(&imported), "an imported rule matches");
    }

    #[test]
    fn a_flag_is_told_with_its_rules_and_what_else_it_needs() {
        let value = json!({
            "variants": {"on": true, "off": false}, "default": "off", "safe": "off", "requires": [{"flag": "api", "variant": "on"}],
            "rules": [
                {"id": "staff", "when": {"segment": "staff"}, "serve": "on"},
                {"serve": {"split": [{"variant": "on", "weight": 1}, {"variant": "off", "weight": 3}]}},
            ],
        });
        let before = Flag::from_value(&value).unwrap();
        assert_eq!(flag(&before), "requires api = on: on if in segment staff; on 25%, off 75%");
        assert_eq!(
            before.rules.iter().map(rule).collect::<Vec<_>>(),
            ["on if in segment staff", "on 25%, off 75% for everyone"]
        );
        let mut after = before.clone();
        after.rules.remove(0);
        after.enabled = false;
        assert_eq!(flag(&after), "switched off: the caller's default");
        assert_eq!(
            differences(Some(&before), Some(&after)),
            [
                "switched: on → off",
                "rule staff: on if in segment staff → on 25%, off 75%",
                "rules[1] removed: on 25%, off 75%"
            ]
        );
    }
}
