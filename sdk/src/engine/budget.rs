//! What one evaluation of a flag may cost, over all its rules, segments and prerequisites.

use std::cell::Cell;

use ripcord_proto::limits;

/// How many prerequisites and segments one evaluation may look up, over all levels. Validation keeps the nesting shallow; this
/// limit stops a snapshot that branches at every level from running for ever.
const LOOKUPS: u32 = 10_000;
/// How deep prerequisites and segments may be nested, whatever the snapshot says.
const DEPTH: u32 = 64;

/// The lookups and steps that an evaluation may still make, and its current depth.
pub(super) struct Budget {
    lookups: Cell<u32>,
    depth: Cell<u32>,
    steps: Cell<u64>,
}

impl Budget {
    pub(super) const fn full() -> Self {
        Self {
            lookups: Cell::new(LOOKUPS),
            depth: Cell::new(0),
            steps: Cell::new(limits::JSONLOGIC_STEPS),
        }
    }

    /// Runs `nested` one level deeper; `None` if the budget is used up.
    pub(super) fn descend<T>(&self, nested: impl FnOnce() -> T) -> Option<T> {
        let lookups = self.lookups.get().checked_sub(1)?;
        if self.depth.get() >= DEPTH {
            return None;
        }
        self.lookups.set(lookups);
        self.depth.set(self.depth.get() + 1);
        let result = nested();
        self.depth.set(self.depth.get() - 1);
        Some(result)
    }

    /// Spends steps of JSONLogic; `false` if there are not that many left.
    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }
}
