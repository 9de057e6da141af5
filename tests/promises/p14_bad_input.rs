//! Promise 14: bad input is refused with a clear error that names the field and the way out, and nothing is half-applied.

mod bodies;
mod fields;
mod keys;
mod preconditions;

use anyhow::ensure;
use ripcord_tests::{Answer, Outcome};
use serde_json::Value;

/// The problem names this field and says something about it. What it says is for people: no test reads it.
pub fn names(problem: &Value, path: &str) -> Outcome {
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().find(|error| error["path"] == path);
    let Some(named) = named else {
        anyhow::bail!("{path:?} is not named: {problem}")
    };
    ensure!(named["problem"].as_str().is_some_and(|said| !said.is_empty()), "{path}: {problem}");
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
