//! Remote evaluation, independent of the protocol: which flags a caller sees, reasons, and metadata.
//!
//! Clients cache `STATIC` answers until they hear of a change, and know few reasons. Killed flags, flags with an expired lease and flags
//! with unmet prerequisites therefore have the reason `DEFAULT`; the metadata name the kill.

mod changes;
mod evaluation;
pub mod limits;
mod selection;
pub mod trace;

pub use self::changes::{ChangeMemo, FlagChange, FlagChanges};
pub use self::evaluation::{FlagMetadata, RemoteEvaluation};
pub use self::limits::ContextLimits;
pub use self::selection::Selection;
