//! Scalars written as text on the stack, for bucketing and version comparison.

use std::fmt::Write as _;

use super::context::Attribute;

/// The longest text of a 64-bit float in decimals without an exponent has some 340 characters.
const CAPACITY: usize = 352;

/// Text of a number, written without allocation.
pub(super) struct NumberText {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl NumberText {
    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.length)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl std::fmt::Write for NumberText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Calls `read` with a scalar as JSONLogic's `cat` writes it (29.0 → 29). `None` if the attribute is missing or not a scalar.
#[inline]
pub(super) fn with_text<T>(attribute: Attribute<'_>, read: impl FnOnce(&str) -> T) -> Option<T> {
    match attribute {
        Attribute::Text(text) => Some(read(text)),
        Attribute::Boolean(true) => Some(read("true")),
        Attribute::Boolean(false) => Some(read("false")),
        Attribute::Integer(_) | Attribute::Number(_) => with_number_text(attribute, read),
        Attribute::Null | Attribute::Texts(_) | Attribute::Json(_) => None,
    }
}

#[cold]
#[inline(never)]
fn with_number_text<T>(attribute: Attribute<'_>, read: impl FnOnce(&str) -> T) -> Option<T> {
    let mut text = NumberText {
        bytes: [0; CAPACITY],
        length: 0,
    };
    let written = match attribute {
        Attribute::Integer(number) => write!(text, "{number}"),
        // Other engines write negative zero without its sign.
        Attribute::Number(0.0) => write!(text, "0"),
        Attribute::Number(number) if number.is_finite() => write!(text, "{number}"),
        Attribute::Null | Attribute::Boolean(_) | Attribute::Number(_) | Attribute::Text(_) | Attribute::Texts(_) | Attribute::Json(_) => return None,
    };
    written.ok().map(|()| read(text.as_str()))
}
