//! Flags in words: whom they serve what, and in what two of them differ. For people who decide at 3 a.m.

use ripcord_proto::condition::{Condition, Test};
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::split::{Split, Weight};
use ripcord_proto::text::counted_len;
use ripcord_proto::value::Scalar;
use ripcord_proto::{Flag, VariantName};

/// Rules that are described one by one, at most.
const RULES: usize = 8;
/// Values of a list that are named, at most.
const VALUES: usize = 4;
/// Characters of a condition, at most.
const CONDITION: usize = 120;
const CALLER: &str = "the caller's default";

/// Whom a flag serves what.
pub(crate) fn flag(flag: &Flag) -> String {
    if !flag.enabled {
        return format!("switched off: {CALLER}");
    }
    let required = flag.requires.iter();
    let mut text = required
        .map(|required| format!("where {} serves {}: ", required.flag, required.variant))
        .collect::<Vec<_>>()
        .concat();
    for rule in flag.rules.iter().take(RULES) {
        let serve = serve(&rule.serve);
        let Some(when) = &rule.when else { return text + &serve };
        text.extend([serve, format!(" if {}; ", cut(condition(when)))]);
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

fn serve(serve: &Serve) -> String {
    match serve {
        Serve::Variant(name) => name.to_string(),
        Serve::Split(split) => shares(split),
        Serve::JsonLogic(_) => "what an imported rule names".to_owned(),
    }
}

/// `on 25%, off 75%`
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

fn condition(of: &Condition) -> String {
    let all = |items: &[Condition], word: &str| match items {
        [] => if word == " and " { "always" } else { "never" }.to_owned(),
        [one] => condition(one),
        items => items.iter().map(|item| format!("({})", condition(item))).collect::<Vec<_>>().join(word),
    };
    match of {
        Condition::All(items) => all(items, " and "),
        Condition::Any(items) => all(items, " or "),
        Condition::Not(inner) => format!("not ({})", condition(inner)),
        Condition::Segment(key) => format!("in segment {key}"),
        Condition::JsonLogic(_) => "an imported rule holds".to_owned(),
        Condition::Attribute { attribute, test } => format!("{attribute} {}", tested(test)),
    }
}

fn tested(test: &Test) -> String {
    match test {
        Test::Equals(value) => format!("is {}", scalar(value)),
        Test::OneOf(values) => format!("is one of {}", list(values.iter().map(scalar))),
        Test::Contains(value) => format!("contains {}", scalar(value)),
        Test::StartsWith(text) => format!("starts with {text:?}"),
        Test::EndsWith(text) => format!("ends with {text:?}"),
        Test::Matches(pattern) => format!("matches {pattern}"),
        Test::Lt(number) => format!("< {number}"),
        Test::Lte(number) => format!("<= {number}"),
        Test::Gt(number) => format!("> {number}"),
        Test::Gte(number) => format!(">= {number}"),
        Test::SemverEq(version) => format!("is version {version}"),
        Test::SemverLt(version) => format!("is before version {version}"),
        Test::SemverLte(version) => format!("is version {version} or before"),
        Test::SemverGt(version) => format!("is after version {version}"),
        Test::SemverGte(version) => format!("is version {version} or after"),
        Test::SemverIn(range) => format!("is a version of {range}"),
        Test::Before(instant) => format!("is before {instant}"),
        Test::After(instant) => format!("is after {instant}"),
        Test::InCidr(networks) => format!("lies in {}", list(networks.iter().map(ToString::to_string))),
        Test::Exists(true) => "is there".to_owned(),
        Test::Exists(false) => "is missing".to_owned(),
    }
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::String(text) => format!("{text:?}"),
        Scalar::Number(number) => number.to_string(),
        Scalar::Boolean(boolean) => boolean.to_string(),
    }
}

fn list(values: impl ExactSizeIterator<Item = String>) -> String {
    let more = values.len().saturating_sub(VALUES);
    let mut listed: Vec<String> = values.take(VALUES).collect();
    if more > 0 {
        listed.push(format!("{more} more"));
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

/// In what a flag differs from what it would be, a line for each.
pub(crate) fn differences(from: Option<&Flag>, to: Option<&Flag>) -> Vec<String> {
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (None, _) => return vec!["it comes back".to_owned()],
        (_, None) => return vec!["this version cannot read it".to_owned()],
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
    rules(&from.rules, &to.rules, &mut lines);
    if lines.is_empty() {
        lines.push("only what says something about it: description, owner, tags, checks, metadata".to_owned());
    }
    lines
}

fn rules(from: &[Rule], to: &[Rule], lines: &mut Vec<String>) {
    let whole = |rule: &Rule| {
        let when = rule.when.as_ref().map(|when| format!(" if {}", cut(condition(when)))).unwrap_or_default();
        format!("{}{when}", serve(&rule.serve))
    };
    let count = from.len().max(to.len());
    for index in 0..count {
        let name = |rule: &Rule| rule.id.as_ref().map_or_else(|| format!("rules[{index}]"), |id| format!("rule {id}"));
        match (from.get(index), to.get(index)) {
            (Some(from), Some(to)) if from == to => {}
            (Some(from), Some(to)) if from.when == to.when => lines.push(format!("{}: {} → {}", name(from), serve(&from.serve), serve(&to.serve))),
            (Some(from), Some(to)) => lines.push(format!("{}: {} → {}", name(from), whole(from), whole(to))),
            (Some(from), None) => lines.push(format!("{} goes: {}", name(from), whole(from))),
            (None, Some(to)) => lines.push(format!("{} comes: {}", name(to), whole(to))),
            (None, None) => {}
        }
    }
}
