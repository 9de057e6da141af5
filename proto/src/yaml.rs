//! YAML text → [`Value`], strictly: a duplicate member is refused. JSON is read by the same parser, since it is YAML.
//! Booleans are `true` and `false` alone (YAML 1.2).

use serde_json::Value;

use crate::json;
#[cfg(feature = "yaml")]
use crate::json::Strict;
use crate::validation::ValidationErrors;

/// Reads YAML or JSON text; a syntax error is reported with line and column.
pub(crate) fn parse(text: &str) -> Result<Value, ValidationErrors> {
    if text.trim_start().starts_with(['{', '[']) {
        json::parse(text).or_else(|json_faults| strict(text).map_err(|_| json_faults))
    } else {
        strict(text)
    }
}

/// Without the feature `yaml`: JSON only.
#[cfg(not(feature = "yaml"))]
fn strict(text: &str) -> Result<Value, ValidationErrors> {
    json::parse(text)
}

#[cfg(feature = "yaml")]
fn strict(text: &str) -> Result<Value, ValidationErrors> {
    let budget = serde_saphyr::budget! { max_events: 20_000_000, max_nodes: 10_000_000 };
    let options = serde_saphyr::options! {
        budget: budget,
        strict_booleans: true,
        legacy_octal_numbers: false,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Merge,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Strict>(text, options) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => {
            let place = error
                .location()
                .map(|at| format!(" at line {} column {}", at.line(), at.column()))
                .unwrap_or_default();
            Err(ValidationErrors::one("", format!("is not valid YAML{place}: {}", error.without_snippet())))
        }
    }
}
