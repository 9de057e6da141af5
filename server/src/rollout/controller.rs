//! The rollout controller of one environment: all of its rollouts, in one loop with one timer.
//!
//! Every node keeps its controller up to date; only the leader's acts. Gates are read and commits are made beside the loop, so
//! that a slow probe or a slow store does not delay other rollouts.

mod commit_results;
mod effect;
mod gate_reader;
mod jobs;
mod metrics;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use ripcord_proto::RolloutId;
use ripcord_proto::one_way::OneWay;
use ripcord_proto::rollout::Rollout;
use tokio::time::Instant;

use self::jobs::JobResult;
use self::metrics::RolloutMetrics;
use self::schedule::Schedule;
use self::state::{AbortReason, FOLLOWER_POLL, RolloutController};
use self::tracked::TrackedRollout;
use super::decide::{self, DecisionInput, GateStatus, RolloutDecision};
use super::rollouts::Rollouts;
use super::{commits, messages, step, window};
use crate::commit::state::EnvironmentState;
use crate::environment::EnvironmentTask;

/// The longest that the loop sleeps: wall clocks may be changed in between.
const NAP: Duration = Duration::from_mins(1);

/// Runs an environment's rollouts until it is deleted.
pub(super) async fn run(rollouts: Rollouts, place: EnvironmentTask) {
    let mut controller = RolloutController {
        rollouts,
        metrics: RolloutMetrics::new(&place.environment),
        environment: place.environment,
        states: place.states,
        tracked: BTreeMap::new(),
        schedule: Schedule::default(),
        jobs: FuturesUnordered::new(),
        token: None,
        opened: Instant::now(),
        flags: BTreeMap::new(),
    };
    controller.follow();
    loop {
        let due = controller.schedule.next();
        let nap = Instant::now() + NAP;
        tokio::select! {
            changed = controller.states.changed() => if changed.is_err() { return } else { controller.follow() },
            Some(done) = controller.jobs.next(), if !controller.jobs.is_empty() => controller.done(done),
            () = tokio::time::sleep_until(due.map_or(nap, |due| due.min(nap))) => controller.look().await,
        }
    }
}

impl RolloutController {
    fn wall(&self) -> Timestamp {
        self.rollouts.environments.clock().now()
    }

    /// Takes over what the state says now; what changed for a rollout is looked at at once.
    fn follow(&mut self) {
        let state = Arc::clone(&self.states.borrow_and_update());
        let (wall, now) = (self.wall(), Instant::now());
        let live = |entry: &&Arc<ripcord_proto::table::Entry<Rollout>>| entry.value().is_ok_and(|rollout| !rollout.state.is_final());
        let over: Vec<RolloutId> = self
            .tracked
            .keys()
            .filter(|id| commits::entry_of(&state, id).is_none_or(|(_, rollout)| rollout.state.is_final()))
            .cloned()
            .collect();
        for id in over {
            if let Some((_, rollout)) = commits::entry_of(&state, &id) {
                self.metrics.ended(rollout.state);
            }
            self.tracked.remove(&id);
            self.flags.remove(&id);
            self.schedule.remove(&id);
            self.rollouts.live().remove(&id);
        }
        for entry in state.records.rollouts.iter().filter(live) {
            let id = entry.key();
            let Ok(rollout) = entry.value() else { continue };
            let flag = state.snapshot.flags.get(rollout.plan.flag.as_str()).map(|flag| *flag.digest());
            let observed = (flag, state.snapshot.kills.len());
            let changed_around = self.flags.insert(id.clone(), observed) != Some(observed);
            match self.tracked.get_mut(id) {
                Some(tracked) if tracked.entry.digest() != entry.digest() => tracked.follow(entry, wall, now),
                Some(_) if changed_around => {}
                Some(_) => continue,
                None => drop(self.tracked.insert(id.clone(), TrackedRollout::new(entry, wall, now))),
            }
            self.schedule.no_later(id, now);
        }
        self.metrics
            .count_states(self.tracked.values().filter_map(|tracked| Some(tracked.entry.value().ok()?.state)));
    }

    /// Decides on all that is due, if this node leads.
    async fn look(&mut self) {
        let now = Instant::now();
        let due = self.schedule.take_due(now);
        if due.is_empty() {
            return;
        }
        self.token = self.rollouts.lease.hold(&self.environment).await;
        if self.token.is_none() {
            for id in due {
                self.schedule.set(&id, now + FOLLOWER_POLL);
            }
            return;
        }
        // Becoming the leader took a moment, in which the state may have moved on.
        self.follow();
        self.ask_gates(&due, Instant::now());
        for id in &due {
            self.consider(id);
        }
    }

    fn done(&mut self, done: JobResult) {
        let ids = match done {
            JobResult::Gate(answer) => self.answered(answer),
            JobResult::Commit(committed) => self.committed(committed),
        };
        for id in ids {
            self.consider(&id);
        }
    }

