//! States at intervals along a log that arrived as a whole: restored from a backup, adopted or fetched. Without them a read of
//! history would replay the log from its first entry.

use ripcord_proto::commit::Sealed;

use super::StoredState;
use super::policy::StatePolicy;
use crate::store::{LogName, Store, StoreError};

/// Entries from one state to the next: few enough that the policy keeps them when it thins out old ones.
const SPACING: u64 = StatePolicy::DEFAULT.widest / 2;

/// The states to store, oldest first, as `entries` are applied to `state`.
pub(crate) fn along(mut state: StoredState, entries: impl Iterator<Item = Sealed>) -> impl Iterator<Item = StoredState> {
    let mut since = 0;
    entries.filter_map(move |entry| {
        state.apply(&entry);
        since = (since + 1) % SPACING;
        (since == 0).then(|| state.clone())
    })
}

/// Stores them in a store that already has the entries.
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
