//! What readers see: the database and the recent entries behind it.

use std::sync::Arc;

use parking_lot::Mutex;
use redb::Database;

use super::recent::{RecentEntries, RecentEntry};

/// The store at one moment.
///
/// The database may be newer than the recent entries, never older: a reader goes by the sequence, and finds in the database what is
/// in both. A log that was removed since keeps its id to itself, so that no read finds its recent entries.
#[derive(Debug, Clone)]
pub(super) struct StoreView {
    pub(super) database: Arc<Database>,
    pub(super) recent: Arc<RecentEntries>,
}

/// The view that readers take; the writer changes it. Empty while the file is opened again.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedView(Arc<Mutex<Option<StoreView>>>);

impl SharedView {
    /// What there is now.
    pub(super) fn load(&self) -> Option<StoreView> {
        self.0.lock().clone()
    }

    /// Replaces it.
    pub(super) fn put(&self, view: StoreView) {
        *self.0.lock() = Some(view);
    }

    /// Takes it away.
    pub(super) fn take(&self) -> Option<StoreView> {
        self.0.lock().take()
    }

    /// How many entries the database lacks.
    pub(super) fn recent_count(&self) -> usize {
        self.0.lock().as_ref().map_or(0, |view| view.recent.count())
    }

    /// Shows entries that became durable.
    pub(super) fn show(&self, entries: Vec<RecentEntry>) {
        if let Some(view) = &mut *self.0.lock() {
            let recent = Arc::make_mut(&mut view.recent);
            for entry in entries {
                recent.push(entry);
            }
        }
    }

    /// Forgets the recent entries, which the database has now.
    pub(super) fn forget_recent(&self) {
        if let Some(view) = &mut *self.0.lock() {
            view.recent = Arc::default();
        }
    }
}
