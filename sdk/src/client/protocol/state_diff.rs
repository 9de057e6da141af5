//! How a new state differs from the one before.

use ripcord_proto::delta::Delta;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::{Kill, Snapshot};

use super::provisional_kills::ProvisionalKills;
use crate::client::changes::{Changes, Recompile};

/// How a new state differs from the one before.
#[derive(Debug)]
pub(crate) struct StateDiff {
    /// What the engine compiles.
    pub(crate) recompile: Recompile,
    /// The provisional kills; `None` if they are the same as before.
    pub(crate) overlay: Option<Vec<Kill>>,
    /// The changes that listeners are notified of.
    pub(crate) changes: Changes,
}

impl StateDiff {
    /// Everything is new.
    pub(super) fn everything(overlay: Vec<Kill>) -> Self {
        Self {
            recompile: Recompile::Everything,
            overlay: Some(overlay),
            changes: Changes::Everything,
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            recompile: Recompile::Only(TouchedKeys::default()),
            overlay: None,
            changes: Changes::none(),
        }
    }

    /// The changes of `delta`, and of the provisional kills that came or went with it.
    pub(super) fn of_delta(before: &Snapshot, delta: &Delta, kills: &[Kill], provisional: &ProvisionalKills) -> Self {
        let recompile = Recompile::of_delta(delta);
        // A state that is compiled as a whole has no provisional kills yet.
        let overlay = matches!(recompile, Recompile::Everything).then(|| provisional.in_force());
        let changes = Changes::of_delta(before, delta);
        Self { recompile, overlay, changes }.with_kills(kills, provisional)
    }

    /// The same with provisional kills that came or went.
    pub(super) fn with_kills(mut self, kills: &[Kill], provisional: &ProvisionalKills) -> Self {
        if !kills.is_empty() {
            self.overlay = Some(provisional.in_force());
            self.changes.merge(Changes::of_kills(kills));
        }
        self
    }
}
