//! Secrets that authenticate the signals of a trigger.

use std::fmt;

use crate::digest::Digest;

/// By what a signal proves that it is genuine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credential {
    /// Nothing: its signals come from this server itself.
    Inside,
    /// A bearer token, of which only the SHA-256 is kept.
    Bearer(Digest),
    /// A key that signs each delivery. It has to be kept as it is, for a signature to be checked.
    Hmac(SigningKey),
}

/// A key for HMAC-SHA256. It is written into the trigger's record and nowhere else: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SigningKey(String);

impl SigningKey {
    /// Makes a signing key from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that checks signatures.
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
