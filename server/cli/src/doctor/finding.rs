//! One finding of `ripcord doctor`.

use crate::answer::ClientError;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Well,
    Warning,
    Wrong,
}

/// The finding of one check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn well(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Well, found, None)
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, State::Warning, found, Some(advice.into()))
    }

    pub(super) fn wrong(check: &'static str, found: impl Into<String>, advice: Option<String>) -> Self {
        Self::new(check, State::Wrong, found, advice)
    }

    /// What could not be looked at is no good news.
    pub(super) fn unread(check: &'static str, what: &str, error: &ClientError) -> Self {
        Self::wrong(check, format!("{what} could not be read: {error}"), error.advice())
    }

    pub(super) fn new(check: &'static str, state: State, found: impl Into<String>, advice: Option<String>) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            advice,
        }
    }
}
