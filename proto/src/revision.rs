//! Positions in an environment's history: epochs and revisions.

use std::fmt;
use std::str::FromStr;

use crate::validation::ValidationErrors;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The next number.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A number that increases by one each time a log is re-seeded or restored from a backup. The first is 1.
    Epoch
);
number!(
    /// The number of a commit that can change evaluations, without gaps within an environment. 0 is the empty environment.
    Revision
);
number!(
    /// The position of a commit in its log, including commits of records, without gaps. The first entry is 1.
    Sequence
);

/// An epoch and a revision, by which states are ordered. It is written `epoch:revision`, which is also used as an ETag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The epoch, which is compared first.
    pub epoch: Epoch,
    /// The revision within it.
    pub revision: Revision,
}

impl Position {
    /// `epoch:revision`.
    pub const fn new(epoch: u64, revision: u64) -> Self {
        Self {
            epoch: Epoch(epoch),
            revision: Revision(revision),
        }
    }

    /// The position of a new environment: epoch 1, revision 0.
    pub const START: Self = Self::new(1, 0);
}

/// A revision as people write it: `41`, or `1:41` with its epoch. Checkpoints cannot have such names.
pub(crate) enum RevisionReference {
    /// `41`, of any epoch.
    Revision(Revision),
    /// `1:41`.
    Position(Position),
}

impl RevisionReference {
    /// `None` if `text` has neither form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits(text) {
            return text.parse().ok().map(Revision).map(Self::Revision);
        }
        let (epoch, revision) = text.split_once(':')?;
        (digits(epoch) && digits(revision)).then(|| text.parse().ok())?.map(Self::Position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.revision)
    }
}

impl FromStr for Position {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let parsed = text
            .split_once(':')
            .and_then(|(epoch, revision)| Some(Self::new(epoch.parse().ok()?, revision.parse().ok()?)));
        parsed.ok_or_else(|| ValidationErrors::one("", format!("{text:?} is not a position; it must be epoch:revision, for example 1:42")))
    }
}

impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
