//! Which flags a caller sees.

use ripcord_proto::Flag;
use ripcord_proto::flagd::belongs_to;
use ripcord_proto::role::Role;
use ripcord_sdk::engine::{Compiled, CompiledFlag, Context, Evaluation, SinceContact};

use super::RemoteEvaluation;

/// A selector that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no selector; write flagSetId=SET or source=ENVIRONMENT")]
pub struct SelectorError(String);

/// What a selector asks for, and what the caller's key lets him see of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The environment that was asked for, where one was.
    pub environment: Option<String>,
    /// The flag set that was asked for; the empty one is that of flags without a set.
    pub set: Option<String>,
    public: bool,
}

impl Selection {
    /// Reads flagd's selector: one `key=value`; text alone is a source; nothing is everything.
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

    /// The same for the holder of a key of this role.
    #[must_use]
    pub fn seen_by(mut self, role: Role) -> Self {
        self.public = role == Role::Client;
        self
    }

    /// Whether every flag is seen.
    pub const fn is_everything(&self) -> bool {
        self.set.is_none() && !self.public
    }

    /// Whether a flag is seen.
    pub fn shows(&self, flag: &Flag) -> bool {
        (!self.public || flag.client) && self.set.as_deref().is_none_or(|set| belongs_to(flag, set))
    }

    fn shows_compiled(&self, flag: &CompiledFlag) -> bool {
        self.is_everything() || flag.entry().value().is_ok_and(|flag| self.shows(flag))
    }

    /// Evaluates a flag. One that is not seen is not there.
    pub fn evaluate<'c>(&self, compiled: &'c Compiled, key: &str, context: &Context<'_>) -> Evaluation<'c> {
        let evaluation = compiled.evaluate(key, context, SinceContact::FRESH);
        match evaluation.flag() {
            // The empty key is nobody's.
            Some(flag) if !self.shows_compiled(flag) => compiled.evaluate("", context, SinceContact::FRESH),
            Some(_) | None => evaluation,
        }
    }

    /// The same, as it is answered.
    pub fn answer<'c>(&self, compiled: &'c Compiled, key: &str, context: &Context<'_>) -> RemoteEvaluation<'c> {
        self.evaluate(compiled, key, context).into()
    }

    /// Adds to a digest what tells this selection from another.
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
