//! When each rollout is looked at next: one list for an environment, so that a thousand rollouts cost one timer.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::RolloutId;
use tokio::time::Instant;

/// Each rollout at most once.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    by_time: BTreeSet<(Instant, RolloutId)>,
    by_id: BTreeMap<RolloutId, Instant>,
}

impl Schedule {
    /// It is looked at then, and not before.
    pub(super) fn set(&mut self, id: &RolloutId, at: Instant) {
        self.remove(id);
        self.by_time.insert((at, id.clone()));
        self.by_id.insert(id.clone(), at);
    }

    /// It is looked at then, if not before.
    pub(super) fn no_later(&mut self, id: &RolloutId, at: Instant) {
        if self.by_id.get(id).is_none_or(|known| *known > at) {
            self.set(id, at);
        }
    }

    /// It is not looked at any more.
    pub(super) fn remove(&mut self, id: &RolloutId) {
        if let Some(at) = self.by_id.remove(id) {
            self.by_time.remove(&(at, id.clone()));
        }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<RolloutId> {
        let mut due = Vec::new();
        while let Some((at, _)) = self.by_time.first()
            && *at <= now
            && let Some((_, id)) = self.by_time.pop_first()
        {
            self.by_id.remove(&id);
            due.push(id);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_that_are_due_are_taken_once_in_order() {
        let ids: Vec<_> = (0..3).map(|number| RolloutId::from_parts(number, 0)).collect();
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.set(&ids[0], now + Duration::from_secs(3));
        schedule.set(&ids[1], now + Duration::from_secs(1));
        schedule.set(&ids[2], now + Duration::from_secs(9));
        schedule.no_later(&ids[2], now + Duration::from_secs(2));
        schedule.no_later(&ids[0], now + Duration::from_secs(8));
        assert_eq!(schedule.next(), Some(now + Duration::from_secs(1)));
        assert_eq!(schedule.take_due(now + Duration::from_secs(2)), [ids[1].clone(), ids[2].clone()]);
        assert_eq!(schedule.take_due(now + Duration::from_secs(2)), []);
        assert_eq!(schedule.next(), Some(now + Duration::from_secs(3)));
    }
}