    /// Decides what comes next for a rollout, sets about it, and notes when to look again.
    fn consider(&mut self, id: &RolloutId) {
        let (Some(token), Some(tracked)) = (self.token, self.tracked.get(id)) else {
            return;
        };
        let state = Arc::clone(&self.states.borrow());
        let now = Instant::now();
        // What the record will be once the commit that is under way is seen is for the next look.
        let is_current = commits::entry_of(&state, id).is_some_and(|(entry, _)| entry.digest() == tracked.entry.digest());
        if tracked.busy || !is_current {
            return self.schedule(id, now);
        }
        let Ok(rollout) = tracked.entry.value() else { return };
        if let Some(reason) = tracked.rolling_back.clone() {
            return self.roll_back(token, id, &reason);
        }
        if let Some(stop) = Self::stopped(&state, rollout) {
            return self.abort(id, token, stop);
        }
        let Some(view) = self.view(id, now) else { return };
        let next = decide::next(&view);
        if matches!(next, RolloutDecision::Pause(_) | RolloutDecision::RollBack(_)) {
            self.rollouts.gate_events.tell(&self.environment, &view);
        }
        match next {
            RolloutDecision::Stay(status) => self.record_status(token, id, status),
            RolloutDecision::EnterStep => self.enter(token, id, &state, now),
            RolloutDecision::Complete => self.complete(token, id),
            RolloutDecision::Pause(reason) => self.pause(token, id, &reason, now),
            RolloutDecision::RollBack(reason) => self.roll_back(token, id, &reason),
        }
        self.schedule(id, now);
    }

    fn view(&self, id: &RolloutId, now: Instant) -> Option<DecisionInput<'_>> {
        let tracked = self.tracked.get(id)?;
        let rollout = tracked.entry.value().ok()?;
        let gates = tracked.gates.iter().zip(&rollout.plan.gates).filter_map(|(watch, gate)| {
            let watch = watch.as_ref()?;
            Some(GateStatus {
                gate,
                reading: watch.reading.as_ref(),
                read_at: watch.read_at,
            })
        });
        let wall = self.wall();
        Some(DecisionInput {
            rollout,
            now: wall,
            held: tracked.held(now),
            gates: gates.collect(),
            opening: window::opening(rollout.plan.window.as_ref(), wall),
            door: self.door(rollout),
        })
    }

    fn door(&self, rollout: &Rollout) -> Option<OneWay> {
        let state = self.states.borrow();
        let flag = state.snapshot.flags.value(rollout.plan.flag.as_str())?;
        step::door(&rollout.plan, flag).cloned()
    }

    /// What has ended a rollout from outside: a kill, a rollback, an edit of what it moved.
    fn stopped(state: &EnvironmentState, rollout: &Rollout) -> Option<AbortReason> {
        let key = rollout.plan.flag.as_str();
        if let Some(kill) = state.snapshot.kills_of(key).next() {
            return Some(AbortReason::Reason(messages::killed(kill)));
        }
        let Some(entry) = state.snapshot.flags.get(key) else {
            return Some(AbortReason::Edit(format!("flag {key} was deleted"), state.head.position()));
        };
        let (Ok(flag), Some(moved)) = (entry.value(), rollout.moved.as_ref()) else {
            return None;
        };
        let rolled_back = |other: &ripcord_proto::rollback::Rollback| other.flags.contains(key) && rollout.position.is_some_and(|own| other.position() > own);
        let edited = if flag.enabled {
            step::untouched(flag, moved).err()
        } else {
            Some("the flag was turned off".to_owned())
        };
        let what = edited?;
        let rollback = state.records.rollbacks.values().rfind(|other| rolled_back(other));
        Some(match rollback {
            Some(rollback) => AbortReason::Reason(format!(
                "rollback {} by {} rolled back the flag. The rollout does not restart automatically",
                rollback.id, rollback.by.name
            )),
            None => AbortReason::Edit(what, entry.changed()),
        })
    }

    /// Notes when to look at a rollout again: when a gate is to be read, the hold is over, or a moment by the wall clock comes.
    fn schedule(&mut self, id: &RolloutId, now: Instant) {
        let Some(tracked) = self.tracked.get(id) else { return };
        let Ok(rollout) = tracked.entry.value() else { return };
        let hold = rollout.plan.hold(rollout.step);
        let held = tracked.held(now);
        let idle = tracked.gates.iter().flatten().filter(|watch| !watch.in_flight);
        let gates = idle.map(|watch| if watch.is_due(now, held, hold) { now } else { watch.next });
        let over = tracked.instant_of(hold).filter(|at| *at > now);
        let wall = self.wall();
        let opens = match window::opening(rollout.plan.window.as_ref(), wall) {
            window::WindowStatus::At(at) => Some(at),
            window::WindowStatus::Open | window::WindowStatus::Unknown => None,
        };
        let starts = rollout.plan.start_at.filter(|_| rollout.step == 0);
        let moments = [opens, starts].into_iter().flatten().filter(|at| *at > wall);
        let by_wall = moments.filter_map(|at| now.checked_add(at.duration_since(wall).unsigned_abs()));
        let next = gates.chain(over).chain(by_wall).min();
        self.schedule.no_later(id, next.unwrap_or(now + NAP).max(now + SOON).min(now + NAP));
    }
}

/// The shortest time between two decisions on one rollout: it bounds the cost of a scheduling error.
const SOON: Duration = Duration::from_millis(5);
