//! States along a log that came whole: a restored backup, one that was taken over or fetched. Without them a look back would replay
//! it from its first entry.

use ripcord_proto::commit::Sealed;

use super::StoredState;
use super::policy::StatePolicy;
use crate::store::{LogName, Store, StoreError};

/// Entries from one state to the next: few enough that they stay when old ones are thinned out.
const SPACING: u64 = StatePolicy::DEFAULT.widest / 2;

/// The states to keep, oldest first, while `entries` are followed from `state`.
pub(crate) fn along(mut state: StoredState, entries: impl Iterator<Item = Sealed>) -> impl Iterator<Item = StoredState> {
    let mut since = 0;
    entries.filter_map(move |entry| {
        state.apply(&entry);
        since = (since + 1) % SPACING;
        (since == 0).then(|| state.clone())
    })
}

/// Keeps them in a store that has the entries already.
pub(crate) async fn keep_along(store: &dyn Store, log: &LogName, mut state: StoredState) -> Result<(), StoreError> {
    let page = usize::try_from(SPACING).unwrap_or(usize::MAX);
    loop {
        let entries = store.read(log, state.head.sequence, page).await?;
        let Some(next) = along(state, entries.into_iter()).last() else {
            return Ok(());
        };
        store.keep_state(log, next.clone()).await?;
        state = next;
    }
}
