//! The Redis of a simulation: one log, and the claims of the nodes that offer to fill it. It does what the scripts do.

use std::collections::BTreeMap;

use ripcord_proto::commit::Sealed;

use crate::store::Head;
use crate::store::redis::{RESEEDING, head_text};

/// How long nodes may claim, and how long the one that fills may be silent, in milliseconds (`reseed.rs`).
const WINDOW: u64 = 1_500;
const SILENCE: u64 = 5_000;

#[derive(Debug, Default)]
pub(super) struct SimulatedRedis {
    pub(super) is_up: bool,
    pub(super) entries: Vec<Sealed>,
    claims: Option<Claims>,
    /// What it had when a copy was made.
    pub(super) copy: Vec<Sealed>,
}

#[derive(Debug)]
struct Claims {
    opened: u64,
    by_node: BTreeMap<usize, String>,
    filler: Option<(usize, u64)>,
}

/// Where a log ends.
pub(super) fn head_of(entries: &[Sealed]) -> Head {
    let Some(last) = entries.last() else { return Head::START };
    let revision = entries.iter().rev().find_map(|entry| entry.commit.revision).unwrap_or(Head::START.revision);
    Head {
        epoch: last.commit.epoch,
        revision,
        sequence: last.commit.sequence,
        chain: last.digest,
    }
}

/// Whether `entries` contain the entry at `head`.
pub(super) fn contains(entries: &[Sealed], head: Head) -> bool {
    let Some(index) = head.sequence.0.checked_sub(1) else { return true };
    let found = usize::try_from(index).ok().and_then(|index| entries.get(index));
    found.is_some_and(|entry| entry.digest == head.chain)
}

impl SimulatedRedis {
    pub(super) fn started() -> Self {
        Self {
            is_up: true,
            ..Self::default()
        }
    }

    /// The field `head`.
    pub(super) fn head(&self) -> String {
        if self.claims.is_some() {
            RESEEDING.to_owned()
        } else {
            head_text(head_of(&self.entries))
        }
    }

    /// `append.lua`.
    pub(super) fn append(&mut self, expected: Head, entry: Sealed) -> bool {
        let accepted = self.head() == head_text(expected);
        if accepted {
            self.entries.push(entry);
        }
        accepted
    }

    /// Loses what it had.
    pub(super) fn become_other(&mut self, entries: Vec<Sealed>) {
        self.entries = entries;
        self.claims = None;
    }

    /// `claim.lua`: whether the node is to fill the log.
    pub(super) fn claim(&mut self, node: usize, claim: &str, seen: &str, now: u64) -> bool {
        if self.claims.is_none() && (self.head() != seen || claim.is_empty()) {
            return false;
        }
        let fresh = || Claims {
            opened: now,
            by_node: BTreeMap::new(),
            filler: None,
        };
        let claims = self.claims.get_or_insert_with(fresh);
        let is_overdue = claims.filler.is_none() && now - claims.opened > WINDOW + SILENCE;
        if is_overdue || claims.filler.is_some_and(|(_, beat)| now - beat > SILENCE) {
            *claims = fresh();
        }
        if !claim.is_empty() {
            claims.by_node.insert(node, claim.to_owned());
        }
        if now - claims.opened < WINDOW {
            return false;
        }
        let highest = claims.by_node.iter().max_by(|a, b| a.1.cmp(b.1)).map(|(node, _)| *node);
        let filler = claims.filler.map(|(filler, _)| filler).or(highest);
        if filler != Some(node) {
            return false;
        }
        claims.filler = Some((node, now));
        true
    }

    /// `switch.lua`.
    pub(super) fn switch(&mut self, entries: Vec<Sealed>) {
        self.become_other(entries);
    }
}
