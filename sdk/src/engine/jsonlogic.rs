//! Imported JSONLogic rules, compiled once. Without the feature `jsonlogic` none can be compiled.

#[cfg(feature = "jsonlogic")]
mod cbor;
#[cfg(feature = "jsonlogic")]
mod cost;
#[cfg(feature = "jsonlogic")]
mod interpreter;
#[cfg(feature = "jsonlogic")]
mod operators;
#[cfg(feature = "jsonlogic")]
mod size;
#[cfg(not(feature = "jsonlogic"))]
mod unavailable;

#[cfg(feature = "jsonlogic")]
pub(super) use interpreter::{Interpreter, Program};
#[cfg(not(feature = "jsonlogic"))]
pub(super) use unavailable::{Interpreter, Program};

/// Why a JSONLogic rule would go beyond its budget even with a small context; `None` if it does not.
pub fn over_budget(rule: &serde_json::Value) -> Option<String> {
    #[cfg(feature = "jsonlogic")]
    return cost::over_budget(rule);
    #[cfg(not(feature = "jsonlogic"))]
    unavailable::over_budget(rule)
}
