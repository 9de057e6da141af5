//! A store in memory, for tests and benches: as strict as the others, but it ends with the process.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use parking_lot::{Mutex, MutexGuard};
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Position, Sequence};
use tokio::sync::{mpsc, watch};

use super::state::StoredState;
use super::{Append, AppendError, Contents, FeedEvent, Head, Loaded, LogName, Settled, Store, StoreError, StoreHealth};
use crate::clock::{Clock as _, SystemClock};

/// The store.
#[derive(Debug)]
pub struct MemoryStore {
    logs: Mutex<BTreeMap<LogName, Log>>,
    health: watch::Sender<StoreHealth>,
}

#[derive(Debug)]
struct Log {
    entries: Vec<Sealed>,
    states: BTreeMap<Position, StoredState>,
    head: Head,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            states: BTreeMap::new(),
            head: Head::START,
        }
    }
}

impl Log {
    fn after(&self, sequence: Sequence) -> impl Iterator<Item = &Sealed> {
        self.entries.iter().skip(usize::try_from(sequence.0).unwrap_or(usize::MAX))
    }

    fn digest(&self, sequence: Sequence) -> Option<Digest> {
        match sequence.0.checked_sub(1) {
            None => Some(Digest::ZERO),
            Some(index) => self.entries.get(usize::try_from(index).ok()?).map(|entry| entry.digest),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        let health = StoreHealth {
            warnings: vec!["commits are kept only in memory and are lost when the server stops; use --data-dir to keep them".to_owned()],
            ..StoreHealth::available(SystemClock.now())
        };
        Self {
            logs: Mutex::default(),
            health: watch::Sender::new(health),
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<LogName, Log>> {
        self.logs.lock()
    }

    fn append_now(&self, append: Append) -> Result<(), AppendError> {
        let mut logs = self.logs();
        let actual = logs.get(&append.log).map_or(Head::START, |log| log.head);
        if actual != append.expected {
            return Err(AppendError::Moved { actual });
        }
        append.ended_logs().for_each(|ended| drop(logs.remove(&ended)));
        let log = logs.entry(append.log).or_default();
        for entry in append.entries {
            log.head = log.head.after(&entry);
            log.entries.push(entry);
        }
        Ok(())
    }

    fn load_now(&self, log: &LogName) -> Loaded {
        let logs = self.logs();
        let Some(log) = logs.get(log) else {
            return Loaded {
                state: None,
                tail: Vec::new(),
                head: Head::START,
            };
        };
        let state = log.states.last_key_value().map(|(_, state)| state.clone());
        let from = state.as_ref().map_or(Sequence(0), |state| state.head.sequence);
        Loaded {
            state,
            tail: log.after(from).cloned().collect(),
            head: log.head,
        }
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        ready(Ok(self.load_now(log))).boxed()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        ready(self.append_now(append)).boxed()
    }

    fn read<'a>(&'a self, log: &'a LogName, after: Sequence, limit: usize) -> BoxFuture<'a, Result<Vec<Sealed>, StoreError>> {
        let logs = self.logs();
        let entries = logs.get(log).map(|log| log.after(after).take(limit).cloned().collect());
        ready(Ok(entries.unwrap_or_default())).boxed()
    }

    fn state_before<'a>(&'a self, log: &'a LogName, at: Position) -> BoxFuture<'a, Result<Option<StoredState>, StoreError>> {
        let logs = self.logs();
        let state = logs.get(log).and_then(|log| log.states.range(..=at).next_back());
        ready(Ok(state.map(|(_, state)| state.clone()))).boxed()
    }

    fn keep_state<'a>(&'a self, log: &'a LogName, state: StoredState) -> BoxFuture<'a, Result<(), StoreError>> {
        if let Some(log) = self.logs().get_mut(log)
            && log.digest(state.head.sequence) == Some(state.head.chain)
        {
            log.states.insert(state.head.position(), state);
        }
        ready(Ok(())).boxed()
    }

    fn settle<'a>(&'a self, append: &'a Append) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let head = append.head();
        let found = self.logs().get(&append.log).and_then(|log| log.digest(head.sequence));
        let settled = if found == Some(head.chain) { Settled::Written } else { Settled::NotWritten };
        ready(Ok(settled)).boxed()
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogName>, StoreError>> {
        ready(Ok(Self::logs(self).keys().cloned().collect())).boxed()
    }

    fn install(&self, contents: Vec<Contents>) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut logs = Self::logs(self);
        for contents in contents {
            let head = contents.head();
            let states = contents.state.into_iter().map(|state| (state.head.position(), state)).collect();
            let log = Log {
                entries: contents.entries,
                states,
                head,
            };
            logs.insert(contents.log, log);
        }
        ready(Ok(())).boxed()
    }

    fn drop_log<'a>(&'a self, log: &'a LogName) -> BoxFuture<'a, Result<(), StoreError>> {
        Self::logs(self).remove(log);
        ready(Ok(())).boxed()
    }

    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.health.subscribe()
    }

    fn feed(&self) -> Option<mpsc::Receiver<FeedEvent>> {
        None
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryStore;
    use crate::store::Store;
    use crate::store::contract::{Fresh, contract};

    impl Fresh for MemoryStore {
        fn store(&self) -> &dyn Store {
            self
        }
    }

    contract!(std::future::ready(MemoryStore::new()));
}
