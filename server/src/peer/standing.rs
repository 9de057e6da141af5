//! How current a node is, as far as it knows: a function of its store, of what its peers said, and of the time. Without I/O.
//!
//! A node may have missed a kill if it reaches neither its store nor every peer, or if it knows of a log that continues beyond its
//! own. Then its heartbeats renew no lease. Peers vouch for each other only if all of them have met the store since they started. What
//! a peer does not say, as one of an older version, is not known: it vouches for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::PeerSync;
use crate::environment::NodeHeads;
use crate::store::{Head, LogName, StoreHealth, StoreState};

/// How long an entry that a peer has may be missing here while the store is current: its feed brings it within milliseconds.
const FEED_DELAY: Duration = Duration::from_secs(1);
/// How long an answer of a peer counts.
const ANSWER_COUNTS: Duration = Duration::from_secs(4);

/// How this node stands to its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreStanding {
    /// It reaches its store, and has all that is in it.
    Current,
    /// It does not reach it, has not caught up with it, or cannot write to it.
    Away,
}

impl StoreStanding {
    /// Of a node whose store has this health.
    pub fn of(health: &StoreHealth) -> Self {
        if health.state == StoreState::Available && !health.behind {
            Self::Current
        } else {
            Self::Away
        }
    }
}

/// What a node has been told by its peers.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    peers: BTreeMap<String, Answer>,
    /// Where logs end elsewhere, beyond this node's.
    ahead: BTreeMap<LogName, Ahead>,
    /// Peers whose logs are not this node's.
    strangers: BTreeSet<String>,
    /// Whether this node has had all that its store has since it started. What it committed before, and had not written to its own disk
    /// yet, only the store knows until then.
    is_anchored: bool,
}

#[derive(Debug, Clone, Default)]
struct Answer {
    /// When it last answered; `None` if the last call failed.
    at: Option<Instant>,
    last: Option<Arc<PeerSync>>,
}

#[derive(Debug, Clone)]
struct Ahead {
    head: Head,
    node: String,
    since: Instant,
    /// The node that said so has less by now: it died before it had written everything down.
    is_denied: bool,
}

/// A log that continues elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    pub log: LogName,
    /// Where it ends here.
    pub own: Head,
    /// Where it ends there.
    pub theirs: Head,
    /// The node that has it.
    pub node: String,
}

/// How current a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether no kill can have passed it by.
    pub fresh: bool,
    /// The log that it is known to lack entries of.
    pub behind: Option<Behind>,
    /// A node that is known to be fresher, or to reach the store while this one does not.
    pub fresher: Option<String>,
}

fn is_beyond(theirs: Head, own: Head) -> bool {
    (theirs.epoch, theirs.sequence) > (own.epoch, own.sequence)
}

impl Standing {
    /// Of a node with these peers, none of which has answered yet.
    pub fn new(urls: &[String]) -> Self {
        Self {
            peers: urls.iter().map(|url| (url.clone(), Answer::default())).collect(),
            ..Self::default()
        }
    }

    /// Notes how this node stands to its store now.
    pub fn note_store(&mut self, store: StoreStanding) {
        self.is_anchored |= store == StoreStanding::Current;
    }

    /// Whether this node has had all that its store has since it started.
    pub fn is_anchored(&self) -> bool {
        self.is_anchored
    }

    /// Notes what a peer says of itself, in a call of its own or in an answer.
    pub fn heard(&mut self, message: &PeerSync, own: &NodeHeads, now: Instant) {
        let Some(history) = message.history else { return };
        if own.history.is_some_and(|own| own != history) {
            self.strangers.insert(message.node.clone());
            return;
        }
        self.strangers.remove(&message.node);
        let environments = message.environments.iter().map(|log| (LogName::Environment(log.environment.clone()), log.head));
        for (log, head) in environments.chain([(LogName::System, message.system)]) {
            if let Some(head) = head {
                self.heard_of(log, head, &message.node, own, now);
            }
        }
    }

    fn heard_of(&mut self, log: LogName, head: Head, node: &str, own: &NodeHeads, now: Instant) {
        let known = own.head(&log);
        let since = match self.ahead.get_mut(&log) {
            Some(ahead) if is_beyond(ahead.head, known) && !is_beyond(head, ahead.head) => {
                if ahead.node == node {
                    ahead.is_denied = is_beyond(ahead.head, head);
                }
                return;
            }
            Some(ahead) if is_beyond(ahead.head, known) => ahead.since,
            Some(_) | None => now,
        };
        if is_beyond(head, known) {
            let node = node.to_owned();
            let is_denied = false;
            self.ahead.insert(log, Ahead { head, node, since, is_denied });
        } else {
            self.ahead.remove(&log);
        }
    }

    /// Notes whether the peer at `url` answered.
    pub fn answered(&mut self, url: &str, answer: Option<Arc<PeerSync>>, now: Instant) {
        let peer = self.peers.entry(url.to_owned()).or_default();
        peer.at = answer.is_some().then_some(now);
        if answer.is_some() {
            peer.last = answer;
        }
    }

    /// The last answer of the peer at `url`.
    pub fn last(&self, url: &str) -> Option<Arc<PeerSync>> {
        self.peers.get(url)?.last.clone()
    }

    /// How current the node is.
    pub fn judge(&self, store: StoreStanding, own: &NodeHeads, now: Instant) -> Verdict {
        let is_current = store == StoreStanding::Current;
        let behind = self.ahead.iter().find_map(|(log, ahead)| {
            // The store does not have it either: it is lost.
            if is_current && ahead.is_denied {
                return None;
            }
            let is_late = !is_current || now.saturating_duration_since(ahead.since) > FEED_DELAY;
            let own = own.head(log);
            (is_late && is_beyond(ahead.head, own)).then(|| Behind {
                log: log.clone(),
                own,
                theirs: ahead.head,
                node: ahead.node.clone(),
            })
        });
        let counts = |answer: &&Answer| answer.at.is_some_and(|at| now.saturating_duration_since(at) <= ANSWER_COUNTS);
        let vouches = |answer: &Answer| counts(&answer) && answer.last.as_ref().is_some_and(|last| last.vouches());
        let reaches_all = self.is_anchored && !self.peers.is_empty() && self.strangers.is_empty() && self.peers.values().all(vouches);
        let on_store = || {
            let answers = self.peers.values().filter(counts).filter_map(|answer| answer.last.as_deref());
            let found = answers
                .into_iter()
                .find(|last| last.store_current && last.history.is_some() && (own.history.is_none() || last.history == own.history));
            found.map(|last| last.node.clone())
        };
        Verdict {
            fresh: behind.is_none() && (is_current || reaches_all),
            fresher: behind
                .as_ref()
                .map(|behind| behind.node.clone())
                .or_else(|| if is_current { None } else { on_store() }),
            behind,
        }
    }
}

#[cfg(test)]
mod tests;
