//! A targeting rule → native rules, as far as that gives every user the same variant: what `fractional` splits becomes a split, which
//! rollouts can move. Whatever has no native form stays JSONLogic.

use serde_json::{Map, Value};

use crate::condition::{AttributePath, Condition};
use crate::key::VariantName;
use crate::limits;
use crate::rule::{Rule, Serve};
use crate::split::{Share, Split, SplitHash, Weight};
use crate::variant::Variants;

/// The rules of a targeting rule of the flag with this key.
pub(super) fn rules(targeting: Value, key: &str, variants: &Variants) -> Vec<Rule> {
    let mut rules = Vec::new();
    read(&targeting, key, variants, &mut rules);
    let splits = rules.iter().any(|rule| matches!(rule.serve, Serve::Split(_)));
    // Without a split nothing is gained by taking it apart.
    if splits && rules.len() <= limits::RULES {
        return rules;
    }
    vec![always(Serve::JsonLogic(targeting))]
}

fn always(serve: Serve) -> Rule {
    Rule { id: None, when: None, serve }
}

/// Takes a chain of conditions and results apart, up to the first result that has no native form.
fn read(targeting: &Value, key: &str, variants: &Variants, rules: &mut Vec<Rule>) {
    if let Some(serve) = serve(targeting, key, variants) {
        rules.push(always(serve));
        return;
    }
    let chain = operation(targeting, "if").or_else(|| operation(targeting, "?:"));
    let Some(Value::Array(mut rest)) = chain.cloned() else {
        rules.push(always(Serve::JsonLogic(targeting.clone())));
        return;
    };
    rest.reverse();
    while let (Some(first), next) = (rest.pop(), rest.pop()) {
        let Some(result) = next else {
            // The last one alone is what all others get. Null is the default variant, which needs no rule.
            if !first.is_null() {
                read(&first, key, variants, rules);
            }
            return;
        };
        let Some(serve) = serve(&result, key, variants) else {
            rest.extend([result, first]);
            rest.reverse();
            let others = [("if".to_owned(), Value::Array(rest))].into_iter().collect::<Map<_, _>>();
            rules.push(always(Serve::JsonLogic(Value::Object(others))));
            return;
        };
        rules.push(Rule {
            id: None,
            when: Some(Condition::JsonLogic(first)),
            serve,
        });
    }
}

/// The arguments of this operation.
fn operation<'v>(rule: &'v Value, name: &str) -> Option<&'v Value> {
    rule.as_object().filter(|members| members.len() == 1)?.get(name)
}

fn serve(result: &Value, key: &str, variants: &Variants) -> Option<Serve> {
    match result {
        Value::String(name) => named(name, variants).map(Serve::Variant),
        Value::Object(_) => split(result, key, variants).map(Serve::Split),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn named(name: &str, variants: &Variants) -> Option<VariantName> {
    variants.names().find(|known| known.as_str() == name).cloned()
}

/// `fractional` with a value that a split can have: none, an attribute, or a text with an attribute behind it.
fn split(rule: &Value, key: &str, variants: &Variants) -> Option<Split> {
    let arguments = operation(rule, "fractional")?.as_array()?;
    // A list as first argument is a share and never a value.
    let (value, shares) = match arguments.split_first()? {
        (Value::Array(_), _) => (None, arguments.as_slice()),
        (value, shares) => (Some(value), shares),
    };
    let (salt, by) = match value {
        None => (None, None),
        Some(value) => salted(value, key).or_else(|| Some((None, Some(attribute(value)?))))?,
    };
    if shares.len() > limits::SHARES {
        return None;
    }
    let shares = shares.iter().map(|entry| share(entry, variants)).collect::<Option<Vec<_>>>()?;
    let split = Split::new(shares, by, salt).ok()?;
    Some(split.hashed(SplitHash::Flagd))
}

/// `{"cat": [TEXT, {"var": ATTRIBUTE}]}`, where the text may be the flag's own key.
fn salted(value: &Value, key: &str) -> Option<(Option<String>, Option<AttributePath>)> {
    let [salt, by] = operation(value, "cat")?.as_array()?.as_slice() else {
        return None;
    };
    let salt = match salt {
        Value::String(text) => text.as_str(),
        Value::Object(_) if variable(salt) == Some("$flagd.flagKey") => key,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some((Some(salt.to_owned()), Some(attribute(by)?)))
}

fn attribute(value: &Value) -> Option<AttributePath> {
    let path = variable(value).filter(|path| *path != "$flagd" && !path.starts_with("$flagd."))?;
    AttributePath::new(path).ok()
}

/// The path in `{"var": PATH}` or `{"var": [PATH]}`.
fn variable(value: &Value) -> Option<&str> {
    match operation(value, "var")? {
        Value::String(path) => Some(path),
        Value::Array(items) if items.len() == 1 => items.first()?.as_str(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `[VARIANT]` or `[VARIANT, WEIGHT]`. A missing weight is 1, a negative one 0.
fn share(entry: &Value, variants: &Variants) -> Option<Share> {
    let entry = entry.as_array().filter(|entry| (1..=2).contains(&entry.len()))?;
    let weight = match entry.get(1) {
        None | Some(Value::Null) => 1,
        Some(Value::Number(number)) => whole(number)?.max(0),
        Some(_) => return None,
    };
    Some(Share {
        variant: named(entry.first()?.as_str()?, variants)?,
        weight: Weight::Count(u32::try_from(weight).ok()?),
    })
}

/// A whole number, also if it is written with a fraction of zero.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= 4_294_967_295.0);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    number.as_i64().or_else(|| float().map(|float| float as i64))
}
