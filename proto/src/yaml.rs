//! YAML text → [`Value`], by the core schema of YAML 1.2 and strictly: a member that stands twice, a tag that JSON has no type for and
//! a second document are refused, each with its line and column. JSON is read by the same functions, since it is YAML.
//!
//! By that schema `yes`, `0b11` and `123_456` are texts, `017` is 17 and `0o17` is 15.

#[cfg(feature = "yaml")]
mod build;
mod comments;
#[cfg(feature = "yaml")]
mod scalar;
#[cfg(all(test, feature = "yaml"))]
mod tests;

use serde_json::Value;

pub(crate) use self::comments::Comments;
use crate::json;
use crate::validation::ValidationErrors;

/// Reads YAML or JSON text; a syntax error is reported with line and column.
pub(crate) fn parse(text: &str) -> Result<Value, ValidationErrors> {
    parse_with_comments(text).map(|(value, _)| value)
}

/// The same, with the comments; JSON has none.
pub(crate) fn parse_with_comments(text: &str) -> Result<(Value, Comments), ValidationErrors> {
    // Some editors put a byte order mark in front of each file.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let Some(inner) = text.trim_start().strip_prefix(['{', '[']) else {
        return strict(text);
    };
    let parsed = json::parse(text).map(|value| (value, Comments::new()));
    // If it is neither, the errors are those of the format that it looks like.
    let is_json = inner.trim_start().starts_with(['"', '{', '[', '}', ']']);
    parsed.or_else(|json_faults| strict(text).map_err(|faults| if is_json { json_faults } else { faults }))
}

/// Without the feature `yaml`: JSON only.
#[cfg(not(feature = "yaml"))]
fn strict(text: &str) -> Result<(Value, Comments), ValidationErrors> {
    json::parse(text).map(|value| (value, Comments::new()))
}

#[cfg(feature = "yaml")]
fn strict(text: &str) -> Result<(Value, Comments), ValidationErrors> {
    build::read(text).map_err(|problem| ValidationErrors::one("", format!("is not valid YAML {problem}")))
}
