//! The provisional kills that this client keeps: it has seen them, and nobody has said yet what became of them.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{Kill, KillId, Snapshot};

/// Kept over reconnects and in the disk cache. A node that does not know of a kill says nothing about it; only `ended` or a
/// committed snapshot that holds the id lets it go.
#[derive(Debug, Default)]
pub(crate) struct KeptKills {
    kills: BTreeMap<KillId, Kill>,
    /// Said to be merged while the snapshot here does not hold them yet. They stand until the client has caught up, so that
    /// no moment lies between the provisional kill and the committed one.
    merged: BTreeSet<KillId>,
}

impl KeptKills {
    /// Takes over what an overlay says.
    pub(crate) fn learn(&mut self, overlay: &Overlay, committed: Option<&Snapshot>) -> Vec<Kill> {
        let mut touched = Vec::new();
        for (id, kill) in &overlay.kills {
            let known = committed.is_some_and(|snapshot| snapshot.kills.get(id.as_str()).is_some());
            let lifted = matches!(overlay.ended.get(id), Some(KillEnd::Restored | KillEnd::Withdrawn));
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

    /// Lets go of the kills that `committed` holds: they are in force as committed ones.
    pub(crate) fn settle(&mut self, committed: &Snapshot) -> Vec<Kill> {
        let held: Vec<KillId> = self.kills.keys().filter(|id| committed.kills.get(id.as_str()).is_some()).cloned().collect();
        self.release(held)
    }

    /// Lets go of the merged kills: this client is where the server is, so if they are not in the snapshot they were lifted.
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

    /// All of them.
    pub(crate) fn in_force(&self) -> Vec<Kill> {
        self.kills.values().cloned().collect()
    }

    /// Their ids.
    pub(crate) fn ids(&self) -> Vec<KillId> {
        self.kills.keys().cloned().collect()
    }

    /// As an overlay, for the disk cache; [`Self::learn`] takes it back.
    pub(crate) fn as_overlay(&self) -> Overlay {
        Overlay {
            kills: self.kills.clone(),
            ended: self.merged.iter().map(|id| (id.clone(), KillEnd::Merged)).collect(),
        }
    }
}
