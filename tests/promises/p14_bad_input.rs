//! Promise 14: bad input is refused with a clear error that names the field and the way out, and nothing is half-applied.

mod bodies;
mod fields;
mod keys;
mod preconditions;

use anyhow::ensure;
use ripcord_tests::{Answer, Outcome};
use serde_json::Value;

/// The problem names this field, and beside it what can be done: a key, a variant, a number. Never a sentence.
pub fn names(problem: &Value, path: &str, words: &str) -> Outcome {
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().find(|error| error["path"] == path);
    let Some(named) = named else {
        anyhow::bail!("{path:?} is not named: {problem}")
    };
    let text = named["problem"].as_str().unwrap_or_default();
    ensure!(text.contains(words), "{path} should say {words:?}, it says {text:?}");
    Ok(())
}

/// A refusal that is a problem document of one of these statuses.
pub fn refused(answer: &Answer, statuses: &[u16], what: &str) -> Outcome {
    ensure!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
    let code = answer.body["code"].as_str().unwrap_or_default();
    ensure!(
        !code.is_empty() && answer.body["detail"].is_string(),
        "{what} is answered without code or detail: {}",
        answer.body
    );
    Ok(())
}
