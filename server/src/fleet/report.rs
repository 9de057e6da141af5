//! The confirmation report of one node, and the merge of several.

use std::collections::BTreeMap;

use ripcord_proto::Position;
use ripcord_proto::confirmation::{Confirmation, Instance, LevelCounts, MissingInstance};

use super::connections::ConfirmationLevel;
use super::counters::ConfirmationTimes;
use super::target::ConfirmationTarget;

/// One node's counts of a revision or a provisional kill. Times are kept whole, so that percentiles over several nodes are
/// those of all their clients.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ConfirmationReport {
    pub node: String,
    /// Where the node is.
    pub at: Position,
    applied: Count,
    fetched: Count,
    sent: Count,
}

/// The counts of one level.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Count {
    pub(super) connected: u64,
    pub(super) confirmed: u64,
    pub(super) gone: u64,
    /// Microseconds, and how many confirmations took about that long.
    times: Vec<(u64, u32)>,
    slowest: Option<(u64, Instance)>,
    pub(super) missing: Vec<MissingInstance>,
}

impl Count {
    /// Missing instances listed by name, at most.
    pub(super) const NAMED: usize = 100;

    fn new(times: &ConfirmationTimes) -> Self {
        let slowest = times.slowest();
        Self {
            times: times.recorded(),
            slowest: slowest.map(|(took, who)| (u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Instance::clone(who))),
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        self.connected += other.connected;
        self.confirmed += other.confirmed;
        self.gone += other.gone;
        self.times.extend(other.times);
        self.slowest = self.slowest.take().into_iter().chain(other.slowest).max_by_key(|(micros, _)| *micros);
        self.missing.extend(other.missing);
        self.missing.truncate(Self::NAMED);
    }

    fn level(self) -> LevelCounts {
        let mut counts = BTreeMap::<u64, u64>::new();
        for (micros, count) in self.times {
            *counts.entry(micros).or_default() += u64::from(count);
        }
        let total: u64 = counts.values().sum();
        let slowest = self.slowest.as_ref().map(|(micros, _)| *micros);
        // Of a handful the slowest is known exactly; a bucket's upper end must not be shown as slower than that.
        let at = |share: f64| percentile(&counts, total, share).map(|micros| millis(slowest.map_or(micros, |slowest| micros.min(slowest))));
        LevelCounts {
            connected: self.connected,
            confirmed: self.confirmed,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: slowest.map(millis),
            slowest: self.slowest.map(|(_, who)| who),
            missing: self.missing,
            gone: self.gone,
        }
    }
}

/// The value that `share` of all lie at or below.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of connections are far below 2^52"
)]
fn percentile(counts: &BTreeMap<u64, u64>, total: u64, share: f64) -> Option<u64> {
    let rank = (total as f64 * share).ceil() as u64;
    let mut seen = 0;
    counts.iter().find_map(|(micros, count)| {
        seen += count;
        (seen >= rank).then_some(*micros)
    })
}

#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is far below 2^52")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

impl ConfirmationReport {
    pub(super) fn new(node: &str, at: Position, [applied, fetched, sent]: [&ConfirmationTimes; 3]) -> Self {
        Self {
            node: node.to_owned(),
            at,
            applied: Count::new(applied),
            fetched: Count::new(fetched),
            sent: Count::new(sent),
        }
    }

    pub(super) fn count_mut(&mut self, level: ConfirmationLevel) -> &mut Count {
        match level {
            ConfirmationLevel::Applied => &mut self.applied,
            ConfirmationLevel::Fetched => &mut self.fetched,
            ConfirmationLevel::Sent => &mut self.sent,
        }
    }

    /// Whether every client that can acknowledge has.
    pub fn is_complete(&self) -> bool {
        self.applied.confirmed >= self.applied.connected
    }

    /// Only figures: what is kept of old revisions.
    pub(super) fn without_names(mut self) -> Self {
        for level in ConfirmationLevel::ALL {
            self.count_mut(level).missing = Vec::new();
        }
        self
    }
}

/// One peer's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerAnswer {
    /// Its report.
    Reported(Box<ConfirmationReport>),
    /// It did not answer; this is its name.
    NotReached(String),
}

/// The confirmation over this node and those that answered. Nodes that did not answer are named, and then it is never complete.
pub fn merge(target: &ConfirmationTarget, own: ConfirmationReport, answers: Vec<PeerAnswer>) -> Confirmation {
    let (epoch, revision, kill) = match target {
        ConfirmationTarget::Revision(position) => (position.epoch, Some(position.revision), None),
        ConfirmationTarget::Kill(id) => (own.at.epoch, None, Some(id.clone())),
    };
    let mut nodes = vec![own.node.clone()];
    let mut nodes_not_reached = Vec::new();
    let mut sum = own;
    for answer in answers {
        match answer {
            PeerAnswer::Reported(report) => {
                nodes.push(report.node);
                sum.applied.add(report.applied);
                sum.fetched.add(report.fetched);
                sum.sent.add(report.sent);
            }
            PeerAnswer::NotReached(node) => nodes_not_reached.push(node),
        }
    }
    Confirmation {
        epoch,
        revision,
        kill,
        complete: nodes_not_reached.is_empty() && sum.is_complete(),
        applied: sum.applied.level(),
        fetched: sum.fetched.level(),
        sent: sum.sent.level(),
        nodes,
        nodes_not_reached,
    }
}

#[cfg(test)]
mod tests;
