//! The desk of an environment: all of its rollouts, on the node that drives it, in one loop with one timer.
//!
//! Every node keeps the desk up to date; only the one that drives acts. Gates are asked and commits are made beside the loop, so
//! that a slow probe or a slow store holds up nobody else's step.

mod agenda;
mod committing;
mod meters;
mod reading;
mod tended;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::one_way::OneWay;
use ripcord_proto::rollout::Rollout;
use ripcord_proto::{EnvironmentKey, RolloutId};
use tokio::sync::watch;
use tokio::time::Instant;

use self::agenda::Agenda;
use self::committing::Committed;
use self::meters::Meters;
use self::reading::Answer;
use self::tended::Tended;
use super::decide::{self, Heard, Next, View};
use super::{Rollouts, moves, says, step, window};
use crate::commit::state::EnvironmentState;
use crate::driver::Token;
use crate::environment::EnvironmentTask;

/// How often a node that does not drive looks whether it should.
const ASIDE: Duration = Duration::from_secs(1);
/// The longest that the loop sleeps: wall clocks may be set meanwhile.
const NAP: Duration = Duration::from_mins(1);

/// What was done beside the loop.
enum Done {
    Answered(Answer),
    Committed(Committed),
}

/// The rollouts of an environment.
struct Desk {
    rollouts: Rollouts,
    environment: EnvironmentKey,
    states: watch::Receiver<Arc<EnvironmentState>>,
    tended: BTreeMap<RolloutId, Tended>,
    agenda: Agenda,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    token: Option<Token>,
    /// When it was opened: what comparisons are made by is asked for in beats from then on.
    opened: Instant,
    /// What the state looked like when it was last gone through.
    flags: BTreeMap<RolloutId, (Option<Digest>, usize)>,
    meters: Meters,
}

/// Tends an environment's rollouts for as long as there is one.
pub(super) async fn run(rollouts: Rollouts, place: EnvironmentTask) {
    let mut desk = Desk {
        rollouts,
        meters: Meters::new(&place.environment),
        environment: place.environment,
        states: place.states,
        tended: BTreeMap::new(),
        agenda: Agenda::default(),
        jobs: FuturesUnordered::new(),
        token: None,
        opened: Instant::now(),
        flags: BTreeMap::new(),
    };
    desk.follow();
    loop {
        let due = desk.agenda.next();
        let nap = Instant::now() + NAP;
        tokio::select! {
            changed = desk.states.changed() => if changed.is_err() { return } else { desk.follow() },
            Some(done) = desk.jobs.next(), if !desk.jobs.is_empty() => desk.done(done),
            () = tokio::time::sleep_until(due.map_or(nap, |due| due.min(nap))) => desk.look().await,
        }
    }
}

impl Desk {
    fn wall(&self) -> Timestamp {
        self.rollouts.environments.clock().now()
    }

    /// Takes over what the state says now; what changed for a rollout is looked at at once.
    fn follow(&mut self) {
        let state = Arc::clone(&self.states.borrow_and_update());
        let (wall, now) = (self.wall(), Instant::now());
        let live = |entry: &&Arc<ripcord_proto::table::Entry<Rollout>>| entry.value().is_ok_and(|rollout| !rollout.state.is_final());
        let over: Vec<RolloutId> = self
            .tended
            .keys()
            .filter(|id| moves::entry_of(&state, id).is_none_or(|(_, rollout)| rollout.state.is_final()))
            .cloned()
            .collect();
        for id in over {
            if let Some((_, rollout)) = moves::entry_of(&state, &id) {
                self.meters.ended(rollout.state);
            }
            self.tended.remove(&id);
            self.flags.remove(&id);
            self.agenda.remove(&id);
            self.rollouts.live().remove(&id);
        }
        for entry in state.records.rollouts.iter().filter(live) {
            let id = entry.key();
            let Ok(rollout) = entry.value() else { continue };
            let flag = state.snapshot.flags.get(rollout.plan.flag.as_str()).map(|flag| *flag.digest());
            let seen = (flag, state.snapshot.kills.len());
            let changed_around = self.flags.insert(id.clone(), seen) != Some(seen);
            match self.tended.get_mut(id) {
                Some(tended) if tended.entry.digest() != entry.digest() => tended.follow(entry, wall, now),
                Some(_) if changed_around => {}
                Some(_) => continue,
                None => drop(self.tended.insert(id.clone(), Tended::new(entry, wall, now))),
            }
            self.agenda.no_later(id, now);
        }
        self.meters
            .stand(self.tended.values().filter_map(|tended| Some(tended.entry.value().ok()?.state)));
    }

    /// Looks at all that is due, where this node drives.
    async fn look(&mut self) {
        let now = Instant::now();
        let due = self.agenda.take_due(now);
        if due.is_empty() {
            return;
        }
        self.token = self.rollouts.drivers.hold(&self.environment).await;
        if self.token.is_none() {
            for id in due {
                self.agenda.set(&id, now + ASIDE);
            }
            return;
        }
        // Becoming the driver took a moment, in which the state may have moved on.
        self.follow();
        self.ask_gates(&due, Instant::now());
        for id in &due {
            self.consider(id);
        }
    }

