//! Why a flag served what it did.

use std::fmt;

/// Why a flag served what it did.
///
/// More reasons may be added, so a `match` needs a wildcard arm. [`Self::as_str`] and [`Self::as_openfeature`] cover all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The flag has neither rules nor prerequisites: its default variant.
    Static,
    /// No rule matched, or a split had no attribute to bucket by: the default variant, or the caller's default if the flag has none.
    Default,
    /// A rule matched and names the variant.
    TargetingMatch,
    /// A rule matched and its split chose the variant.
    Split,
    /// The flag is disabled: the caller's default.
    Disabled,
    /// A kill is in force: the safe variant.
    Killed,
    /// The flag's lease has expired: the safe variant.
    LeaseExpired,
    /// A prerequisite is not met: the default variant.
    Prerequisite,
    /// There is no data yet: the caller's default. Only a client reports this; the engine always has data.
    NotReady,
    /// The flag could not be evaluated: the caller's default.
    Error(ErrorCode),
}

/// Why a flag could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no flag with this key.
    FlagNotFound,
    /// The flag's values have a different type from the one requested.
    TypeMismatch,
    /// The flag, a segment or an imported rule could not be parsed or compiled.
    ParseError,
    /// Anything else, for example an imported rule that returned the name of no variant.
    General,
}

impl Reason {
    /// The name in Ripcord's API, for example `TARGETING_MATCH` or `KILLED`.
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

    /// The closest of the reasons that OpenFeature and its clients define: `DEFAULT` for what only Ripcord has.
    pub const fn as_openfeature(self) -> &'static str {
        match self {
            Self::Killed | Self::LeaseExpired | Self::Prerequisite => Self::Default.as_str(),
            Self::Static | Self::Default | Self::TargetingMatch | Self::Split | Self::Disabled | Self::NotReady | Self::Error(_) => self.as_str(),
        }
    }

    /// A number for each reason, errors included, for digests. It may change from one release to the next.
    #[inline]
    pub const fn code(self) -> u8 {
        match self {
            Self::Static => 0,
            Self::Default => 1,
            Self::TargetingMatch => 2,
            Self::Split => 3,
            Self::Disabled => 4,
            Self::Killed => 5,
            Self::LeaseExpired => 6,
            Self::Prerequisite => 7,
            Self::Error(ErrorCode::FlagNotFound) => 8,
            Self::Error(ErrorCode::TypeMismatch) => 9,
            Self::Error(ErrorCode::ParseError) => 10,
            Self::Error(ErrorCode::General) => 11,
            Self::NotReady => 12,
        }
    }

    /// The error, if this is one.
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
    /// The name in Ripcord's API and in OpenFeature, for example `FLAG_NOT_FOUND`.
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

/// The rule that served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct RuleRef<'c> {
    /// Its position among the flag's rules, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub id: Option<&'c str>,
}

/// The id, or `rules[n]` for a rule without one.
impl fmt::Display for RuleRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => f.write_str(id),
            None => write!(f, "rules[{}]", self.index),
        }
    }
}

/// The flag's values have a different type from the one requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the flag's values have a different type")]
pub struct TypeMismatch;
