//! The export in an engine that is as strict as Go's, which refuses the text of a boolean, a list and an object, does not take lists and
//! objects to be equal to themselves, and finds numbers among texts: no flag may fall to the caller's default there.

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use ripcord_proto::flagd;
use ripcord_proto::settings::Bucketing;
use ripcord_sdk::Context;
use ripcord_sdk::engine::{Compiled, SinceContact};
use serde_json::{Value, json};

use crate::random;
use crate::trial;

/// Evaluations of random flags.
const CASES: usize = 20_000;
/// Contexts that each random flag is evaluated for.
const CONTEXTS: usize = 20;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("conditions_on_values_of_every_type_hold_in_an_engine_as_strict_as_gos", || async {
            every_type()
        }),
        trial("random_flags_serve_the_same_variant_in_an_engine_as_strict_as_gos", || async { at_random() }),
    ]
}

fn every_type() -> Result<()> {
    let values = [
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(5),
        json!(-1.5),
        json!(""),
        json!("a"),
        json!("5"),
        json!("true"),
        json!("0"),
        json!(null),
        json!([]),
        json!([true]),
        json!([5]),
        json!(["5", "a"]),
        json!([0, false]),
        json!([[5]]),
        json!({}),
        json!({"0": 5, "a": 1}),
    ];
    let tests = [
        json!({"equals": true}),
        json!({"equals": false}),
        json!({"equals": 0}),
        json!({"equals": 1}),
        json!({"equals": 5}),
        json!({"equals": "5"}),
        json!({"one_of": [true, "a"]}),
        json!({"one_of": [false, 5]}),
        json!({"one_of": ["a", "5"]}),
        json!({"one_of": ["a", "0", ""]}),
        json!({"contains": "5"}),
        json!({"contains": 5}),
        json!({"contains": true}),
        json!({"contains": false}),
        json!({"contains": 0}),
        json!({"lt": 3}),
        json!({"lte": 5}),
        json!({"gt": 0}),
        json!({"gte": 1}),
        json!({"exists": true}),
        json!({"exists": false}),
    ];
    let mut snapshot = random::empty(Bucketing::V2)?;
    let split = json!({"split": [{"variant": "on", "weight": "50%"}, {"variant": "off", "weight": "50%"}], "by": "n"});
    let rules = tests.iter().map(|test| {
        let mut when = test.clone();
        when["attribute"] = json!("n");
        json!([{"when": when, "serve": "on"}])
    });
    for (number, rules) in rules.chain([json!([{ "serve": split }])]).enumerate() {
        let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": rules});
        random::insert(&mut snapshot, &format!("flag-{number}"), &flag)?;
    }
    let contexts = values.map(|value| json!({"n": value, "targetingKey": "u"}));
    let (ran, faults) = compare(&snapshot, |_| contexts.to_vec())?;
    ensure!(faults.is_empty(), "{} of {ran} differ:\n{}", faults.len(), faults.join("\n"));
    println!("{ran} of {ran} edges are the same");
    Ok(())
}

fn at_random() -> Result<()> {
    let (mut ran, mut seed) = (0, 1_u64);
    while ran < CASES {
        let mut dice = StdRng::seed_from_u64(seed);
        let snapshot = random::snapshot(&mut dice, Bucketing::V2)?;
        let (now, faults) = compare(&snapshot, |_| (0..CONTEXTS).map(|_| random::context(&mut dice)).collect())?;
        ensure!(faults.is_empty(), "seed {seed}: {}", faults[0]);
        (ran, seed) = (ran + now, seed + 1);
    }
    println!("{ran} of {ran} random cases are the same");
    Ok(())
}

fn compare(snapshot: &ripcord_proto::Snapshot, mut contexts: impl FnMut(&str) -> Vec<Value>) -> Result<(usize, Vec<String>)> {
    let document = flagd::export(snapshot, []).document(None);
    let compiled = Compiled::new(snapshot);
    let (mut ran, mut faults) = (0, Vec::new());
    for (key, flag) in document["flags"].as_object().context("flags")? {
        for context in contexts(key) {
            let members = context.as_object().context("an object")?;
            let own = compiled.evaluate(key, &Context::from_json(members), SinceContact::FRESH);
            let own = own.variant().map_or("", AsRef::as_ref);
            let there = evaluate(flag, &context);
            ran += 1;
            if !there.as_ref().is_ok_and(|variant| variant == own) {
                faults.push(format!("{key} for {context}: {own:?}, there {there:?}, as {flag}"));
            }
        }
    }
    Ok((ran, faults))
}

/// The variant; empty for the caller's default.
fn evaluate(flag: &Value, context: &Value) -> Result<String> {
    let default = flag["defaultVariant"].as_str().unwrap_or_default().to_owned();
    if flag["state"] == "DISABLED" {
        return Ok(String::new());
    }
    let Some(targeting) = flag.get("targeting") else {
        return Ok(default);
    };
    Ok(match apply(targeting, context)? {
        Value::Null => default,
        Value::String(variant) => variant,
        other => bail!("the rule gives {other}"),
    })
}

