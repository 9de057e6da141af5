//! Whether an environment may vouch for its own state: it has soaked, unchanged, for as long as the policy says, nothing is killed,
//! nothing is on its way (a release, a rollout), and no rollback says that it is bad. The evidence is gathered last, by the caller
//! that acts on the answer.

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::checkpoint::{Checkpoint, CheckpointState};
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::snapshot::ContentHash;
use ripcord_proto::{Position, Revision, Sequence};

use crate::commit::state::EnvironmentState;
use crate::store::{LogName, Store, StoreError};

/// Entries that are read first on the way back: the last change is seldom far.
const FIRST_PAGE: u64 = 8;
/// Entries that are read at once, at most.
const LAST_PAGE: u64 = 512;

/// Since when an environment's content is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentAge {
    /// When it became so.
    pub since: Timestamp,
    /// The first revision of it; later ones were pings, or changes and their undoing in one.
    pub first: Position,
}

/// Whether an environment may vouch for its state automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soak {
    /// Not now; look again when the log moves.
    Not(NotDue),
    /// Not before this.
    NotBefore(Timestamp),
    /// Yes, if the probes pass.
    Due {
        /// Seconds without a change.
        seconds: u64,
    },
}

/// Why an environment does not vouch for its state automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDue {
    /// Its policy does not say so.
    NoPolicy,
    /// It is still empty.
    Empty,
    /// Something is killed.
    Killed,
    /// A rollback is under way, or says that service is not restored.
    RolledBack,
    /// A release is open: whether it is good is not decided yet.
    OpenRelease,
    /// A rollout is live: the state is on its way to another one.
    LiveRollout,
    /// Its state is known to be good already.
    KnownGood,
    /// This state has been doubted.
    Doubted,
}

/// Whether `state`, whose content is as `content` says, may be vouched for by its environment at `now`. `provisional` kills lie
/// over it.
pub fn due(state: &EnvironmentState, content: ContentAge, provisional: usize, now: Timestamp) -> Soak {
    let Some(soak) = state.records.policy().vouch_after_seconds else {
        return Soak::Not(NotDue::NoPolicy);
    };
    if state.head.revision == Revision(0) {
        return Soak::Not(NotDue::Empty);
    }
    if !state.snapshot.kills.is_empty() || provisional > 0 {
        return Soak::Not(NotDue::Killed);
    }
    let mut rollbacks = state.records.rollbacks.values();
    if rollbacks.any(|rollback| stands_in_the_way(rollback, content)) {
        return Soak::Not(NotDue::RolledBack);
    }
    if state.records.releases.values().any(|release| release.finished.is_none()) {
        return Soak::Not(NotDue::OpenRelease);
    }
    if state.records.rollouts.values().any(|rollout| !rollout.state.is_final()) {
        return Soak::Not(NotDue::LiveRollout);
    }
    let checkpoints = state.records.checkpoints.values();
    let is_hash = hash_of(state);
    if let Some(why) = judged(checkpoints.filter(|checkpoint| is_hash(&checkpoint.hash)), content) {
        return Soak::Not(why);
    }
    let soaked = now.duration_since(content.since);
    let needed = SignedDuration::from_secs(i64::try_from(soak).unwrap_or(i64::MAX));
    if soaked < needed {
        return Soak::NotBefore(content.since.saturating_add(needed).unwrap_or(Timestamp::MAX));
    }
    Soak::Due {
        seconds: u64::try_from(soaked.as_secs()).unwrap_or_default(),
    }
}

/// Whether a hash is that of `state`, by either definition.
fn hash_of(state: &EnvironmentState) -> impl Fn(&ContentHash) -> bool {
    let (hash, flat) = (state.hash, state.snapshot.flat_hash());
    move |stated| *stated == hash || *stated == flat
}

fn stands_in_the_way(rollback: &Rollback, content: ContentAge) -> bool {
    match rollback.state {
        RollbackState::Committed | RollbackState::Partial => true,
        // What came of it was changed since.
        RollbackState::Failed | RollbackState::Stopped => rollback.position() >= content.first,
        RollbackState::Planned | RollbackState::Confirmed | RollbackState::Undone => false,
    }
}

/// The judgements of this content.
fn judged<'a>(checkpoints: impl Iterator<Item = &'a Checkpoint>, content: ContentAge) -> Option<NotDue> {
    let mut found = None;
    for checkpoint in checkpoints {
        match checkpoint.standing() {
            CheckpointState::Doubted => return Some(NotDue::Doubted),
            CheckpointState::KnownGood if checkpoint.position() >= content.first => found = Some(NotDue::KnownGood),
            CheckpointState::KnownGood | CheckpointState::Unvouched => {}
        }
    }
    found
}

/// When the content last changed. The search ends at `horizon`: content that is older has soaked long enough.
pub async fn content(store: &dyn Store, state: &EnvironmentState, horizon: Timestamp) -> Result<Option<ContentAge>, StoreError> {
    let log = LogName::Environment(state.snapshot.environment.clone());
    let (mut end, mut page) = (state.head.sequence.0, FIRST_PAGE);
    let mut found = None;
    let is_hash = hash_of(state);
    while end > 0 {
        let start = end.saturating_sub(page);
        let entries = store.read(&log, Sequence(start), usize::try_from(end - start).unwrap_or(usize::MAX)).await?;
        for entry in entries.iter().rev() {
            let (Some(position), Some(hash)) = (entry.commit.position(), entry.commit.hash) else {
                continue;
            };
            if !is_hash(&hash) {
                return Ok(found);
            }
            found = Some(ContentAge {
                since: entry.commit.at,
                first: position,
            });
            if entry.commit.at < horizon {
                return Ok(found);
            }
        }
        (end, page) = (start, (page * 8).min(LAST_PAGE));
    }
    Ok(found)
}
