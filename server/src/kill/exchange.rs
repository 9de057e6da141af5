//! What a peer's message changes here: functions of what both nodes know, without I/O.
//!
//! Safest wins. A kill that is not known to have ended is in force; an id that has ended never comes back; a withdrawal ends only the
//! kill that it names.

use std::collections::BTreeSet;

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{EnvironmentKey, Kill, KillId};

use crate::commit::state::EnvironmentState;
use crate::peer::{PeerLog, PeerSync};
use crate::snapshot::overlay;
use crate::store::Head;

/// Whether what a peer's log says is taken (its committed kills, its revocations), or only what is not in a log yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeCommitted {
    /// This node would not learn of them from its store, or not in time.
    Yes,
    /// Its own feed is about to bring them, or the peer has another log.
    No,
}

impl TakeCommitted {
    /// For a node that is fresh or not, as it judges itself, and whose log ends at `own`; the peer's ends at `head`, if it says so.
    ///
    /// A log that ends before `own` is contained in it, unless it is no longer part of it: then its kills are orphaned, and only the peer
    /// knows them.
    pub(crate) fn decide(theirs: &PeerSync, head: Option<Head>, history: Option<Digest>, own: Head, is_cut_off: bool) -> Self {
        let Some(head) = head else { return Self::No };
        let shares_log = theirs.history.is_some() && (history.is_none() || history == theirs.history);
        let is_on_its_way = (head.epoch, head.sequence) > (own.epoch, own.sequence) && !is_cut_off;
        if shares_log && !is_on_its_way { Self::Yes } else { Self::No }
    }
}

/// What a node without its store does with the wish to lift a provisional kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WithdrawalDecision {
    /// It withdraws the kill.
    Withdraw,
    /// The kill has ended already.
    Ended,
    /// Another node took it.
    TakenBy(String),
    /// A peer has it in its log.
    LoggedBy(String),
}

impl WithdrawalDecision {
    /// `taker` is the node that took the kill, if it is known; `answers` are what the peers said last.
    pub(crate) fn decide<'a>(
        (environment, id): (&EnvironmentKey, &KillId),
        own: (&str, Option<Digest>),
        taker: Option<String>,
        overlay: &Overlay,
        answers: impl IntoIterator<Item = &'a PeerSync>,
    ) -> Self {
        let (node, history) = own;
        if !overlay.kills.contains_key(id) {
            return Self::Ended;
        }
        if let Some(taker) = taker.filter(|taker| taker != node) {
            return Self::TakenBy(taker);
        }
        let logged = |answer: &&PeerSync| answer.history == history && answer.log(environment).is_some_and(|log| log.has_logged(id));
        match answers.into_iter().find(logged) {
            Some(answer) => Self::LoggedBy(answer.node.clone()),
            None => Self::Withdraw,
        }
    }
}

/// What a message changes here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerNews {
    /// Kills to be put in force.
    pub(crate) put: Vec<Kill>,
    /// Kills of the overlay that have ended.
    pub(crate) ended: Vec<(KillId, KillEnd)>,
    /// Kills that were withdrawn where they were taken, but are in force in this node's log, which has to record their end.
    pub(crate) withdrawn: Vec<Kill>,
    /// Kills that readers of the peer may hold, and how they ended as far as this node knows.
    noted: Vec<(KillId, KillEnd)>,
}

/// Whether the kill has ended, as far as this node knows.
pub(crate) fn has_ended(id: &KillId, state: &EnvironmentState, overlay: &Overlay) -> Option<KillEnd> {
    match overlay.ended.get(id) {
        Some(how @ (KillEnd::Restored | KillEnd::Withdrawn)) => Some(*how),
        Some(KillEnd::Merged) | None => state.ended_kills.contains(id).then_some(KillEnd::Restored),
    }
}

impl PeerNews {
    /// What `theirs` changes for a node with this state and overlay.
    pub(crate) fn of(theirs: &PeerLog, state: &EnvironmentState, own: &Overlay, take: TakeCommitted) -> Self {
        let mut news = Self::default();
        let mut seen = BTreeSet::new();
        for kill in theirs.overlay.kills.values() {
            seen.insert(&kill.id);
            news.hear_provisional(kill, theirs, state, own);
        }
        if take == TakeCommitted::Yes {
            for kill in theirs.committed.iter().flatten().filter(|kill| !seen.contains(&kill.id)) {
                let is_known = own.kills.contains_key(&kill.id) || overlay::settled(kill, state).is_some();
                if !is_known && has_ended(&kill.id, state, own).is_none() {
                    news.put.push(kill.clone());
                }
            }
        }
        let ended = theirs
            .overlay
            .ended
            .iter()
            .filter(|(_, how)| **how != KillEnd::Merged)
            .map(|(id, how)| (id, *how));
        for (id, how) in ended.chain(theirs.ended.iter().map(|id| (id, KillEnd::Restored))) {
            news.hear_end(id, how, state, own);
        }
        news
    }

    fn hear_provisional(&mut self, kill: &Kill, theirs: &PeerLog, state: &EnvironmentState, own: &Overlay) {
        if let Some(how) = has_ended(&kill.id, state, own) {
            self.noted.push((kill.id.clone(), how));
        } else if overlay::settled(kill, state) == Some(KillEnd::Merged) {
            self.noted.push((kill.id.clone(), KillEnd::Merged));
        } else if !own.kills.contains_key(&kill.id) && !theirs.ended.contains(&kill.id) {
            self.put.push(kill.clone());
        }
    }

    fn hear_end(&mut self, id: &KillId, how: KillEnd, state: &EnvironmentState, own: &Overlay) {
        if own.kills.contains_key(id) {
            self.ended.push((id.clone(), how));
        } else if let Some(kill) = state.snapshot.kills.value(id.as_str()) {
            // The end of a restored kill is in the log that is on its way here; the end of a withdrawn one may be nowhere yet.
            if how == KillEnd::Withdrawn {
                self.withdrawn.push(kill.clone());
            }
        } else if has_ended(id, state, own).is_none() {
            self.noted.push((id.clone(), how));
        }
    }

    /// Changes the overlay.
    pub(crate) fn apply(&self, overlay: &mut Overlay) {
        for kill in &self.put {
            overlay::put(overlay, kill.clone());
        }
        for (id, how) in &self.ended {
            overlay::end(overlay, id, *how);
        }
        for (id, how) in self.noted.iter().filter(|(id, _)| !self.put.iter().any(|kill| kill.id == *id)) {
            if !overlay.kills.contains_key(id) {
                overlay.ended.insert(id.clone(), *how);
            }
        }
    }

    /// Whether there is anything to merge into the log, or to write down.
    pub(crate) fn is_pending(&self) -> bool {
        !(self.put.is_empty() && self.ended.is_empty() && self.withdrawn.is_empty())
    }
}