fn apply(rule: &Value, data: &Value) -> Result<Value> {
    let Value::Object(members) = rule else {
        return match rule {
            Value::Array(items) => items.iter().map(|item| apply(item, data)).collect::<Result<Vec<_>>>().map(Value::Array),
            other => Ok(other.clone()),
        };
    };
    let (operator, arguments) = members.iter().next().context("an operation")?;
    let arguments = match arguments {
        Value::Array(items) => items.as_slice(),
        only => std::slice::from_ref(only),
    };
    match operator.as_str() {
        "if" => return branches(arguments, data),
        "and" | "or" => return in_turn(operator == "and", arguments, data),
        "some" => return some(arguments, data),
        _ => {}
    }
    let values = arguments.iter().map(|argument| apply(argument, data)).collect::<Result<Vec<_>>>()?;
    let at = |index: usize| values.get(index).unwrap_or(&Value::Null);
    Ok(match operator.as_str() {
        "var" => variable(at(0).as_str().unwrap_or_default(), data),
        "!" => json!(!truthy(at(0))),
        "===" => json!(strictly_equal(at(0), at(1))),
        "!==" => json!(!strictly_equal(at(0), at(1))),
        "<" => json!(number(at(0))? < number(at(1))?),
        "<=" => json!(number(at(0))? <= number(at(1))?),
        ">" => json!(number(at(0))? > number(at(1))?),
        ">=" => json!(number(at(0))? >= number(at(1))?),
        "cat" => json!(values.iter().map(text).collect::<Result<Vec<_>>>()?.concat()),
        "substr" => json!(at(0).as_str().context("a text")?.chars().take(1).collect::<String>()),
        "merge" => Value::Array(
            values
                .iter()
                .flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]))
                .collect(),
        ),
        "in" => json!(is_in(at(0), at(1))?),
        "starts_with" => affix(at(0), at(1), |text, affix| text.starts_with(affix)),
        "ends_with" => affix(at(0), at(1), |text, affix| text.ends_with(affix)),
        "sem_ver" => sem_ver(at(0), at(1), at(2))?,
        "fractional" => fractional(&values)?,
        other => bail!("the operator {other}"),
    })
}

fn branches(arguments: &[Value], data: &Value) -> Result<Value> {
    for pair in arguments.chunks(2) {
        match pair {
            [condition, result] if truthy(&apply(condition, data)?) => return apply(result, data),
            [otherwise] => return apply(otherwise, data),
            _ => {}
        }
    }
    Ok(Value::Null)
}

fn in_turn(all: bool, arguments: &[Value], data: &Value) -> Result<Value> {
    let mut last = json!(all);
    for argument in arguments {
        last = apply(argument, data)?;
        if truthy(&last) != all {
            break;
        }
    }
    Ok(last)
}

fn some(arguments: &[Value], data: &Value) -> Result<Value> {
    let [items, condition] = arguments else { bail!("some of what?") };
    for item in apply(items, data)?.as_array().context("a list")? {
        if truthy(&apply(condition, item)?) {
            return Ok(json!(true));
        }
    }
    Ok(json!(false))
}

fn variable(path: &str, data: &Value) -> Value {
    if path.is_empty() {
        return data.clone();
    }
    let found = path.split('.').try_fold(data, |at, part| match at {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    });
    found.cloned().unwrap_or_default()
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(boolean) => *boolean,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

fn strictly_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().with_context(|| format!("{value} is no number"))
}

fn text(value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::Null => String::new(),
        other => bail!("{other} has no text"),
    })
}

fn is_in(needle: &Value, hay: &Value) -> Result<bool> {
    Ok(match hay {
        Value::String(hay) => hay.contains(&text(needle)?),
        Value::Array(items) => {
            let as_number = |value: &Value| match value {
                Value::Number(number) => number.as_f64().unwrap_or_default(),
                Value::String(text) => text.parse().unwrap_or(0.0),
                _ => f64::NAN,
            };
            items.iter().any(|item| match (needle, item) {
                (Value::String(one), Value::String(other)) => one == other,
                (one, other) => as_number(one).total_cmp(&as_number(other)).is_eq(),
            })
        }
        _ => false,
    })
}

fn affix(text: &Value, affix: &Value, holds: impl Fn(&str, &str) -> bool) -> Value {
    match (text.as_str(), affix.as_str()) {
        (Some(text), Some(affix)) => json!(holds(text, affix)),
        _ => Value::Null,
    }
}

/// As the engine under test does it: what this compares is the same everywhere, and not the matter here.
fn sem_ver(version: &Value, operator: &Value, other: &Value) -> Result<Value> {
    let rule = json!({"if": [{"sem_ver": [version, operator, other]}, "on", "off"]});
    Ok(json!(ours(&rule)?.as_deref() == Some("on")))
}

fn fractional(values: &[Value]) -> Result<Value> {
    Ok(ours(&json!({ "fractional": values }))?.map_or(Value::Null, Value::String))
}

/// The variant that a rule gives in the engine under test.
fn ours(rule: &Value) -> Result<Option<String>> {
    let variants = json!({"on": 1, "off": 2, "a": 3, "b": 4, "c": 5});
    let flag = json!({"variants": variants, "default": null, "safe": null, "rules": [{"serve": {"jsonlogic": rule}}]});
    let mut snapshot = random::empty(Bucketing::V2)?;
    random::insert(&mut snapshot, "rule", &flag)?;
    let compiled = Compiled::new(&snapshot);
    let empty = serde_json::Map::new();
    let evaluation = compiled.evaluate("rule", &Context::from_json(&empty), SinceContact::FRESH);
    Ok(evaluation.variant().map(ToString::to_string))
}
