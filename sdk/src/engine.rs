//! The evaluation engine: compiles a snapshot into a form made for reading, and evaluates flags from it.
//!
//! It does no I/O, reads no clock and takes no lock, and an evaluation allocates nothing. (Imported JSONLogic rules work in a
//! scratch arena of their thread.) [`Compiled`] is immutable, `Send` and `Sync`, and always answers from one revision.
//!
//! ```text
//! Snapshot ──► Compiled::new ──► evaluate(key, &Context, SinceContact) ──► Evaluation ──► boolean(), string(), reason(), …
//!   delta ───► Compiled::update   compiles what changed and shares the rest
//! ```
//!
//! An evaluation checks, in this order: unknown flag, kill, expired lease, disabled, cannot be compiled, prerequisites, rules,
//! default.
//!
//! ```
//! use ripcord_sdk::engine::{Compiled, Context, Reason, SinceContact};
//! use ripcord_sdk::{EnvironmentKey, Snapshot};
//!
//! let compiled = Compiled::new(&Snapshot::empty(EnvironmentKey::new("production")?));
//! let evaluation = compiled.evaluate("checkout-v2", &Context::new("user-42"), SinceContact::FRESH);
//! assert_eq!(evaluation.reason().as_str(), "ERROR");
//! assert_eq!(evaluation.boolean(), Ok(None), "the caller's default");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Parts that can be left out
//!
//! Without the features `jsonlogic`, `regex` or `networks`, a flag or segment that uses JSONLogic, `matches` or `in_cidr` cannot be
//! compiled. It is treated like any other flag that cannot be compiled: it serves the caller's default with
//! [`ErrorCode::ParseError`], a kill or an expired lease still forces its safe variant, all other flags work, and
//! [`Compiled::issues`] names it and the feature that it needs.

mod bucket;
mod budget;
mod compile;
mod condition;
mod context;
mod decision;
mod different_types;
mod evaluate;
mod explain;
mod flag;
mod flag_table;
mod jsonlogic;
mod network;
mod path;
mod pattern;
mod reason;
mod scalar_text;
mod scope;
mod short_str;
mod since_contact;
mod split;
mod version;

#[cfg(test)]
mod tests;

pub use compile::{CompileIssue, Compiled};
pub use context::{Attribute, Context};
pub use different_types::DifferentTypes;
pub use evaluate::Evaluation;
pub use explain::{ConditionTrace, Explanation, ExplanationStep, SplitTrace};
pub use flag::CompiledFlag;
pub use jsonlogic::over_budget;
pub use reason::{ErrorCode, Reason, RuleRef, TypeMismatch};
pub use since_contact::SinceContact;
