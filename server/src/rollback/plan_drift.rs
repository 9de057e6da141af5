//! What has changed since a plan. The hash alone does not tell: the state that the plan was made on is searched commit by commit,
//! back from now, and the changes after it are listed.

use ripcord_proto::EnvironmentKey;
use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::record::{Record, RecordKey};
use ripcord_proto::rollout::Rollout;
use ripcord_proto::table::Entity as _;
use ripcord_proto::text::counted_len;

use super::error::PrepareError;
use super::prepare::{PreparedRollback, prepare};
use super::spec::RollbackSpec;
use crate::audit;
use crate::commit::Author;
use crate::commit::state::EnvironmentState;
use crate::commit::traits::LogState as _;
use crate::environment::Environments;
use crate::store::LogName;

/// Commits that are looked back over, at most.
const LOOK_BACK: usize = 64;
/// Most commits that are listed.
const LISTED: usize = 5;

/// What has changed since the plan of hash `expected`, as the middle of a sentence; `None` if even the log cannot be read.
pub(super) async fn describe(
    environments: &Environments,
    environment: &EnvironmentKey,
    author: &Author,
    spec: &RollbackSpec,
    expected: Digest,
) -> Option<String> {
    let found = search(environments, environment, author, spec, expected).await;
    found
        .inspect_err(|error| tracing::warn!(%error, env = %environment, "cannot find out what changed since the plan"))
        .ok()
}

async fn search(
    environments: &Environments,
    environment: &EnvironmentKey,
    author: &Author,
    spec: &RollbackSpec,
    expected: Digest,
) -> Result<String, PrepareError> {
    let log = LogName::Environment(environment.clone());
    let prepared = prepare(environments, environment, author, spec).await?;
    let mut kept = prepared.state.records.rollbacks.values();
    if let Some(done) = kept.find(|rollback| rollback.plan == expected) {
        return Ok(format!(
            "this plan was already carried out as rollback {} (revision {}). Its status: `ripcord rollback show {}`",
            done.id, done.revision, done.id
        ));
    }
    let head = prepared.state.head.sequence;
    let listed = audit::newest_first(&**environments.store(), &log, head.next(), LOOK_BACK, is_seen_by_plans).await?;
    let mut entries = listed.entries;
    entries.reverse();
    // The state is built from the oldest commit that has a position.
    entries.drain(..entries.iter().take_while(|entry| entry.commit.revision.is_none()).count());
    if let Some(oldest) = entries.first().and_then(|entry| entry.commit.position())
        && let Some(mut state) = environments.state_at(environment, oldest).await?
    {
        let mut held_at = None;
        for (place, entry) in entries.iter().enumerate() {
            if place > 0 {
                state = state.after(entry);
            }
            if held(&prepared, &state, expected) {
                held_at = Some(place);
            }
        }
        if let Some(moved) = held_at.and_then(|place| entries.get(place + 1..)).filter(|moved| !moved.is_empty()) {
            return Ok(since(moved));
        }
    }
    Ok(format!(
        "the plan does not match this request at any of the last {LOOK_BACK} commits of {environment}; it is older, or for a different environment, target or scope"
    ))
}

/// Whether a plan of a rollback may differ after the commit: it changes what flags answer, or which rollouts are live.
fn is_seen_by_plans(entry: &Sealed) -> bool {
    let is_rollout = |change: &Change| matches!(change, Change::PutRecord(Record::Rollout(_)) | Change::DeleteRecord(RecordKey::Rollout(_)));
    entry.commit.revision.is_some() || entry.commit.changes.iter().any(is_rollout)
}

/// Whether the plan was that of `state`.
fn held(prepared: &PreparedRollback, state: &EnvironmentState, expected: Digest) -> bool {
    prepared.reversal.preview(state).is_ok_and(|preview| preview.hash == expected)
}

fn since(entries: &[Sealed]) -> String {
    let described: Vec<String> = entries.iter().take(LISTED).map(one).collect();
    let more = entries.len().saturating_sub(LISTED);
    let more = if more > 0 {
        format!(" (and {})", counted_len(more, "more commit", "more commits"))
    } else {
        String::new()
    };
    format!("since the plan was made, {}{more}", described.join("; "))
}

fn one(entry: &Sealed) -> String {
    let commit = &entry.commit;
    let log = LogName::System;
    let things: Vec<String> = audit::summary(&log, entry)
        .changes
        .into_iter()
        .filter(|change| change.change != "put_record" || change.record.as_deref() == Some(Rollout::KIND))
        .take(LISTED)
        .map(|change| {
            if change.subject.is_empty() {
                change.change
            } else {
                format!("{} {}", change.change.trim_end_matches("_record").replace('_', " "), change.subject)
            }
        })
        .collect();
    let revision = commit.revision.map(|revision| format!("revision {revision} by ")).unwrap_or_default();
    format!("{revision}{} ({})", commit.actor.name, things.join(", "))
}
