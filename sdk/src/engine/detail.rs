//! What an evaluation answers, and why.

use std::fmt;

use ripcord_proto::key::VariantName;
use ripcord_proto::kill::KillId;
use ripcord_proto::revision::Position;
use ripcord_proto::value::{Value, ValueType};

/// Why a flag answered as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The default variant of a flag that has neither rules nor prerequisites.
    Static,
    /// The default variant, since no rule matched or a split could not bucket; or nothing, since there is no default variant.
    Default,
    /// A rule named the variant.
    TargetingMatch,
    /// A rule's split chose the variant.
    Split,
    /// The flag is switched off: the caller's own default.
    Disabled,
    /// A kill forces the safe variant.
    Killed,
    /// The lease ran out unheard: the safe variant.
    LeaseExpired,
    /// A required flag does not serve what is required: the default variant.
    Prerequisite,
    /// There is no data yet: the caller's own default. The engine, which always has data, never says so; a client does.
    NotReady,
    /// It could not be evaluated: the caller's own default.
    Error(ErrorCode),
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// There is no flag of this key.
    FlagNotFound,
    /// The flag's values are of another type than was asked for.
    TypeMismatch,
    /// The flag, a segment or an imported rule could not be read or compiled.
    ParseError,
    /// Anything else, such as an imported rule that names no variant.
    General,
}

impl Reason {
    /// As OpenFeature and the protocols spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Disabled => "DISABLED",
            Self::Killed => "KILLED",
            Self::LeaseExpired => "LEASE_EXPIRED",
            Self::Prerequisite => "PREREQUISITE",
            Self::NotReady => "NOT_READY",
            Self::Error(_) => "ERROR",
        }
    }

    /// What went wrong, where something did.
    pub const fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::Error(code) => Some(code),
            Self::Static
            | Self::Default
            | Self::TargetingMatch
            | Self::Split
            | Self::Disabled
            | Self::Killed
            | Self::LeaseExpired
            | Self::Prerequisite
            | Self::NotReady => None,
        }
    }
}

impl ErrorCode {
    /// As OpenFeature and the protocols spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::ParseError => "PARSE_ERROR",
            Self::General => "GENERAL",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How long the server has not been heard from: seconds since the last heartbeat marked `fresh`. The engine reads no clock;
/// whoever holds the stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unheard(u32);

impl Unheard {
    /// The server is heard: no lease can have run out. What a server that evaluates for itself passes.
    pub const FRESH: Self = Self(0);
    /// Longer than any lease: every lease has run out.
    pub const FOREVER: Self = Self(u32::MAX - 1);

    /// Unheard for so many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        if seconds > Self::FOREVER.0 { Self::FOREVER } else { Self(seconds) }
    }

    #[inline]
    pub(super) const fn reaches(self, lease_seconds: u32) -> bool {
        self.0 >= lease_seconds
    }
}

/// The rule that served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct RuleRef<'c> {
    /// Its place, from 0.
    pub index: usize,
    /// Its id, where it was given one.
    pub id: Option<&'c str>,
}

impl fmt::Display for RuleRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => f.write_str(id),
            None => write!(f, "rules[{}]", self.index),
        }
    }
}

/// The whole answer of an evaluation, borrowed from the compiled snapshot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detail<'c> {
    /// The value; `None` = the caller's own default.
    pub value: Option<&'c Value>,
    /// The variant; `None` = the caller's own default.
    pub variant: Option<&'c VariantName>,
    /// Why, with what went wrong where something did.
    pub reason: Reason,
    /// The rule that served, where one did.
    pub rule: Option<RuleRef<'c>>,
    /// The kill that forces the safe variant, where one does.
    pub kill: Option<&'c KillId>,
    /// Where the snapshot stands that answered.
    pub position: Position,
    /// The type of the flag's values; `None` where the flag is unknown or cannot be read.
    pub value_type: Option<ValueType>,
}

/// The flag's values are of another type than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the flag's values are of another type")]
pub struct TypeMismatch;
