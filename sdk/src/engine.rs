//! The evaluation engine: a snapshot compiled for reading. No I/O, no clock, no lock, no allocation on the hot path.

use ripcord_proto::{FlagKey, Kill, Snapshot};

/// A snapshot with its overlay, compiled.
#[derive(Debug, Clone)]
pub struct Compiled;

impl Compiled {
    /// Compiles everything.
    pub fn new(snapshot: &Snapshot, overlay: &[Kill]) -> Self {
        let _ = (snapshot, overlay);
        Self
    }

    /// Compiles what changed and shares the rest.
    #[must_use]
    pub fn update(&self, next: &Snapshot, overlay: &[Kill], changed: &[FlagKey]) -> Self {
        let _ = (next, overlay, changed);
        Self
    }
}
