//! The variants of a flag, in the order in which they were given.

use indexmap::IndexMap;

use crate::key::VariantName;
use crate::value::{Value, ValueType};

/// 1 to 64 named values of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct Variants {
    values: IndexMap<VariantName, Value>,
    value_type: ValueType,
}
