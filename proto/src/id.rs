//! Unique ids: a prefix that names the kind, and 26 lower-case letters or digits that sort by time of creation.

use crate::validation::ValidationErrors;

/// Number of letters and digits after the prefix.
const DIGITS: usize = 26;

/// 130 bits of which the upper 48 are milliseconds since 1970 and the rest random: [Crockford's base 32], lower case.
///
/// [Crockford's base 32]: https://www.crockford.com/base32.html
pub(crate) fn from_parts(prefix: &str, unix_ms: u64, random: u128) -> String {
    const ALPHABET: [char; 32] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x',
        'y', 'z',
    ];
    let bits = (u128::from(unix_ms) << 80) | (random & ((1 << 80) - 1));
    let digit = |place: u32| ALPHABET.get(((bits >> (5 * place)) & 31) as usize).copied().unwrap_or('0');
    prefix.chars().chain((0..26).rev().map(digit)).collect()
}

/// Checks that `text` has the prefix and the length of an id.
pub(crate) fn check(what: &str, prefix: &str, list: &str, text: String) -> Result<String, ValidationErrors> {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    if digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
        return Ok(text);
    }
    Err(ValidationErrors::one(
        "",
        format!("{text:?} is not a {what} id; ids look like {prefix}01jd3x7q8v9w0y2z4a6b8c0d2e, and `{list}` lists them"),
    ))
}

/// Defines a newtype for one kind of id.
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal, $list:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::validation::ValidationErrors> {
                $crate::id::check($what, $prefix, $list, text.into()).map(Self)
            }

            /// Creates an id from milliseconds since 1970 and 80 random bits.
            pub fn from_parts(unix_ms: u64, random: u128) -> Self {
                Self($crate::id::from_parts($prefix, unix_ms, random))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::validation::ValidationErrors;

            fn from_str(text: &str) -> Result<Self, $crate::validation::ValidationErrors> {
                Self::new(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// The id of a kill: `k_` and 26 lower-case letters or digits. It sorts by time of creation.
    KillId, "k_", "kill", "ripcord kill list"
);

define_id!(
    /// The id of a ping: `p_` and 26 lower-case letters or digits. It sorts by time of creation.
    PingId, "p_", "ping", "ripcord ping list"
);

define_id!(
    /// The id of a drill: `d_` and 26 lower-case letters or digits. It sorts by time of creation.
    DrillId, "d_", "drill", "ripcord drill list"
);

define_id!(
    /// The id of a proposal: `pr_` and 26 lower-case letters or digits. It sorts by time of creation.
    ProposalId, "pr_", "proposal", "ripcord proposal list"
);

define_id!(
    /// The id of a rollback: `rb_` and 26 lower-case letters or digits. It sorts by time of creation.
    RollbackId, "rb_", "rollback", "ripcord rollback list"
);

define_id!(
    /// The id of a rollout: `ro_` and 26 lower-case letters or digits. It sorts by time of creation.
    RolloutId, "ro_", "rollout", "ripcord rollout list"
);

define_id!(
    /// The id of a firing: `f_` and 26 lower-case letters or digits. It is derived from the signal, so that two nodes that receive
    /// signals of the same incident create the same id.
    FiringId, "f_", "firing", "ripcord trigger firings"
);
