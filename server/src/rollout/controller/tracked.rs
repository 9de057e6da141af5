//! A rollout as the leader holds it in memory, beside its record.

use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{Arm, GateReading};
use ripcord_proto::rollout::{GateHistory, Rollout, RolloutState};
use ripcord_proto::table::Entry;
use tokio::time::Instant;

use crate::rollout::gate::GateWatch;
use crate::rollout::transition::StepObservations;

/// What is known of a rollout beside its record.
#[derive(Debug)]
pub(super) struct TrackedRollout {
    pub(super) entry: Arc<Entry<Rollout>>,
    /// Since when the clock of the hold runs here, and what had run of it by then.
    clock: Option<(Timestamp, Instant)>,
    /// Which step the gates are watched for, and since when.
    judged: (u32, Option<Timestamp>),
    /// By gate of the plan; none if the step cannot be judged by it.
    pub(super) gates: Vec<Option<GateWatch>>,
    /// Whether a commit is under way.
    pub(super) busy: bool,
    /// Why it is rolled back, once that is decided.
    pub(super) rolling_back: Option<String>,
    /// Whether its flag was killed because it could not be rolled back.
    pub(super) killed: bool,
    /// When the samples of its gates were last recorded.
    pub(super) recorded: Instant,
    /// When the step that is being taken was due, if it waited only for the hold.
    pub(super) due: Option<Instant>,
}

impl TrackedRollout {
    pub(super) fn new(entry: &Arc<Entry<Rollout>>, wall: Timestamp, now: Instant) -> Self {
        let mut tracked = Self {
            entry: Arc::clone(entry),
            clock: None,
            judged: (0, None),
            gates: Vec::new(),
            busy: false,
            rolling_back: None,
            killed: false,
            recorded: now,
            due: None,
        };
        tracked.follow(entry, wall, now);
        tracked
    }

    /// Takes over what the record says now.
    pub(super) fn follow(&mut self, entry: &Arc<Entry<Rollout>>, wall: Timestamp, now: Instant) {
        self.entry = Arc::clone(entry);
        let Ok(rollout) = entry.value() else { return };
        self.clock = rollout.since.map(|since| match self.clock {
            Some(known) if known.0 == since => known,
            // Met for the first time: what has run is worked out from the wall clock, once; one that went back counts as no time.
            Some(_) | None => {
                let ran = u64::try_from(wall.duration_since(since).as_millis()).unwrap_or_default();
                let ran = HumanDuration::from_millis(ran).duration();
                (since, now.checked_sub(ran).unwrap_or(now))
            }
        });
        let judged = (rollout.step, rollout.judged_since);
        if judged != self.judged {
            self.judged = judged;
            self.gates = watches(rollout, now);
            self.recorded = now;
        }
    }

    /// How long the step in force has been held.
    pub(super) fn held(&self, now: Instant) -> HumanDuration {
        let before = self.entry.value().map_or(0, |rollout| rollout.held_ms);
        let ran = self.clock.map_or(0, |(_, since)| {
            u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
        });
        HumanDuration::from_millis(before.saturating_add(ran))
    }

    /// When it will have been held for this long; `None` while the clock is stopped.
    pub(super) fn instant_of(&self, held: HumanDuration) -> Option<Instant> {
        let before = self.entry.value().map_or(0, |rollout| rollout.held_ms);
        let (_, since) = self.clock?;
        since.checked_add(HumanDuration::from_millis(held.millis().saturating_sub(before)).duration())
    }

    /// When the hold of the step in force ended, if it has and nothing else was waited for or decided by a person.
    pub(super) fn hold_over(&self, now: Instant) -> Option<Instant> {
        let rollout = self.entry.value().ok()?;
        let only_held = rollout.state == RolloutState::Holding && rollout.advance.is_none();
        self.instant_of(rollout.plan.hold(rollout.step)).filter(|at| only_held && *at <= now)
    }

    /// The latest readings of the gates.
    pub(super) fn readings(&self) -> Vec<GateReading> {
        self.gates.iter().flatten().filter_map(|watch| watch.reading.clone()).collect()
    }

    /// What was seen of the step.
    pub(super) fn observed(&self) -> StepObservations {
        let plan = self.entry.value().map(|rollout| rollout.plan.gates.as_slice()).unwrap_or_default();
        let histories = self.gates.iter().zip(plan).filter_map(|(watch, gate)| {
            let samples = watch.as_ref().map(|watch| watch.samples.clone()).filter(|samples| !samples.is_empty())?;
            Some(GateHistory {
                gate: gate.name.clone(),
                looks: samples,
            })
        });
        StepObservations {
            gates: self.readings(),
            histories: histories.collect(),
        }
    }
}

/// The gates that can judge the step in force.
fn watches(rollout: &Rollout, now: Instant) -> Vec<Option<GateWatch>> {
    let watch = |gate| {
        let can_judge = rollout.step > 0 && rollout.plan.can_judge(gate, rollout.step);
        let recorded = rollout.gates.iter().find(|reading| reading.name == gate.name);
        let frozen = (!rollout.plan.has_control(rollout.step)).then(|| last_control(rollout, &gate.name));
        can_judge.then(|| GateWatch::new(gate, recorded, frozen, now))
    };
    rollout.plan.gates.iter().map(watch).collect()
}

/// The control's figures of the last step that had one.
fn last_control(rollout: &Rollout, gate: &str) -> Arm {
    let readings = rollout
        .past
        .iter()
        .rev()
        .filter_map(|past| past.gates.iter().find(|reading| reading.name == gate));
    let mut figures = readings.filter_map(|reading| reading.figures);
    figures.next().map(|figures| figures.control).unwrap_or_default()
}
