//! What each environment's readers are to be sent: the newest head, kept beside the board.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use ripcord_proto::EnvironmentKey;

use super::meters::Meters;
use crate::snapshot::frames::Head;
use crate::snapshot::history::{History, Limits};
use crate::snapshot::publication::{Publication, Step};

/// The feed of one environment.
#[derive(Debug)]
pub(super) struct Feed {
    /// Whose feed it is.
    pub(super) environment: EnvironmentKey,
    /// What it counts.
    pub(super) meters: Meters,
    head: ArcSwap<Head>,
    history: Arc<Mutex<History>>,
}

impl Feed {
    fn new(environment: EnvironmentKey, publication: &Publication, limits: Limits) -> Self {
        let history = Arc::new(Mutex::new(History::new(limits)));
        let head = Head::new(Arc::clone(&publication.served), publication.at, 0, Arc::clone(&history), None);
        Self {
            meters: Meters::new(&environment),
            environment,
            head: ArcSwap::from_pointee(head),
            history,
        }
    }

    /// The newest head. The guard is cheap and must not be held over an await.
    pub(super) fn head(&self) -> arc_swap::Guard<Arc<Head>> {
        self.head.load()
    }

    /// Called by one thread at a time, in the order of revisions.
    fn advance(&self, publication: &Publication) {
        let before = self.head.load();
        let previous = {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            match &publication.step {
                Step::Delta(delta) => {
                    history.push(Arc::clone(delta));
                    Some(delta.from)
                }
                Step::Overlay => before.previous(),
                Step::Replaced => {
                    history.clear();
                    None
                }
            }
        };
        let overlay_number = before.overlay_number + u64::from(before.served.overlay != publication.served.overlay);
        let head = Head::new(
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
    limits: Limits,
    by_environment: ArcSwap<BTreeMap<EnvironmentKey, Arc<Feed>>>,
    /// Serialises writers.
    writing: Mutex<()>,
}

impl Feeds {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The feed of `environment`.
    pub(super) fn of(&self, environment: &str) -> Option<Arc<Feed>> {
        self.by_environment.load().get(environment).cloned()
    }

    /// Takes a publication in.
    pub(super) fn publish(&self, environment: &EnvironmentKey, publication: &Publication) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = self.by_environment.load().get(environment.as_str()) {
            feed.advance(publication);
            return;
        }
        self.insert(environment, publication);
    }

    /// Takes in what was served before this node's streams began to listen, unless something newer came since.
    pub(super) fn begin(&self, environment: &EnvironmentKey, publication: &Publication) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.by_environment.load().contains_key(environment.as_str()) {
            self.insert(environment, publication);
        }
    }

    fn insert(&self, environment: &EnvironmentKey, publication: &Publication) {
        let mut feeds = BTreeMap::clone(&self.by_environment.load());
        feeds.insert(environment.clone(), Arc::new(Feed::new(environment.clone(), publication, self.limits)));
        self.by_environment.store(Arc::new(feeds));
    }

    /// Drops the feed of a deleted environment.
    pub(super) fn remove(&self, environment: &EnvironmentKey) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut feeds = BTreeMap::clone(&self.by_environment.load());
        feeds.remove(environment.as_str());
        self.by_environment.store(Arc::new(feeds));
    }
}