    fn done(&mut self, done: Done) {
        let ids = match done {
            Done::Answered(answer) => self.answered(answer),
            Done::Committed(committed) => self.committed(committed),
        };
        for id in ids {
            self.consider(&id);
        }
    }

    /// Decides what comes next for a rollout, sets about it, and notes when to look again.
    fn consider(&mut self, id: &RolloutId) {
        let (Some(token), Some(tended)) = (self.token, self.tended.get(id)) else {
            return;
        };
        let state = Arc::clone(&self.states.borrow());
        let now = Instant::now();
        // What the record will be once the commit that is under way is seen is for the next look.
        let is_current = moves::entry_of(&state, id).is_some_and(|(entry, _)| entry.digest() == tended.entry.digest());
        if tended.busy || !is_current {
            return self.schedule(id, now);
        }
        let Ok(rollout) = tended.entry.value() else { return };
        if let Some(reason) = tended.back.clone() {
            return self.take_back(token, id, &reason);
        }
        if let Some(stop) = Self::stopped(&state, rollout) {
            return self.abort(id, token, stop);
        }
        let Some(view) = self.view(id, now) else { return };
        let next = decide::next(&view);
        if matches!(next, Next::Pause(_) | Next::TakeBack(_)) {
            self.rollouts.alarms.tell(&self.environment, &view);
        }
        match next {
            Next::Stand(standing) => self.stand(token, id, standing),
            Next::Enter => self.enter(token, id, &state, now),
            Next::Complete => self.complete(token, id),
            Next::Pause(reason) => self.pause(token, id, &reason, now),
            Next::TakeBack(reason) => self.take_back(token, id, &reason),
        }
        self.schedule(id, now);
    }

    fn view(&self, id: &RolloutId, now: Instant) -> Option<View<'_>> {
        let tended = self.tended.get(id)?;
        let rollout = tended.entry.value().ok()?;
        let gates = tended.gates.iter().zip(&rollout.plan.gates).filter_map(|(watch, gate)| {
            let watch = watch.as_ref()?;
            Some(Heard {
                gate,
                reading: watch.reading.as_ref(),
                read_at: watch.read_at,
            })
        });
        let wall = self.wall();
        Some(View {
            rollout,
            now: wall,
            held: tended.held(now),
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
    fn stopped(state: &EnvironmentState, rollout: &Rollout) -> Option<Stop> {
        let key = rollout.plan.flag.as_str();
        if let Some(kill) = state.snapshot.kills_of(key).next() {
            return Some(Stop::Said(says::killed(kill)));
        }
        let Some(entry) = state.snapshot.flags.get(key) else {
            return Some(Stop::Edit(format!("flag {key} was deleted"), state.head.position()));
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
        let rollback = state
            .records
            .rollbacks
            .iter()
            .filter_map(|entry| entry.value().ok())
            .rfind(|other| rolled_back(other));
        Some(match rollback {
            Some(rollback) => Stop::Said(format!(
                "rollback {} by {} put the flag back. It does not start again by itself",
                rollback.id, rollback.by.name
            )),
            None => Stop::Edit(what, entry.changed()),
        })
    }

    /// Notes when to look at a rollout again: when a gate is to be read, the hold is over, or a moment by the wall clock comes.
    fn schedule(&mut self, id: &RolloutId, now: Instant) {
        let Some(tended) = self.tended.get(id) else { return };
        let Ok(rollout) = tended.entry.value() else { return };
        let hold = rollout.plan.hold(rollout.step);
        let held = tended.held(now);
        let unasked = tended.gates.iter().flatten().filter(|watch| !watch.asked);
        let gates = unasked.map(|watch| if watch.is_due(now, held, hold) { now } else { watch.next });
        let over = tended.instant_of(hold).filter(|at| *at > now);
        let wall = self.wall();
        let opens = match window::opening(rollout.plan.window.as_ref(), wall) {
            window::Opening::At(at) => Some(at),
            window::Opening::Open | window::Opening::Unknown => None,
        };
        let starts = rollout.plan.start_at.filter(|_| rollout.step == 0);
        let moments = [opens, starts].into_iter().flatten().filter(|at| *at > wall);
        let by_wall = moments.filter_map(|at| now.checked_add(at.duration_since(wall).unsigned_abs()));
        let next = gates.chain(over).chain(by_wall).min();
        self.agenda.no_later(id, next.unwrap_or(now + NAP).max(now + SOON).min(now + NAP));
    }
}

/// The shortest time between two looks at one rollout: it bounds what a fault in reckoning could cost.
const SOON: Duration = Duration::from_millis(5);

/// What ended a rollout from outside.
enum Stop {
    /// In these words.
    Said(String),
    /// This edit, by whoever committed at that position.
    Edit(String, ripcord_proto::Position),
}
