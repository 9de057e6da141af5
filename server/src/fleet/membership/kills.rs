//! Confirmations of provisional kills, which have no revision and are confirmed by id.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::KillId;
use ripcord_proto::confirmation::Instance;
use ripcord_proto::frame::KillEnd;

use super::lease::longest_lease;
use crate::fleet::connections::MemberIdentity;
use crate::fleet::counters::ConfirmationTimes;
use crate::snapshot::publication::Served;

/// The counts of one provisional kill.
#[derive(Debug)]
pub(super) struct KillCounts {
    /// When this node began to serve it.
    pub(super) at: Instant,
    /// The longest lease of the flags that it covers, in seconds; `None` if one of them has none.
    pub(super) lease: Option<u32>,
    /// The revision that it was merged at; confirming that revision confirms the kill.
    pub(super) merged: Option<u64>,
    /// How long confirmations took.
    pub(super) times: ConfirmationTimes,
    /// The instances that have confirmed it.
    pub(super) confirmed: HashSet<Arc<MemberIdentity>>,
    /// Instances that confirmed it and left since.
    pub(super) departed: u64,
    /// Instances that were lost for too long.
    pub(super) gone: u64,
}

/// The counts of the newest provisional kills.
#[derive(Debug, Default)]
pub(super) struct KillCountsById(BTreeMap<KillId, KillCounts>);

/// Most provisional kills that are kept. Ids sort by time, so the first one is dropped.
const KEPT: usize = 1_000;

impl KillCountsById {
    pub(super) fn get(&self, id: &KillId) -> Option<&KillCounts> {
        self.0.get(id)
    }

    /// Starts counting new kills, and marks those that are in the log now.
    pub(super) fn published(&mut self, served: &Served, at: Instant) {
        let (overlay, revision) = (&served.overlay, served.snapshot.position.revision.0);
        for (id, kill) in &overlay.kills {
            self.0.entry(id.clone()).or_insert_with(|| KillCounts {
                at,
                lease: longest_lease(std::iter::once(kill), std::iter::empty(), &served.snapshot),
                merged: None,
                times: ConfirmationTimes::default(),
                confirmed: HashSet::new(),
                departed: 0,
                gone: 0,
            });
        }
        for (id, ended) in &overlay.ended {
            if let (KillEnd::Merged, Some(tally)) = (ended, self.0.get_mut(id)) {
                tally.merged.get_or_insert(revision);
            }
        }
        while self.0.len() > KEPT {
            self.0.pop_first();
        }
    }

    /// An instance has these kills in force.
    pub(super) fn confirmed(&mut self, who: &Arc<MemberIdentity>, instance: &Arc<Instance>, kills: &[KillId], now: Instant) {
        for id in kills {
            if let Some(tally) = self.0.get_mut(id)
                && tally.confirmed.insert(Arc::clone(who))
            {
                tally.times.add(now.saturating_duration_since(tally.at), instance);
            }
        }
    }

    /// An instance said goodbye.
    pub(super) fn left(&mut self, who: &MemberIdentity) {
        for tally in self.0.values_mut() {
            if tally.confirmed.remove(who) {
                tally.departed += 1;
            }
        }
    }

    /// An instance was lost for too long.
    pub(super) fn gone(&mut self, who: &MemberIdentity) {
        for tally in self.0.values_mut().filter(|tally| tally.merged.is_none()) {
            if tally.confirmed.remove(who) {
                tally.departed += 1;
            } else {
                tally.gone += 1;
            }
        }
    }
}
