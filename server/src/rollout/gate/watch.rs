//! One gate during one step: when it is read next, its verdict, and the samples behind it.

use jiff::Timestamp;
use ripcord_proto::check::CheckOutcome;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{Arm, Gate, GateReading, GateSample, GateVerdict, Measure, OutcomeComparison, PrometheusQuery};
use tokio::time::Instant;

use super::tally::GateTally;
use super::{comparison, prometheus, reading};
use crate::outcome::reports::{NodeSums, SeriesSums};

/// Most samples that are kept of a step; of more, every other one.
const SAMPLES: usize = 64;

/// A gate while a step is held.
#[derive(Debug)]
pub(in crate::rollout) struct GateWatch {
    /// When it is read next.
    pub(in crate::rollout) next: Instant,
    /// Whether an answer is awaited.
    pub(in crate::rollout) in_flight: bool,
    /// Its latest reading.
    pub(in crate::rollout) reading: Option<GateReading>,
    /// How long the step had been held then.
    pub(in crate::rollout) read_at: HumanDuration,
    /// Its samples, thinned out.
    pub(in crate::rollout) samples: Vec<GateSample>,
    stride: usize,
    count: usize,
    tally: GateTally,
    /// Since when its value has been outside the limit.
    wrong_since: Option<Instant>,
    /// The control's figures of the last step that had one, if this one has none.
    frozen: Option<Arm>,
}

impl GateWatch {
    /// From now on. `recorded` is what was known of this step before this node took it up.
    pub(in crate::rollout) fn new(gate: &Gate, recorded: Option<&GateReading>, frozen: Option<Arm>, now: Instant) -> Self {
        let tally = match (&gate.measure, recorded.and_then(|reading| reading.figures)) {
            (Measure::Outcome(comparison), Some(figures)) => GateTally::from(&figures, comparison.traffic),
            (Measure::Outcome(_) | Measure::Prometheus(_) | Measure::Probe { .. }, _) => GateTally::default(),
        };
        Self {
            next: now,
            in_flight: false,
            reading: recorded.cloned(),
            read_at: HumanDuration::ZERO,
            samples: Vec::new(),
            stride: 1,
            count: 0,
            tally,
            wrong_since: None,
            frozen,
        }
    }

    /// Whether it is due: its time has come, or the hold is over and it was not read since.
    pub(in crate::rollout) fn is_due(&self, now: Instant, held: HumanDuration, hold: HumanDuration) -> bool {
        !self.in_flight && (self.next <= now || (held >= hold && self.read_at < hold))
    }

    /// Takes in the sums of all nodes; the variant's is at `place`, the control's right after it.
    pub(in crate::rollout) fn counted(&mut self, gate: &Gate, comparison: &OutcomeComparison, nodes: &[NodeSums], place: usize, moment: ReadingTime) {
        let pair = |of: &[SeriesSums]| Some([*of.get(place)?, *of.get(place + 1)?]);
        for node in nodes {
            if let (Some(sums), Some(before)) = (pair(&node.sums), pair(&node.before)) {
                self.tally.take(&node.node, sums, before);
            }
        }
        let figures = self.tally.figures(comparison.traffic, self.frozen);
        let (verdict, detail) = comparison::judge(comparison, &figures);
        // What an always-valid test has once found stays found, however the figures move on.
        let failed = self.reading.clone().filter(|reading| reading.verdict == GateVerdict::Fail);
        let mut made = failed.unwrap_or_else(|| reading(gate, verdict, detail, moment.at));
        made.figures = Some(figures);
        self.sample(moment.held, |sample| sample.figures = Some(figures));
        self.set_reading(made, moment);
    }

    /// Takes in a value, or why there is none.
    pub(in crate::rollout) fn measured(&mut self, gate: &Gate, query: &PrometheusQuery, value: Result<f64, String>, moment: ReadingTime) {
        let made = match value {
            Ok(value) => {
                let wrong_since = (!query.admits(value)).then(|| self.wrong_since.unwrap_or(moment.instant));
                self.wrong_since = wrong_since;
                let lasting = wrong_since.map(|since| moment.instant.saturating_duration_since(since));
                let (verdict, detail) = prometheus::judge(query, value, lasting);
                self.sample(moment.held, |sample| sample.value = Some(value));
                GateReading {
                    value: Some(value),
                    ..reading(gate, verdict, detail, moment.at)
                }
            }
            Err(why) => reading(gate, GateVerdict::Unknown, why, moment.at),
        };
        self.set_reading(made, moment);
    }

    /// Takes in the outcome of a probe.
    pub(in crate::rollout) fn probed(&mut self, gate: &Gate, outcome: Option<CheckOutcome>, moment: ReadingTime) {
        let made = match outcome {
            Some(outcome) => {
                let verdict = if outcome.passed { GateVerdict::Pass } else { GateVerdict::Fail };
                reading(gate, verdict, outcome.detail, moment.at)
            }
            None => reading(gate, GateVerdict::Unknown, "it was not queried".to_owned(), moment.at),
        };
        self.set_reading(made, moment);
    }

    fn set_reading(&mut self, made: GateReading, moment: ReadingTime) {
        self.in_flight = false;
        self.read_at = moment.requested_at;
        self.reading = Some(made);
    }

    fn sample(&mut self, held: HumanDuration, fill: impl FnOnce(&mut GateSample)) {
        if self.count.is_multiple_of(self.stride) {
            let mut sample = GateSample {
                after_ms: held.millis(),
                figures: None,
                value: None,
            };
            fill(&mut sample);
            self.samples.push(sample);
        }
        self.count += 1;
        if self.samples.len() > SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
    }
}

/// When something was read.
#[derive(Debug, Clone, Copy)]
pub(in crate::rollout) struct ReadingTime {
    /// By the wall clock.
    pub(in crate::rollout) at: Timestamp,
    /// By the monotonic clock.
    pub(in crate::rollout) instant: Instant,
    /// How long the step has been held.
    pub(in crate::rollout) held: HumanDuration,
    /// How long it had been held when it was requested.
    pub(in crate::rollout) requested_at: HumanDuration,
}
