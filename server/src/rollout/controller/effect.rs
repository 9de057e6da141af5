//! The effect of a step: how many users get a different variant through it, measured before it is committed.

use std::sync::Arc;

use ripcord_proto::Flag;
use ripcord_proto::table::Entry;

use crate::impact;
use crate::rollout::commits::{MeasuredEffect, ObservedRollout};
use crate::rollout::step;
use crate::snapshot::publication::Served;

/// Simulated users, and how few of them if many rollouts are live.
const USERS: usize = 10_000;
const FEWEST: usize = 1_000;

/// How many users each step is measured with, if so many rollouts are live: steps that are due at once must not wait for each other.
pub(super) fn users(live: usize) -> usize {
    (10 * USERS / live.max(1)).clamp(FEWEST, USERS)
}

/// The members with the effect of their next step. A step whose effect cannot be measured is taken without it.
pub(super) async fn measured(served: Option<Arc<Served>>, members: Vec<ObservedRollout>, users: usize) -> Vec<(ObservedRollout, Option<MeasuredEffect>)> {
    let mut all = Vec::with_capacity(members.len());
    for member in members {
        let effect = match &served {
            Some(served) => of(served, &member, users).await,
            None => None,
        };
        all.push((member, effect));
    }
    all
}

async fn of(served: &Arc<Served>, member: &ObservedRollout, users: usize) -> Option<MeasuredEffect> {
    let rollout = member.entry.value().ok()?;
    let key = &rollout.plan.flag;
    let entry = served.snapshot.flags.get(key.as_str())?;
    let flag: &Flag = entry.value().ok()?;
    let next = step::take(&rollout.plan, rollout.step + 1, flag, rollout.moved.as_ref()).ok()?.flag;
    let mut after = served.snapshot.clone();
    after.flags.insert(Arc::new(Entry::new(key.clone(), next, entry.changed()).ok()?));
    let share = impact::of_flag(Arc::clone(served), after, key.clone(), users).await;
    share
        .inspect_err(|error| tracing::debug!(rollout = %rollout.id, %error, "the effect of a step could not be measured"))
        .ok()
        .map(|share| MeasuredEffect { flag: *entry.digest(), share })
}
