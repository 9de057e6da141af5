//! How large a value can be.

use serde_json::Value;

/// Bytes that a number, a boolean or null counts as.
pub(super) const SCALAR: u64 = 24;
/// Bytes that an item of a list takes beside its own.
pub(super) const ITEM: u64 = 16;

/// How large a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Bytes of all texts in it, and some for everything else.
    pub(super) bytes: u64,
    /// Items of the longest list, or members of the largest object.
    pub(super) items: u64,
}

impl Size {
    pub(super) const NOTHING: Self = Self { bytes: 0, items: 0 };
    pub(super) const SCALAR: Self = Self { bytes: SCALAR, items: 0 };

    /// The size of a JSON value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::SCALAR,
            Value::String(text) => Self::of_text(text),
            Value::Array(items) => items.iter().fold(Self::list(items.len()), |sum, item| sum.holding(Self::of(item))),
            Value::Object(members) => members.iter().fold(Self::list(members.len()), |sum, (name, member)| {
                sum.holding(Self::of_text(name)).holding(Self::of(member))
            }),
        }
    }

    pub(super) fn of_text(text: &str) -> Self {
        Self {
            bytes: SCALAR.max(text.len() as u64),
            items: 0,
        }
    }

    /// An empty list with this many items to come.
    pub(super) const fn list(items: usize) -> Self {
        Self {
            bytes: ITEM * items as u64,
            items: items as u64,
        }
    }

    /// This, with another value in it.
    pub(super) fn holding(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            items: self.items.max(other.items),
        }
    }

    /// Both, one behind the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            items: self.items.saturating_add(other.items.max(1)),
        }
    }

    /// Whichever is larger.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            items: self.items.max(other.items),
        }
    }

    pub(super) const fn is_within(self, other: Self) -> bool {
        self.bytes <= other.bytes && self.items <= other.items
    }
}
