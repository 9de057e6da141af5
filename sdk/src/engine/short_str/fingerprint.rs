//! Strings in eight bytes.

/// A string in eight bytes: its length (up to 255) and seven of its bytes. Strings with different fingerprints differ. Strings with
/// the same fingerprint are equal if they have seven bytes or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of the empty string.
    pub(in crate::engine) const EMPTY: Self = Self(0);
    /// The fingerprint of no string: UTF-8 has no such bytes.
    pub(in crate::engine) const NONE: Self = Self(u64::MAX);

    /// The fingerprint of a string.
    #[inline]
    pub(in crate::engine) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = (bytes.len().min(255) as u64) << 56;
        Self(length | body(bytes))
    }

    /// Whether all strings with this fingerprint are equal.
    #[inline]
    pub(in crate::engine) const fn is_exact(self) -> bool {
        self.0 >> 56 <= 7
    }

    /// A hash of this many bits, 1 to 64.
    #[inline]
    pub(in crate::engine) const fn hash(self, bits: u32) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)
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
