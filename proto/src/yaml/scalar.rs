//! The core schema of YAML 1.2: what a scalar without quotes is.

use serde_json::{Number, Value};

/// The value of a plain scalar. The error says why JSON cannot hold it.
pub(super) fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(whole) = whole(text) {
        return whole.map(Value::Number);
    }
    match float(text) {
        Some(number) => number.map(Value::Number),
        None => Ok(Value::String(text.to_owned())),
    }
}

fn signless(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number: `[-+]?[0-9]+`, `0o[0-7]+` or `0x[0-9a-fA-F]+`.
fn whole(text: &str) -> Option<Result<Number, String>> {
    let read = if let Some(octal) = text
        .strip_prefix("0o")
        .filter(|digits| digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)))
    {
        u64::from_str_radix(octal, 8).map(Number::from)
    } else if let Some(hex) = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        u64::from_str_radix(hex, 16).map(Number::from)
    } else if !is_digits(signless(text)) {
        return None;
    } else if text.starts_with('-') {
        text.parse::<i64>().map(Number::from)
    } else {
        signless(text).parse::<u64>().map(Number::from)
    };
    match read {
        Ok(number) => Some(Ok(number)),
        Err(error) if *error.kind() == std::num::IntErrorKind::Empty => None,
        Err(_) => Some(Err(format!("the number {text} is too large"))),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, `[-+]?\.inf` or `.nan`.
fn float(text: &str) -> Option<Result<Number, String>> {
    let unsigned = signless(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err(format!(
            "{text} is a number that JSON cannot represent; put it in quotes if it is meant as text"
        )));
    }
    let (mantissa, exponent) = unsigned
        .split_once(['e', 'E'])
        .map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    if exponent.is_some_and(|exponent| !is_digits(signless(exponent))) {
        return None;
    }
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = if before.is_empty() {
        is_digits(after)
    } else {
        is_digits(before) && (after.is_empty() || is_digits(after))
    };
    if !is_mantissa {
        return None;
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    Some(number.ok_or_else(|| format!("the number {text} is too large")))
}
