//! The evaluation of one flag.

use ripcord_proto::flagd::KILL_METADATA;
use ripcord_proto::kill::KillId;
use ripcord_proto::value::Value;
use ripcord_sdk::engine::{CompiledFlag, ErrorCode, Evaluation};
use serde::ser::SerializeMap as _;

/// The remote evaluation of a flag.
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

    /// The variant; present whenever there is a value.
    pub fn variant(&self) -> Option<&'c str> {
        self.evaluation.variant().map(AsRef::as_ref)
    }

    /// The reason, as one that every client knows.
    pub const fn reason(&self) -> &'static str {
        self.evaluation.reason().as_openfeature()
    }

    /// The error, if any.
    pub const fn error(&self) -> Option<ErrorCode> {
        self.evaluation.reason().error_code()
    }

    /// The error in one sentence.
    pub fn error_text(&self, key: &str) -> String {
        match self.error() {
            Some(ErrorCode::FlagNotFound) => format!("No flag {key:?}."),
            Some(ErrorCode::ParseError) => {
                let why = self
                    .evaluation
                    .flag()
                    .and_then(CompiledFlag::issue)
                    .unwrap_or("one of its segments cannot be read");
                format!("Flag {key:?} cannot be evaluated: {why}.")
            }
            Some(ErrorCode::TypeMismatch) => format!("Flag {key:?} has values of a different type."),
            Some(_) | None => format!("A rule of flag {key:?} refers to a variant that does not exist."),
        }
    }

    pub fn metadata(&self) -> FlagMetadata<'c> {
        FlagMetadata {
            own: self.evaluation.flag().and_then(|flag| flag.entry().value().ok()).map(|flag| &flag.metadata),
            kill: self.evaluation.kill(),
        }
    }
}

/// The flag's own metadata of types that clients accept (strings, numbers, booleans), and the kill, if any.
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
