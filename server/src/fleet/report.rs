//! The confirmation report of one node, and the merge of several.

use std::collections::BTreeMap;

use ripcord_proto::Position;
use ripcord_proto::confirmation::{Confirmation, Instance, LevelCounts, LostApplication, MissingInstance};

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
    /// Connected readers that cannot acknowledge, and were not sent this yet or did not fetch it yet.
    #[serde(default)]
    pub(super) awaited: u64,
    /// Lost applications that have not confirmed.
    #[serde(default)]
    pub(super) lost: Vec<LostMember>,
    #[serde(default)]
    pub(super) lost_total: u64,
    /// Applications that connected recently.
    #[serde(default)]
    pub(super) arrivals: Vec<Arrival>,
}

/// A lost application, and the key by which a new process can take its place.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct LostMember {
    pub(super) key: String,
    pub(super) application: LostApplication,
}

/// An application that connected to a node recently.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) name: String,
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
            awaited: 0,
            lost: Vec::new(),
            lost_total: 0,
            arrivals: Vec::new(),
        }
    }

    pub(super) fn count_mut(&mut self, level: ConfirmationLevel) -> &mut Count {
        match level {
            ConfirmationLevel::Applied => &mut self.applied,
            ConfirmationLevel::Fetched => &mut self.fetched,
            ConfirmationLevel::Sent => &mut self.sent,
        }
    }

    /// Whether no client is missing that can acknowledge.
    pub fn is_settled(&self) -> bool {
        self.applied.confirmed >= self.applied.connected
    }

    /// Whether a wait is over: no client is missing that can acknowledge, and every connected reader has what it gets.
    pub fn awaits_nobody(&self) -> bool {
        self.is_settled() && self.awaited == 0
    }

    /// Only figures: what is kept of old revisions.
    pub(super) fn without_names(mut self) -> Self {
        for level in ConfirmationLevel::ALL {
            self.count_mut(level).missing = Vec::new();
        }
        (self.lost, self.lost_total) = (Vec::new(), 0);
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
    let none = ConfirmationTimes::default();
    let mut sum = ConfirmationReport::new(&own.node, own.at, [&none; 3]);
    let mut nodes = vec![own.node.clone()];
    let mut nodes_not_reached = Vec::new();
    let mut reports = vec![own];
    for answer in answers {
        match answer {
            PeerAnswer::Reported(report) => {
                nodes.push(report.node.clone());
                reports.push(*report);
            }
            PeerAnswer::NotReached(node) => nodes_not_reached.push(node),
        }
    }
    forget_moved(&mut reports);
    for report in reports {
        sum.applied.add(report.applied);
        sum.fetched.add(report.fetched);
        sum.sent.add(report.sent);
        sum.lost.extend(report.lost);
        sum.lost_total += report.lost_total;
    }
    sum.lost.truncate(Count::NAMED);
    let complete = nodes_not_reached.is_empty() && sum.applied.connected > 0 && sum.is_settled();
    Confirmation {
        epoch,
        revision,
        kill,
        complete,
        applied: sum.applied.level(),
        fetched: sum.fetched.level(),
        sent: sum.sent.level(),
        nodes,
        nodes_not_reached,
        lost: sum.lost.into_iter().map(|lost| lost.application).collect(),
        lost_total: sum.lost_total,
    }
}

/// Removes lost applications that have since connected to another node: the same process, or a new one with its key and name.
fn forget_moved(reports: &mut [ConfirmationReport]) {
    for place in 0..reports.len() {
        let elsewhere = |(other, report): (usize, &ConfirmationReport)| if other == place { Vec::new() } else { report.arrivals.clone() };
        let mut arrivals: Vec<Arrival> = reports.iter().enumerate().flat_map(elsewhere).collect();
        let Some(report) = reports.get_mut(place) else { continue };
        let mut moved = Vec::new();
        report.lost.retain(|lost| {
            let who = &lost.application.instance;
            let same = |arrival: &Arrival| arrival.key == lost.key && (arrival.id == who.id || arrival.name == who.name);
            let Some(found) = arrivals.iter().position(same) else { return true };
            // One new process takes the place of one lost one.
            arrivals.swap_remove(found);
            moved.push(lost.application.clone());
            false
        });
        for application in moved {
            report.lost_total = report.lost_total.saturating_sub(1);
            if application.missing {
                report.applied.connected = report.applied.connected.saturating_sub(1);
                report.applied.missing.retain(|missing| missing.instance.id != application.instance.id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
