//! One answer.

use ripcord_proto::flagd::KILL_METADATA;
use ripcord_proto::kill::KillId;
use ripcord_proto::value::Value;
use ripcord_sdk::engine::{CompiledFlag, ErrorCode, Evaluation};
use serde::ser::SerializeMap as _;

/// What a flag answers to somebody far away.
#[derive(Debug, Clone, Copy)]
pub struct RemoteEvaluation<'c> {
    evaluation: Evaluation<'c>,
}

impl<'c> From<Evaluation<'c>> for RemoteEvaluation<'c> {
    fn from(evaluation: Evaluation<'c>) -> Self {
        Self { evaluation }
    }
}

impl<'c> RemoteEvaluation<'c> {
    /// The value; `None` = the caller's own default.
    pub fn value(&self) -> Option<&'c Value> {
        self.evaluation.value()
    }

    /// The variant, wherever there is a value.
    pub fn variant(&self) -> Option<&'c str> {
        self.evaluation.variant().map(AsRef::as_ref)
    }

    /// The reason, in the words that every client knows.
    pub const fn reason(&self) -> &'static str {
        self.evaluation.reason().as_openfeature()
    }

    /// What went wrong, where something did.
    pub const fn error(&self) -> Option<ErrorCode> {
        self.evaluation.reason().error_code()
    }

    /// What went wrong, in one sentence for a person.
    pub fn error_text(&self, key: &str) -> String {
        match self.error() {
            Some(ErrorCode::FlagNotFound) => format!("There is no flag {key:?}."),
            Some(ErrorCode::ParseError) => {
                let why = self
                    .evaluation
                    .flag()
                    .and_then(CompiledFlag::issue)
                    .unwrap_or("a segment that it names cannot be read");
                format!("The flag {key:?} cannot be evaluated: {why}.")
            }
            Some(ErrorCode::TypeMismatch) => format!("The values of the flag {key:?} are of another type."),
            Some(_) | None => format!("The rule of the flag {key:?} names no variant of it."),
        }
    }

    /// What goes with it.
    pub fn metadata(&self) -> FlagMetadata<'c> {
        FlagMetadata {
            own: self.evaluation.flag().and_then(|flag| flag.entry().value().ok()).map(|flag| &flag.metadata),
            kill: self.evaluation.kill(),
        }
    }

    /// Writes what decides it into `decisions`: equal decisions over equal flags are equal answers.
    pub fn decisions(&self, decisions: &mut Vec<u8>) {
        decisions.extend_from_slice(self.variant().unwrap_or_default().as_bytes());
        decisions.push(0);
        decisions.push(self.evaluation.reason().code());
        if let Some(code) = self.error() {
            decisions.extend_from_slice(code.as_str().as_bytes());
        }
        if let Some(kill) = self.evaluation.kill() {
            decisions.extend_from_slice(kill.as_str().as_bytes());
        }
        decisions.push(1);
    }
}

/// The flag's own metadata, as far as clients take them (texts, numbers, booleans), and the kill where there is one.
#[derive(Debug, Clone, Copy)]
pub struct FlagMetadata<'c> {
    own: Option<&'c serde_json::Map<String, serde_json::Value>>,
    kill: Option<&'c KillId>,
}

impl<'c> FlagMetadata<'c> {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'c str, serde_json::Value)> {
        let kill = self.kill.map(|kill| (KILL_METADATA, kill.as_str().into()));
        self.own().map(|(name, value)| (name, value.clone())).chain(kill)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kill.is_none() && self.own().next().is_none()
    }

    fn own(&self) -> impl Iterator<Item = (&'c str, &'c serde_json::Value)> {
        let simple = |value: &serde_json::Value| value.is_string() || value.is_number() || value.is_boolean();
        let own = self.own.into_iter().flatten().filter(move |(_, value)| simple(value));
        own.map(|(name, value)| (name.as_str(), value))
    }
}

impl serde::Serialize for FlagMetadata<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.own() {
            map.serialize_entry(name, value)?;
        }
        if let Some(kill) = self.kill {
            map.serialize_entry(KILL_METADATA, kill)?;
        }
        map.end()
    }
}
