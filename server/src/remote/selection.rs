//! Which flags a caller sees.

use ripcord_proto::Flag;
use ripcord_proto::flagd::belongs_to;
use ripcord_proto::role::Role;
use ripcord_sdk::engine::{Compiled, CompiledFlag, Context, Evaluation, SinceContact};

use super::RemoteEvaluation;

/// A selector that selects nothing sensible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown selector {0:?}; use flagSetId=SET, source=ENVIRONMENT, or both with a comma between them")]
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
    /// Parses flagd's selector: `key=value`, or several by comma. Text without a key is a source; empty text selects everything. A comma that
    /// no further key follows belongs to the value.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let unknown = || SelectorError(text.to_owned());
        let mut selection = Self::default();
        for part in parts(text.trim()) {
            let (key, value) = part.split_once('=').unwrap_or(("source", part));
            let (place, value) = match (key.trim(), value.trim()) {
                ("source", "") => continue,
                ("source", value) => (&mut selection.environment, value),
                ("flagSetId", value) => (&mut selection.set, value),
                _ => return Err(unknown()),
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(unknown());
            }
        }
        Ok(selection)
    }

    /// The flags of one set; `None` = all.
    pub fn of_set(set: Option<String>) -> Self {
        Self { set, ..Self::default() }
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

/// The parts of a selector, each with a key but perhaps the first.
fn parts(text: &str) -> Vec<&str> {
    let ends = text.match_indices(',').map(|(at, _)| at).filter(|at| {
        let next = text.get(at + 1..).unwrap_or_default();
        next.split_once('=').is_some_and(|(key, _)| !key.contains(','))
    });
    let mut parts = Vec::new();
    let mut from = 0;
    for end in ends {
        parts.extend(text.get(from..end));
        from = end + 1;
    }
    parts.extend(text.get(from..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_one_key_and_its_value_or_both_keys() {
        let parsed = |text: &str| Selection::parse(text).map(|selection| (selection.environment, selection.set));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed(""), Ok((None, None)));
        assert_eq!(parsed("staging"), Ok((some("staging"), None)));
        assert_eq!(parsed("source=staging"), Ok((some("staging"), None)));
        assert_eq!(parsed("flagSetId=a=b"), Ok((None, some("a=b"))));
        assert_eq!(parsed("flagSetId="), Ok((None, some(""))));
        assert_eq!(parsed("flagSetId=a,source=production"), Ok((some("production"), some("a"))));
        assert_eq!(parsed("production, flagSetId=a"), Ok((some("production"), some("a"))));
        assert_eq!(parsed("flagSetId=a,b"), Ok((None, some("a,b"))), "a name may hold a comma");
        for wrong in ["colour=red", "flagSetId=a,colour=red", "flagSetId=a,flagSetId=b", "source=a,source=b"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
