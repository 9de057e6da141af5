//! What a caller may have meant if there is nothing to roll back: older known-good checkpoints and open releases.

use ripcord_proto::ReleaseName;
use ripcord_proto::checkpoint::{Checkpoint, CheckpointState};
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::environments::KnownGood;
use ripcord_proto::text::{command, listed};

use crate::checkpoint;
use crate::commit::state::EnvironmentState;

/// Most checkpoints and releases that are named.
const NAMED: usize = 5;

/// Other states to go back to.
#[derive(Debug)]
pub struct Alternatives {
    /// Whether the target has the same content as the present state.
    is_present: bool,
    known_good: Vec<KnownGood>,
    releases: Vec<ReleaseName>,
    commands: Vec<String>,
}

impl Alternatives {
    /// What else there is, if the target is the state with the hash `target`.
    pub(super) fn of(state: &EnvironmentState, target: &Digest) -> Self {
        let checkpoints = state.records.checkpoints.values();
        let is_other = |checkpoint: &&Checkpoint| checkpoint.standing() == CheckpointState::KnownGood && !state.snapshot.has_hash(&checkpoint.hash);
        let mut good: Vec<&Checkpoint> = checkpoints.filter(is_other).collect();
        good.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.position()));
        let open = state.records.releases.values().filter(|release| release.finished.is_none());
        let releases: Vec<ReleaseName> = open.map(|release| release.name.clone()).take(NAMED).collect();
        let environment = &state.snapshot.environment;
        Self {
            is_present: *target == state.hash,
            known_good: good.into_iter().take(NAMED).filter_map(checkpoint::known_good).collect(),
            commands: releases
                .iter()
                .map(|release| format!("`{}`", command(&format!("rollback --release {release}"), environment)))
                .collect(),
            releases,
        }
    }

    /// In words; empty if there is nothing to say.
    pub(super) fn describe(&self) -> String {
        let present = self.is_present.then(|| " The target is the present state.".to_owned());
        let good = (!self.known_good.is_empty()).then(|| {
            let named = self
                .known_good
                .iter()
                .map(|good| format!("{} ({}:{})", good.checkpoint, good.epoch, good.revision));
            format!(" Older known-good checkpoints: {}.", listed(named, NAMED))
        });
        let releases = (!self.commands.is_empty()).then(|| format!(" Open releases can be rolled back with {}.", listed(&self.commands, NAMED)));
        present.into_iter().chain(good).chain(releases).collect()
    }

    /// Adds them to the refusal.
    pub fn add_to(&self, mut problem: Problem) -> Problem {
        problem.detail.push_str(&self.describe());
        let list = |value: Result<serde_json::Value, serde_json::Error>| value.unwrap_or_default();
        problem
            .with("target_is_present_state", self.is_present)
            .with("known_good", list(serde_json::to_value(&self.known_good)))
            .with("open_releases", list(serde_json::to_value(&self.releases)))
    }
}
