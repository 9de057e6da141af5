//! Going back: which changes put the flags in a scope back to a target's state, decided anew on the state that the commit is
//! admitted on, so that a rollback never loses against those who write meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::digest::Digest;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::{Flag, FlagKey, SegmentKey, Snapshot, Tag};

use super::Ask;

/// What shall be as it was.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// What is put back.
    pub reach: Reach,
    /// Only for users in this segment.
    pub segment: Option<SegmentKey>,
    /// The state that it goes back to.
    pub target: Arc<Snapshot>,
    /// How far down this commit goes: exposure above this percentage is capped; `None` = to the target.
    pub cap: Option<f64>,
    /// The record of the rollback as it is after this commit, but for what the commit decides: revision, flags, segments.
    pub record: Rollback,
}

/// What a reversal may touch.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Everything.
    Environment,
    /// These flags.
    Flags(BTreeSet<FlagKey>),
    /// The flags that carry one of these tags, now or at the target.
    Tags(BTreeSet<Tag>),
    /// What a release or an earlier rollback changed, each with what it left.
    Left(BTreeMap<FlagKey, Left>),
}

impl Reversal {
    /// What has to be asked of an environment that serves `now`, in order.
    pub(super) fn asks(&self, now: &Snapshot) -> Vec<Ask> {
        let was = &self.target;
        let is_meant = |key: &FlagKey, flag: Option<&Flag>| match &self.reach {
            Reach::Environment => true,
            Reach::Flags(flags) => flags.contains(key),
            Reach::Tags(tags) => flag.is_some_and(|flag| !flag.tags.is_disjoint(tags)),
            Reach::Left(left) => left.contains_key(key),
        };
        let back = was.flags.iter().filter_map(|entry| Some((entry.key(), entry.value().ok()?)));
        let back = back.filter(|(key, flag)| is_meant(key, Some(flag)) || is_meant(key, now.flags.value(key.as_str())));
        let back = back.map(|(key, flag)| Ask::PutFlag(key.clone(), Box::new(flag.clone())));
        let new = now.flags.iter().filter(|entry| was.flags.get(entry.key().as_str()).is_none());
        let off = new.filter(|entry| is_meant(entry.key(), entry.value().ok()));
        let off = off.map(|entry| Ask::SetEnabled(entry.key().clone(), false));
        back.chain(off).collect()
    }
}

/// What was left of a flag by those commits that are to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The digest of the flag's entry after the last of them; `None` where they deleted it. Another one now means that somebody
    /// else has changed the flag since.
    pub digest: Option<Digest>,
    /// Whether somebody else changed it between the target and the last of them.
    pub mixed: Mixed,
}

/// Whether others had a hand in a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixed {
    /// No.
    Own,
    /// Yes: putting it back takes their change with it.
    Others,
}
