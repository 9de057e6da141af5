//! Short strings, compared in registers: names of attributes and the values they are compared with.
//!
//! A call of `memcmp` costs more than comparing five bytes, and a rule does little else.

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

/// A string in eight bytes: its length (up to 255) and seven of its bytes. Strings with different fingerprints differ. Strings with
/// the same fingerprint are equal if they have seven bytes or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of the empty string.
    pub(super) const EMPTY: Self = Self(0);

    /// The fingerprint of a string.
    #[inline]
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = (bytes.len().min(255) as u64) << 56;
        Self(length | body(bytes))
    }

    /// Whether all strings with this fingerprint are equal.
    #[inline]
    pub(super) const fn is_exact(self) -> bool {
        self.0 >> 56 <= 7
    }
}

/// Seven bytes: the first four and the last three, or all of a string shorter than four. Written out, so that the compiler can
/// compute the fingerprint of a literal.
#[inline]
fn body(bytes: &[u8]) -> u64 {
    match bytes {
        [] => 0,
        [only] => u64::from(*only),
        [first, last] => u64::from(u16::from_le_bytes([*first, *last])),
        [first, middle, last] => u64::from(u32::from_le_bytes([*first, *middle, *last, 0])),
        // In a string of four to seven bytes the two parts overlap, which loses nothing.
        [first, second, third, fourth, .., _] | [first, second, third, fourth] => {
            let head = u32::from_le_bytes([*first, *second, *third, *fourth]);
            let tail = match bytes {
                [.., third_last, second_last, last] => u32::from_le_bytes([*third_last, *second_last, *last, 0]),
                _ => 0,
            };
            u64::from(head) | u64::from(tail) << 32
        }
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
