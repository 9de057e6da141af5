//! Short strings, compared in registers: names of attributes and the values they are compared with.
//!
//! A call of `memcmp` costs more than comparing five bytes, and a rule does little else.

mod fingerprint;
mod fingerprint_set;

pub(super) use fingerprint::Fingerprint;
pub(super) use fingerprint_set::FingerprintSet;

/// Whether two strings are equal.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one, other) {
        _ if one.len() > 16 => one == other,
        // From 8 to 16 bytes the first and the last 8 cover all of them; so do 4 and 4 from 4 to 8.
        _ if one.len() >= 8 => one.first_chunk::<8>() == other.first_chunk::<8>() && one.last_chunk::<8>() == other.last_chunk::<8>(),
        _ if one.len() >= 4 => one.first_chunk::<4>() == other.first_chunk::<4>() && one.last_chunk::<4>() == other.last_chunk::<4>(),
        ([a, rest_a @ ..], [b, rest_b @ ..]) => a == b && rest_a.iter().zip(rest_b).all(|(a, b)| a == b),
        _ => true,
    }
}

/// A string and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShortStr {
    fingerprint: Fingerprint,
    text: Box<str>,
}

impl ShortStr {
    pub(super) fn new(text: &str) -> Self {
        Self {
            fingerprint: Fingerprint::of(text),
            text: text.into(),
        }
    }

    pub(super) const fn text(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(super) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether this is `text`, whose fingerprint is `fingerprint`.
    #[inline]
    pub(super) fn is(&self, fingerprint: Fingerprint, text: &str) -> bool {
        self.fingerprint == fingerprint && (fingerprint.is_exact() || same(self.text.as_bytes(), text.as_bytes()))
    }
}
