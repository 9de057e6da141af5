//! Conversion between flagd's flag definitions and native flags.
//!
//! ```text
//! flagd's JSON or YAML -> read   -> native flags: `fractional` becomes a split if it can, other targeting stays a `jsonlogic` rule
//! Snapshot             -> write  -> flags for flagd's clients, and the names of flags that cannot be expressed there
//! ```
//!
//! A flag serves every user the same variant on both sides. If that is impossible, the flag is refused or left out, and is
//! named. Nothing is approximated.

mod cautions;
mod engines;
mod operators;
mod read;
mod safe;
mod sets;
mod size;
mod write;

pub(crate) use cautions::{of_flag as cautions_of, unknown as unknown_operator_caution};
pub use engines::EngineGeneration;
pub(crate) use operators::unknown as unknown_operators;
pub use operators::unknown_operator;
pub use read::{FlagdImport, ImportedFile, parse, parse_either};
pub use safe::{SafeChoice, SafeVariants};
pub use sets::{FLAG_SET, belongs_to};
pub use size::{MESSAGE_BYTES, too_large, too_large_warning};
pub use write::{FlagdExport, FlagdFlag, KILL_METADATA, SkippedFlag, export};
