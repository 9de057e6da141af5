//! Short texts, compared in registers: names of attributes, and the values they are compared with.
//!
//! Calling `memcmp` for five bytes costs more than comparing them, and a rule does little else.

/// Whether two texts are the same.
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

/// A text in eight bytes: its length (up to 255) and seven of its bytes. Texts of other tags differ; texts of one tag are the
/// same where they have seven bytes or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(u64);

impl Tag {
    /// The tag of the empty text.
    pub(super) const EMPTY: Self = Self(0);

    /// The tag of a text.
    #[inline]
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = (bytes.len().min(255) as u64) << 56;
        Self(length | body(bytes))
    }

    /// Whether texts of this tag are the same.
    #[inline]
    pub(super) const fn is_whole(self) -> bool {
        self.0 >> 56 <= 7
    }
}

/// Seven bytes: the first four and the last three, or all of a text that is shorter than four. Written out, so that the tag of a
/// name that stands in the source is worked out by the compiler.
#[inline]
fn body(bytes: &[u8]) -> u64 {
    match bytes {
        [] => 0,
        [only] => u64::from(*only),
        [first, last] => u64::from(u16::from_le_bytes([*first, *last])),
        [first, middle, last] => u64::from(u32::from_le_bytes([*first, *middle, *last, 0])),
        // Of a text of four to seven bytes the two parts overlap, which tells as much.
        [first, second, third, fourth, .., _] | [first, second, third, fourth] => {
            let head = u32::from_le_bytes([*first, *second, *third, *fourth]);
            let tail = match bytes {
                [.., near, next, last] => u32::from_le_bytes([*near, *next, *last, 0]),
                _ => 0,
            };
            u64::from(head) | u64::from(tail) << 32
        }
    }
}

/// A text and its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    tag: Tag,
    text: Box<str>,
}

impl Word {
    pub(super) fn new(text: &str) -> Self {
        Self {
            tag: Tag::of(text),
            text: text.into(),
        }
    }

    pub(super) const fn text(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(super) const fn tag(&self) -> Tag {
        self.tag
    }

    /// Whether this is the text of `tag`.
    #[inline]
    pub(super) fn is(&self, tag: Tag, text: &str) -> bool {
        self.tag == tag && (tag.is_whole() || same(self.text.as_bytes(), text.as_bytes()))
    }
}
