//! The operators that a targeting rule may use.

use serde_json::{Map, Value};

/// The operators of JSONLogic and of flagd. Each interpreter has further ones; rules with those would give different results
/// elsewhere.
pub(super) const OPERATORS: [&str; 38] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "filter",
    "reduce",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "fractional",
    "sem_ver",
    "starts_with",
    "ends_with",
];

/// The first operator of a rule that is neither JSONLogic's nor flagd's: an object of one member is an operation. A flag with
/// such a rule answers `PARSE_ERROR`.
pub fn unknown_operator(rule: &Value) -> Option<&str> {
    match rule {
        Value::Array(items) => items.iter().find_map(unknown_operator),
        Value::Object(members) => named(members).or_else(|| members.values().find_map(unknown_operator)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// All of them, each once.
pub(crate) fn unknown(rule: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(rule, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

fn collect<'r>(rule: &'r Value, found: &mut Vec<&'r str>) {
    match rule {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            found.extend(named(members));
            members.values().for_each(|member| collect(member, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn named(members: &Map<String, Value>) -> Option<&str> {
    let operator = members.keys().next().filter(|_| members.len() == 1).map(String::as_str);
    operator.filter(|name| !OPERATORS.contains(name))
}
