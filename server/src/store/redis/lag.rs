//! How far a node is behind its Redis: the entries that Redis was seen to have and that the node lacks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::log_status::LogStatus;
use crate::store::{Head, LogName};

/// How long an entry that Redis has may be missing here before this node counts as behind: the feed brings it within milliseconds.
const FEED_DELAY: Duration = Duration::from_secs(1);

/// What a node still lacks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag {
    targets: BTreeMap<LogName, (Head, Instant)>,
    /// Until this node has what Redis had when they met, it counts as behind at once: it may have been away for long.
    pub(crate) is_catching_up: bool,
}

impl Lag {
    /// Of a node that meets its Redis (again).
    pub(crate) fn begin(statuses: &BTreeMap<LogName, LogStatus>, now: Instant) -> Self {
        let mut lag = Self::default();
        lag.add(statuses, now);
        lag.is_catching_up = !lag.targets.is_empty();
        lag
    }

    fn add(&mut self, statuses: &BTreeMap<LogName, LogStatus>, now: Instant) {
        for (log, status) in statuses {
            if let LogStatus::Longer(head) = status {
                self.targets.entry(log.clone()).or_insert((*head, now));
            }
        }
    }

    /// Whether the node is behind, after another look. `known` says where a log ends here; `None` for one that was deleted.
    pub(crate) fn is_behind(&mut self, statuses: &BTreeMap<LogName, LogStatus>, known: impl Fn(&LogName) -> Option<Head>, now: Instant) -> bool {
        self.targets
            .retain(|log, (target, _)| known(log).is_some_and(|head| (head.epoch, head.sequence) < (target.epoch, target.sequence)));
        if self.targets.is_empty() {
            self.is_catching_up = false;
        }
        self.add(statuses, now);
        self.is_catching_up || self.targets.values().any(|(_, since)| now.saturating_duration_since(*since) > FEED_DELAY)
    }
}
