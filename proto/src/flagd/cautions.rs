//! What is wrong with a rule although it is well-formed: it can never do what it was written for.

use serde_json::Value;

use super::operators;
use crate::flag::Flag;
use crate::reader;
use crate::rule::Serve;
use crate::validation::ValidationError;
use crate::variant::Variants;

/// What is wrong with the rules of a flag that were written for flagd.
pub(crate) fn of_flag(flag: &Flag) -> Vec<ValidationError> {
    let rules = flag.rules.iter().enumerate();
    rules
        .flat_map(|(index, rule)| {
            let served = match &rule.serve {
                Serve::JsonLogic(served) => of_rule(served, &flag.variants),
                Serve::Variant(_) | Serve::Split(_) => Vec::new(),
            };
            let conditions = rule.when.iter().flat_map(|when| when.unknown_operators());
            let at = |place: &'static str| move |problem: String| ValidationError::new(format!("rules[{index}].{place}"), problem);
            let served = served.into_iter().map(at("serve.jsonlogic"));
            served.chain(conditions.map(unknown).map(at("when.jsonlogic"))).collect::<Vec<_>>()
        })
        .collect()
}

/// What is wrong with a rule that returns the name of a variant: operators that no engine knows, and results that name no variant.
fn of_rule(rule: &Value, variants: &Variants) -> Vec<String> {
    let mut found: Vec<String> = operators::unknown(rule).into_iter().map(unknown).collect();
    results(rule, variants, &mut found);
    found
}

/// Why an operator is none.
pub(crate) fn unknown(operator: &str) -> String {
    if operator == "$ref" {
        return "refers to an evaluator that does not exist; every evaluation ends in PARSE_ERROR".to_owned();
    }
    let renamed = match operator {
        "fractionalEvaluation" => "; flagd calls it \"fractional\" now".to_owned(),
        _ => reader::hint(operator, operators::OPERATORS),
    };
    format!("uses {operator:?}, which is not an operator: every evaluation ends in PARSE_ERROR{renamed}")
}

/// Looks at everything that the rule can return as it stands.
fn results(result: &Value, variants: &Variants, found: &mut Vec<String>) {
    let name = match result {
        Value::Null => return,
        Value::String(name) => name.clone(),
        Value::Bool(_) | Value::Number(_) => result.to_string(),
        Value::Array(_) => {
            found.push("returns a list, which names no variant: evaluation ends in an error there".to_owned());
            return;
        }
        Value::Object(members) => {
            let Some((operator, arguments)) = members.iter().next().filter(|_| members.len() == 1) else {
                return;
            };
            match (operator.as_str(), arguments) {
                ("if" | "?:", Value::Array(items)) => {
                    for (place, item) in items.iter().enumerate() {
                        // Conditions stand at even places, the last one excepted if nothing follows it.
                        if place % 2 == 1 || place + 1 == items.len() {
                            results(item, variants, found);
                        }
                    }
                }
                ("fractional", Value::Array(items)) => shares(items, variants, found),
                _ => {}
            }
            return;
        }
    };
    if variants.get(&name).is_none() {
        let known = reader::quoted(variants.names().map(AsRef::as_ref));
        found.push(format!("returns {name:?}, which is not a variant of this flag; it has {known}"));
    }
}

fn shares(items: &[Value], variants: &Variants, found: &mut Vec<String>) {
    for entry in items.iter().filter_map(Value::as_array) {
        if let Some(variant) = entry.first() {
            results(variant, variants, found);
        }
        let is_part = |weight: &Value| weight.as_f64().is_some_and(|weight| weight.fract() != 0.0);
        if let Some(weight) = entry.get(1).filter(|weight| is_part(weight)) {
            found.push(format!(
                "has the weight {weight}; weights are whole numbers, and with this one every user gets the default variant"
            ));
        }
    }
}
