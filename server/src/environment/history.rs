//! Earlier states of an environment. The log keeps every entry, so any state can be rebuilt from the newest stored state before it
//! and the entries since.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ripcord_proto::{EnvironmentKey, Position};

use super::Environments;
use crate::commit::state::EnvironmentState;
use crate::store::state::StoredState;
use crate::store::{Loaded, LogName, Store, StoreError};

/// Entries read at once, at least and at most: few enough to read little beyond the wanted one.
const PAGE: std::ops::RangeInclusive<u64> = 4..=256;

/// The likely number of entries between two positions: a revision is often followed by a commit of records.
fn page(from: Position, to: Position) -> usize {
    let revisions = to.revision.0.saturating_sub(from.revision.0);
    let page = (2 * revisions).clamp(*PAGE.start(), *PAGE.end());
    usize::try_from(page).unwrap_or(usize::MAX)
}

impl Environments {
    /// The environment's state at an earlier position, however old; `None` if its log was never at that position.
    pub async fn state_at(&self, environment: &EnvironmentKey, position: Position) -> Result<Option<EnvironmentState>, StoreError> {
        let Some(state) = read_back(&**self.store(), environment, position).await? else {
            return Ok(None);
        };
        let loaded = Loaded {
            head: state.head,
            state: Some(state),
            tail: Vec::new(),
        };
        Ok(Some(EnvironmentState::restore(environment.clone(), &loaded)))
    }

    /// The same, but from memory if a record names the position and this node has seen the log move on from it.
    pub async fn recall(&self, environment: &EnvironmentKey, position: Position) -> Result<Option<Arc<EnvironmentState>>, StoreError> {
        let now = self.running(environment).ok().map(|running| running.committer.state());
        match now.and_then(|now| now.in_memory(position)) {
            Some(state) => Ok(Some(state)),
            None => Ok(self.state_at(environment, position).await?.map(Arc::new)),
        }
    }
}

/// The stored form of the state at `position`.
async fn read_back(store: &dyn Store, environment: &EnvironmentKey, position: Position) -> Result<Option<StoredState>, StoreError> {
    let log = LogName::Environment(environment.clone());
    let stored = store.state_before(&log, position).await?;
    let mut state = stored.unwrap_or_else(|| StoredState::empty(environment.clone()));
    while state.head.position() < position {
        let entries = store.read(&log, state.head.sequence, page(state.head.position(), position)).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries {
            state.apply(&entry);
            if state.head.position() >= position {
                break;
            }
        }
    }
    Ok((state.head.position() == position).then_some(state))
}
