//! flagd's flag definitions: read into native flags, and native flags written as flagd's.
//!
//! ```text
//! flagd's JSON or YAML -> read   -> flags whose targeting is kept as a `jsonlogic` rule
//! Snapshot             -> write  -> flags as flagd's clients evaluate them, and what cannot be said there, by name
//! ```
//!
//! What a flag answers is the same on both sides, for all users. If that is impossible the flag is refused, or left out, and
//! named; nothing is approximated.

mod operators;
mod read;
mod safe;
mod sets;
mod write;

pub use operators::unknown_operator;
pub use read::{FlagdImport, ImportedFile, parse, parse_either};
pub use safe::{SafeChoice, SafeVariants};
pub use sets::{FLAG_SET, belongs_to};
pub use write::{FlagdExport, FlagdFlag, KILL_METADATA, SkippedFlag, export};
