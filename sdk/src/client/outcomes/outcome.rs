//! How it went.

use std::time::Duration;

/// How it went for a user who was served a variant.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// It failed.
    Error,
    /// How long it took.
    Latency(Duration),
    /// A number of the application's own, with its name: the value of a basket, the number of results. A process can report 16 names. A
    /// name has the form of a flag's key, and the number is within ±(2^53-1). Anything else is not counted.
    Number(&'static str, f64),
}
