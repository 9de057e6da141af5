//! The newest head of each environment, which its readers should get.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ripcord_proto::table::Table;
use ripcord_proto::{EnvironmentKey, Flag};

use super::metrics::StreamMetrics;
use crate::snapshot::frames::FrameSet;
use crate::snapshot::history::{History, HistoryLimits};
use crate::snapshot::publication::{Publication, PublishedChange};

/// The feed of one environment.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) environment: EnvironmentKey,
    pub(super) metrics: StreamMetrics,
    head: ArcSwap<FrameSet>,
    history: Arc<Mutex<History>>,
    /// Seconds of the shortest lease of its flags, or [`NO_LEASE`]. May be too short after the flag with the shortest lease has changed,
    /// until everything is replaced; heartbeats are then more frequent than necessary.
    shortest_lease: AtomicU32,
}

const NO_LEASE: u32 = u32::MAX;

fn shortest_lease(flags: &Table<Flag>) -> u32 {
    let leases = flags.iter().filter_map(|entry| entry.value().ok()?.lease);
    leases.map(|lease| lease.seconds).min().unwrap_or(NO_LEASE)
}

impl Feed {
    fn new(environment: EnvironmentKey, publication: &Publication, limits: HistoryLimits) -> Self {
        let history = Arc::new(Mutex::new(History::new(limits)));
        let head = FrameSet::new(Arc::clone(&publication.served), publication.at, 0, Arc::clone(&history), None);
        Self {
            metrics: StreamMetrics::new(&environment),
            environment,
            head: ArcSwap::from_pointee(head),
            history,
            shortest_lease: AtomicU32::new(shortest_lease(&publication.served.snapshot.flags)),
        }
    }

    /// The shortest lease of its flags; heartbeats must come well within it.
    pub(super) fn shortest_lease(&self) -> Option<Duration> {
        let seconds = self.shortest_lease.load(Ordering::Relaxed);
        (seconds != NO_LEASE).then(|| Duration::from_secs(u64::from(seconds)))
    }

    /// The newest head. The guard is cheap and must not be held over an await.
    pub(super) fn head(&self) -> arc_swap::Guard<Arc<FrameSet>> {
        self.head.load()
    }

    /// Called by one thread at a time, in the order of revisions.
    fn advance(&self, publication: &Publication) {
        let before = self.head.load();
        match &publication.change {
            PublishedChange::Delta(delta) => drop(self.shortest_lease.fetch_min(shortest_lease(&delta.changed.flags), Ordering::Relaxed)),
            PublishedChange::Overlay => {}
            PublishedChange::Replaced => self.shortest_lease.store(shortest_lease(&publication.served.snapshot.flags), Ordering::Relaxed),
        }
        let previous = {
            let mut history = self.history.lock();
            match &publication.change {
                PublishedChange::Delta(delta) => {
                    history.push(Arc::clone(delta));
                    Some(delta.from)
                }
                PublishedChange::Overlay => before.previous(),
                PublishedChange::Replaced => {
                    history.clear();
                    None
                }
            }
        };
        let overlay_number = before.overlay_number + u64::from(before.served.overlay != publication.served.overlay);
        let head = FrameSet::new(
            Arc::clone(&publication.served),
            publication.at,
            overlay_number,
            Arc::clone(&self.history),
            previous,
        );
        self.head.store(Arc::new(head));
    }
}

/// All feeds of this node.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    limits: HistoryLimits,
    by_environment: ArcSwap<BTreeMap<EnvironmentKey, Arc<Feed>>>,
    /// Serialises writers.
    writing: Mutex<()>,
}

impl Feeds {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The feed of `environment`.
    pub(super) fn of(&self, environment: &str) -> Option<Arc<Feed>> {
        self.by_environment.load().get(environment).cloned()
    }

    /// Takes in a publication.
    pub(super) fn publish(&self, environment: &EnvironmentKey, publication: &Publication) {
        let _writing = self.writing.lock();
        if let Some(feed) = self.by_environment.load().get(environment.as_str()) {
            feed.advance(publication);
            return;
        }
        self.insert(environment, publication);
    }

    fn insert(&self, environment: &EnvironmentKey, publication: &Publication) {
        let mut feeds = BTreeMap::clone(&self.by_environment.load());
        feeds.insert(environment.clone(), Arc::new(Feed::new(environment.clone(), publication, self.limits)));
        self.by_environment.store(Arc::new(feeds));
    }

    /// Drops the feed of a deleted environment.
    pub(super) fn remove(&self, environment: &EnvironmentKey) {
        let _writing = self.writing.lock();
        let mut feeds = BTreeMap::clone(&self.by_environment.load());
        feeds.remove(environment.as_str());
        self.by_environment.store(Arc::new(feeds));
    }
}
