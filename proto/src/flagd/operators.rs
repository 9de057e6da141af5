//! The operators that a targeting rule may use.

use serde_json::Value;

/// JSONLogic's operators and flagd's own. Interpreters know more, each others: what uses those would answer differently
/// elsewhere.
const OPERATORS: [&str; 38] = [
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
        Value::Object(members) => {
            let operator = members.keys().next().filter(|_| members.len() == 1).map(String::as_str);
            operator
                .filter(|name| !OPERATORS.contains(name))
                .or_else(|| members.values().find_map(unknown_operator))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
