//! The end of a drill: follows the rollback until it ends, then checks everything once more.

use std::time::{Duration, Instant};

use ripcord_proto::Flag;
use ripcord_proto::rollback::{Rollback, RollbackState};

use super::{PAUSE, Runner, until};
use crate::drill::editors::Edit;
use crate::drill::observations::Observations;
use crate::drill::verdicts::first_sentence;
use crate::exit::Failure;

/// How long after its deadline a rollback may take to reach a final state.
const SLACK: Duration = Duration::from_secs(15);
/// How long applications may take to recover after the last kill was lifted.
const SETTLE: Duration = Duration::from_secs(10);

impl Runner<'_> {
    /// Follows the rollback until it reaches a final state.
    pub(super) async fn follow(&mut self) -> Result<(), Failure> {
        let Some(id) = self.observations.rollback.as_ref().map(|rollback| rollback.id.clone()) else {
            return Ok(());
        };
        let patience = self.spec.confirm_within() + self.spec.ladder() + SLACK;
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(rollback) = self.actors.rollback(&id).await {
                let stands = ends(rollback.state);
                self.observations.rollback = Some(rollback);
                if stands {
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        if let Some(rollback) = &self.observations.rollback {
            self.progress
                .done(&format!("the rollback is {}. {}", rollback.state.as_str(), first_sentence(&rollback.message)));
        }
        for kill in std::mem::take(&mut self.kills) {
            self.actors.restore(&kill).await?;
        }
        Ok(())
    }

    /// Records the final state of everything.
    pub(super) async fn look(mut self) -> Result<Observations, Failure> {
        if self.observations.stopped.is_none() && until(SETTLE, || self.traffic.all_good()).await.is_some() {
            self.progress.done("every application is back at known-good");
        }
        self.traffic.end();
        self.observations.not_good = self.applications.not_good(&self.expected);
        self.observations.views = self.traffic.views();
        self.observations.evaluations = self.traffic.counts();
        self.observations.asked = self.probe.asked();
        self.look_at_edits().await?;
        if let Some(outage) = &mut self.observations.outage {
            outage.rollbacks = self.actors.rollbacks().await?;
        }
        self.applications.close().await;
        Ok(self.observations)
    }

    /// Whether every acknowledged edit is in the log, and every flag is as its last change left it.
    async fn look_at_edits(&mut self) -> Result<(), Failure> {
        let Some(observations) = &mut self.observations.edits else { return Ok(()) };
        let log = self.actors.log().await?;
        let in_log = |edit: &Edit| {
            let mut entries = log
                .iter()
                .filter(|entry| entry.revision == Some(edit.at.revision) && entry.epoch == edit.at.epoch);
            entries.any(|entry| entry.reason.as_deref() == Some(edit.words.as_str()))
        };
        observations.lost = observations.edits.iter().filter(|edit| !in_log(edit)).cloned().collect();
        let Some(rolled_back) = self.observations.rollback.as_ref().map(Rollback::position) else {
            return Ok(());
        };
        let snapshot = self.actors.snapshot().await?;
        for (key, before) in self.spec.fork.flags() {
            let now: Option<&Flag> = snapshot.flags.value(key.as_str());
            let last = observations.edits.iter().rfind(|edit| edit.flag == *key && edit.at > rolled_back);
            let wanted = last.map_or(before.description.as_deref(), |edit| Some(edit.words.as_str()));
            if now.and_then(|flag| flag.description.as_deref()) != wanted {
                observations.wrong.push(key.to_string());
            }
        }
        Ok(())
    }
}

/// Whether a rollback has reached a final state.
const fn ends(state: RollbackState) -> bool {
    match state {
        RollbackState::Planned | RollbackState::Committed => false,
        RollbackState::Confirmed | RollbackState::Partial | RollbackState::Failed | RollbackState::Stopped | RollbackState::Undone => true,
    }
}
