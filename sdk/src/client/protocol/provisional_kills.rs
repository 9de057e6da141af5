//! The provisional kills that this client has received and that have not ended yet.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{Kill, KillId, Snapshot};

/// They are kept across reconnects and in the disk cache. A node that does not know a kill does not mention it, so only `ended` or a
/// committed snapshot with the id removes it.
#[derive(Debug, Default)]
pub(crate) struct ProvisionalKills {
    kills: BTreeMap<KillId, Kill>,
    /// Merged into the log, but not in this client's snapshot yet. They stay until the client has caught up, so that there is no gap
    /// between the provisional kill and the committed one.
    merged: BTreeSet<KillId>,
}

impl ProvisionalKills {
    /// Applies an overlay. Returns the kills that came or went.
    pub(crate) fn learn(&mut self, overlay: &Overlay, committed: Option<&Snapshot>) -> Vec<Kill> {
        let mut touched = Vec::new();
        for (id, kill) in &overlay.kills {
            let known = committed.is_some_and(|snapshot| snapshot.kills.get(id.as_str()).is_some());
            let lifted = matches!(overlay.ended.get(id), Some(KillEnd::Restored | KillEnd::Withdrawn));
            if !overlay.ended.contains_key(id) {
                // It is in force again: the log that it was merged into was replaced.
                self.merged.remove(id);
            }
            if !known && !lifted && self.kills.insert(id.clone(), kill.clone()).as_ref() != Some(kill) {
                touched.push(kill.clone());
            }
        }
        for (id, ended) in &overlay.ended {
            match ended {
                KillEnd::Merged => {
                    if self.kills.contains_key(id) {
                        self.merged.insert(id.clone());
                    }
                }
                KillEnd::Restored | KillEnd::Withdrawn => {
                    self.merged.remove(id);
                    touched.extend(self.kills.remove(id));
                }
            }
        }
        if let Some(snapshot) = committed {
            touched.extend(self.settle(snapshot));
        }
        touched
    }

    /// Removes the kills that `committed` contains: they are in force as committed kills. Returns them.
    pub(crate) fn settle(&mut self, committed: &Snapshot) -> Vec<Kill> {
        let held: Vec<KillId> = self.kills.keys().filter(|id| committed.kills.get(id.as_str()).is_some()).cloned().collect();
        self.release(held)
    }

    /// Removes the merged kills: this client has caught up with the server, so kills that are not in its snapshot were restored. Returns
    /// them.
    pub(crate) fn caught_up(&mut self) -> Vec<Kill> {
        let merged = std::mem::take(&mut self.merged);
        self.release(merged)
    }

    fn release(&mut self, ids: impl IntoIterator<Item = KillId>) -> Vec<Kill> {
        let mut released = Vec::new();
        for id in ids {
            self.merged.remove(&id);
            released.extend(self.kills.remove(&id));
        }
        released
    }

    pub(crate) fn in_force(&self) -> Vec<Kill> {
        self.kills.values().cloned().collect()
    }

    pub(crate) fn ids(&self) -> Vec<KillId> {
        self.kills.keys().cloned().collect()
    }

    /// As an overlay for the disk cache, which [`Self::learn`] reads.
    pub(crate) fn as_overlay(&self) -> Overlay {
        Overlay {
            kills: self.kills.clone(),
            ended: self.merged.iter().map(|id| (id.clone(), KillEnd::Merged)).collect(),
        }
    }
}
