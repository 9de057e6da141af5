//! Reads gates beside the loop, and passes their results to it.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::RolloutId;
use ripcord_proto::check::{Check, CheckPhase, ScopedCheck};
use ripcord_proto::gate::{Gate, Measure, OutcomeMeasure, PrometheusQuery};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::jobs::{GateAnswer, GateQuery, JobResult};
use super::state::RolloutController;
use crate::outcome::reports::SeriesQuery;
use crate::rollout::gate::prometheus;
use crate::rollout::gate::watch::ReadingTime;

/// Comparisons are made in beats, so that all rollouts together ask other nodes a few times a second and no more.
const BEAT: Duration = Duration::from_millis(250);

impl RolloutController {
    /// Reads each gate that is due; comparisons all at once.
    pub(super) fn ask_gates(&mut self, due: &[RolloutId], now: Instant) {
        let mut series: Vec<SeriesQuery> = Vec::new();
        let mut comparisons: Vec<(GateQuery, usize)> = Vec::new();
        for id in due {
            for (query, gate) in self.due_gates(id, now) {
                match gate.measure {
                    Measure::Probe { probe } => self.probe(query, probe),
                    Measure::Prometheus(measure) => self.query(query, &measure),
                    Measure::Outcome(comparison) => {
                        let Some(pair) = self.pair(id, query.gate, &comparison.outcome) else {
                            continue;
                        };
                        comparisons.push((query, series.len()));
                        series.extend(pair);
                    }
                }
            }
        }
        if comparisons.is_empty() {
            return;
        }
        let (reports, environment) = (Arc::clone(&self.rollouts.reports), self.environment.clone());
        self.jobs.push(Box::pin(async move {
            let sums = reports.sums(&environment, &series).await;
            JobResult::Gate(GateAnswer::Sums(comparisons, sums))
        }));
    }

    /// The gates of a rollout whose time has come, and those that are to be read once more because the hold is over.
    fn due_gates(&mut self, id: &RolloutId, now: Instant) -> Vec<(GateQuery, Gate)> {
        let opened = self.opened;
        let Some(tracked) = self.tracked.get_mut(id) else { return Vec::new() };
        let held = tracked.held(now);
        let entry = Arc::clone(&tracked.entry);
        let Ok(rollout) = entry.value() else { return Vec::new() };
        let hold = rollout.plan.hold(rollout.step);
        let mut due = Vec::new();
        for (place, (watch, gate)) in tracked.gates.iter_mut().zip(&rollout.plan.gates).enumerate() {
            let Some(watch) = watch else { continue };
            if !watch.is_due(now, held, hold) {
                continue;
            }
            watch.in_flight = true;
            watch.next = now + gate.every.duration();
            if gate.counts_outcomes() {
                watch.next = on_the_beat(opened, watch.next).max(now + BEAT);
            }
            let query = GateQuery {
                id: id.clone(),
                step: rollout.step,
                gate: place,
                held,
            };
            due.push((query, gate.clone()));
        }
        due
    }

    /// The two series of a comparison, from its last reading on.
    fn pair(&self, id: &RolloutId, gate: usize, what: &OutcomeMeasure) -> Option<[SeriesQuery; 2]> {
        let tracked = self.tracked.get(id)?;
        let rollout = tracked.entry.value().ok()?;
        let control = rollout.moved.as_ref()?.control.clone();
        let reading = tracked.gates.get(gate)?.as_ref()?.reading.as_ref();
        let since = reading.map(|reading| reading.at).or(rollout.judged_since)?;
        let series = |variant| SeriesQuery {
            flag: rollout.plan.flag.clone(),
            variant,
            what: what.clone(),
            since,
        };
        Some([series(rollout.plan.variant.clone()), series(control)])
    }

    fn probe(&mut self, query: GateQuery, check: Check) {
        let checks = self.rollouts.checks.clone();
        let probe = ScopedCheck {
            of: format!("rollout {}", query.id),
            check,
        };
        let span = self.span(&query);
        let job = async move {
            let outcomes = checks.run(&[probe], CheckPhase::After).await;
            JobResult::Gate(GateAnswer::Probe(query, outcomes.into_iter().next()))
        };
        self.jobs.push(Box::pin(job.instrument(span)));
    }

    fn query(&mut self, query: GateQuery, measure: &PrometheusQuery) {
        let client = self.rollouts.prometheus.clone();
        let address = measure.url.clone().or_else(|| self.states.borrow().records.policy().prometheus);
        let expression = measure.prometheus.clone();
        let span = self.span(&query);
        let job = async move {
            let value = prometheus::ask(&client, address.as_deref(), &expression).await;
            JobResult::Gate(GateAnswer::Value(query, value))
        };
        self.jobs.push(Box::pin(job.instrument(span)));
    }

    /// The span of an outgoing request for a gate.
    fn span(&self, query: &GateQuery) -> tracing::Span {
        tracing::debug_span!("gate", env = %self.environment, rollout = %query.id, step = query.step, gate = query.gate)
    }

    /// Takes in a result; its rollouts are considered next.
    pub(super) fn answered(&mut self, answer: GateAnswer) -> Vec<RolloutId> {
        let mut ids = Vec::new();
        match answer {
            GateAnswer::Value(query, value) => ids.extend(self.take_in(&query, |gate, watch, moment| {
                if let Measure::Prometheus(measure) = &gate.measure {
                    watch.measured(gate, measure, value, moment);
                }
            })),
            GateAnswer::Probe(query, outcome) => ids.extend(self.take_in(&query, |gate, watch, moment| watch.probed(gate, outcome, moment))),
            GateAnswer::Sums(comparisons, nodes) => {
                for (query, place) in comparisons {
                    ids.extend(self.take_in(&query, |gate, watch, moment| {
                        if let Measure::Outcome(comparison) = &gate.measure {
                            watch.counted(gate, comparison, &nodes, place, moment);
                        }
                    }));
                }
            }
        }
        ids
    }

    fn take_in(&mut self, query: &GateQuery, take: impl FnOnce(&Gate, &mut crate::rollout::gate::GateWatch, ReadingTime)) -> Option<RolloutId> {
        let (wall, now) = (self.wall(), Instant::now());
        let tracked = self.tracked.get_mut(&query.id)?;
        let entry = Arc::clone(&tracked.entry);
        let rollout = entry.value().ok().filter(|rollout| rollout.step == query.step)?;
        let held = tracked.held(now);
        let watch = tracked.gates.get_mut(query.gate)?.as_mut()?;
        let moment = ReadingTime {
            at: wall,
            instant: now,
            held,
            requested_at: query.held,
        };
        take(rollout.plan.gates.get(query.gate)?, watch, moment);
        if let Some(reading) = &watch.reading {
            self.metrics.read(reading.verdict);
        }
        let readings = tracked.readings();
        self.rollouts.live().insert(query.id.clone(), readings);
        Some(query.id.clone())
    }
}

/// The last beat at or before a moment.
fn on_the_beat(opened: Instant, at: Instant) -> Instant {
    let into = at.saturating_duration_since(opened).as_nanos() % BEAT.as_nanos();
    at.checked_sub(Duration::from_nanos(u64::try_from(into).unwrap_or_default())).unwrap_or(at)
}
