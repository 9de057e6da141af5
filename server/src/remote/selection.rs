//! Which flags a caller sees.

use ripcord_proto::Flag;
use ripcord_proto::flagd::belongs_to;
use ripcord_proto::role::Role;
use ripcord_sdk::engine::{Compiled, CompiledFlag, Context, Evaluation, SinceContact};

use super::RemoteEvaluation;

/// An unknown selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown selector {0:?}; use flagSetId=SET or source=ENVIRONMENT")]
pub struct SelectorError(String);

/// A selector, restricted to what the caller's key may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The requested environment, if any.
    pub environment: Option<String>,
    /// The requested flag set, if any; the empty name selects flags without a set.
    pub set: Option<String>,
    public: bool,
}

impl Selection {
    /// Parses flagd's selector: one `key=value`. Text without a key is a source; empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        let (key, value) = text.split_once('=').unwrap_or(("source", text));
        match (key.trim(), value.trim()) {
            ("source", "") => Ok(Self::default()),
            ("source", environment) => Ok(Self {
                environment: Some(environment.to_owned()),
                ..Self::default()
            }),
            ("flagSetId", set) => Ok(Self {
                set: Some(set.to_owned()),
                ..Self::default()
            }),
            _ => Err(SelectorError(text.to_owned())),
        }
    }

    /// Restricted to what this role may see.
    #[must_use]
    pub fn seen_by(mut self, role: Role) -> Self {
        self.public = role == Role::Client;
        self
    }

    /// Whether every flag is visible.
    pub const fn is_everything(&self) -> bool {
        self.set.is_none() && !self.public
    }

    /// Whether a flag is visible.
    pub fn shows(&self, flag: &Flag) -> bool {
        (!self.public || flag.client) && self.set.as_deref().is_none_or(|set| belongs_to(flag, set))
    }

    fn shows_compiled(&self, flag: &CompiledFlag) -> bool {
        self.is_everything() || flag.entry().value().is_ok_and(|flag| self.shows(flag))
    }

    /// Evaluates a flag. A flag that is not visible is not found.
    pub fn evaluate<'c>(&self, compiled: &'c Compiled, key: &str, context: &Context<'_>) -> Evaluation<'c> {
        let evaluation = compiled.evaluate(key, context, SinceContact::FRESH);
        match evaluation.flag() {
            // No flag has the empty key.
            Some(flag) if !self.shows_compiled(flag) => compiled.evaluate("", context, SinceContact::FRESH),
            Some(_) | None => evaluation,
        }
    }

    /// The same as an answer for clients.
    pub fn answer<'c>(&self, compiled: &'c Compiled, key: &str, context: &Context<'_>) -> RemoteEvaluation<'c> {
        self.evaluate(compiled, key, context).into()
    }

    /// Appends what distinguishes this selection from others to `decisions`.
    pub fn decisions(&self, decisions: &mut Vec<u8>) {
        decisions.push(u8::from(self.public));
        for part in [&self.environment, &self.set] {
            decisions.push(u8::from(part.is_some()));
            decisions.extend_from_slice(part.as_deref().unwrap_or_default().as_bytes());
            decisions.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_key_and_one_value() {
        let parsed = |text: &str| Selection::parse(text).map(|selection| (selection.environment, selection.set));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed(""), Ok((None, None)));
        assert_eq!(parsed("staging"), Ok((some("staging"), None)));
        assert_eq!(parsed("source=staging"), Ok((some("staging"), None)));
        assert_eq!(parsed("flagSetId=a=b"), Ok((None, some("a=b"))));
        assert_eq!(parsed("flagSetId="), Ok((None, some(""))));
        assert!(parsed("colour=red").is_err());
    }
}
