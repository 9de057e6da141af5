//! Imported JSONLogic rules, compiled once. Without the feature `jsonlogic` none can be compiled.

#[cfg(feature = "jsonlogic")]
mod cbor;
#[cfg(feature = "jsonlogic")]
mod interpreter;
#[cfg(feature = "jsonlogic")]
mod operators;
#[cfg(not(feature = "jsonlogic"))]
mod unavailable;

#[cfg(feature = "jsonlogic")]
pub(super) use interpreter::{Interpreter, Program};
#[cfg(not(feature = "jsonlogic"))]
pub(super) use unavailable::{Interpreter, Program};
