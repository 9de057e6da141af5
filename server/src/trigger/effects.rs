//! What an action does or would do, flag by flag.

use ripcord_proto::FlagKey;
use ripcord_proto::flag_text;
use ripcord_proto::trigger::{FiringEffects, FlagTransition};

use crate::commit::CommitError;
use crate::commit::state::EnvironmentState;
use crate::rollback::PreparedRollback;

/// Flags that are listed one by one, at most.
const LISTED: usize = 50;

/// What an action would do.
#[derive(Debug, Clone)]
pub(super) struct Preview {
    /// In words, as the rest of a sentence.
    pub(super) would: String,
    /// Flag by flag.
    pub(super) effects: FiringEffects,
}

impl Preview {
    pub(super) fn new(would: String, effects: FiringEffects) -> Self {
        Self { would, effects }
    }
}

/// The flags of a rollback, as they are and as they would be.
pub(super) fn flags_moved(prepared: &PreparedRollback) -> Vec<FlagTransition> {
    let decision: Result<_, CommitError> = prepared.reversal.decide(&prepared.state.snapshot);
    let words = |entry: Option<&ripcord_proto::table::Entry<ripcord_proto::Flag>>| match entry.map(ripcord_proto::table::Entry::value) {
        Some(Ok(flag)) => flag_text::flag(flag),
        Some(Err(_)) => "unreadable".to_owned(),
        None => "deleted".to_owned(),
    };
    let moves = decision.map(|decision| decision.flags).unwrap_or_default();
    let listed = moves.iter().take(LISTED).map(|step| FlagTransition {
        key: step.key.clone(),
        from: words(step.from.as_deref()),
        to: words(Some(&step.to)),
    });
    listed.collect()
}

/// A flag that would be killed.
pub(super) fn flag_killed(state: &EnvironmentState, key: &FlagKey) -> FlagTransition {
    let flag = state.snapshot.flags.value(key.as_str());
    let safe = flag.map(|flag| flag.safe.as_ref().map_or_else(|| "the caller's default".to_owned(), ToString::to_string));
    FlagTransition {
        key: key.clone(),
        from: flag.map_or_else(|| "no such flag".to_owned(), flag_text::flag),
        to: safe.map_or_else(|| "nothing".to_owned(), |safe| format!("killed: {safe}")),
    }
}
