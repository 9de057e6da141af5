//! Splits: weights over variants, bucketed by an attribute.

use crate::condition::AttributePath;
use crate::key::VariantName;

/// A weight as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A whole number.
    Count(u32),
    /// A percentage in thousandths of a percent (`25%` is 25 000). All weights of a split are percentages or none is.
    Percent(u32),
}

/// One share of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// What it serves.
    pub variant: VariantName,
    /// How much of the whole.
    pub weight: Weight,
}

/// Shares whose weights sum to 1 ..= 2^31-1 (to 100 % where they are percentages); their order is part of the meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    shares: Vec<Share>,
    by: Option<AttributePath>,
    salt: Option<String>,
}
