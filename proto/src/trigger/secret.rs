//! Secrets that authenticate the signals of a trigger.

use std::fmt;

use crate::digest::Digest;

/// How the signals of a trigger are authenticated.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credential {
    /// Not at all: the signals come from this server itself.
    Inside,
    /// With a bearer token, of which only the SHA-256 is stored.
    Bearer(Digest),
    /// With a key that signs each delivery. It is stored as it is, because verifying a signature needs it.
    Hmac(SigningKey),
}

/// A key for HMAC-SHA256. It is written into the trigger's record and nowhere else; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SigningKey(String);

impl SigningKey {
    /// Creates a signing key from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the key, for verifying signatures.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl Credential {
    /// `none`, `bearer`, `hmac`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Inside => "none",
            Self::Bearer(_) => "bearer",
            Self::Hmac(_) => "hmac",
        }
    }
}
