//! Segments: named, reusable conditions.

use crate::condition::Condition;

/// A segment. Its JSON is the bare condition, or `{"description": …, "when": condition}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// For people.
    pub description: Option<String>,
    /// The condition.
    pub when: Condition,
}
