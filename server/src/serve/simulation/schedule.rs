//! A schedule: what happens, moment by moment, and the rules after each.

use super::rules;
use super::world::{SimulatedWorld, TICK};

/// What people and faults do in one schedule.
const ACTIONS: usize = 40;
/// Moments after the last fault, until which all must agree.
const HEALING: usize = 80;

impl SimulatedWorld {
    /// Runs the schedule; the error is the rule that was broken.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for _ in 0..ACTIONS {
            self.act();
            for _ in 0..=self.dice.below(8) {
                self.moment()?;
            }
        }
        self.heal_all();
        for _ in 0..HEALING {
            self.moment()?;
        }
        let agreed = rules::all_agree(self);
        if agreed.is_err() {
            let nodes = self.nodes.iter().map(|node| (node.state.head.position(), node.store, node.is_behind));
            let nodes: Vec<_> = nodes.collect();
            self.say(format!("Redis is at {}; nodes at {nodes:?}", self.redis.head()));
        }
        agreed
    }

    fn moment(&mut self) -> Result<(), String> {
        self.now += TICK;
        self.tick_all();
        rules::note(self);
        rules::check(self)
    }
}
