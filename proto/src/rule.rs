//! Rules: when → serve, tried in order.

use crate::condition::Condition;
use crate::key::{RuleId, VariantName};
use crate::split::Split;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id, unique within the flag, where it was given one.
    pub id: Option<RuleId>,
    /// What must hold; `None` = always.
    pub when: Option<Condition>,
    /// What it serves.
    pub serve: Serve,
}

/// What a rule serves.
#[derive(Debug, Clone, PartialEq)]
pub enum Serve {
    /// One variant.
    Variant(VariantName),
    /// A variant by bucket.
    Split(Split),
    /// The variant that an imported JSONLogic rule names.
    JsonLogic(serde_json::Value),
}
