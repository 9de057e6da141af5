//! The counters of one log's commits, looked up once.

use std::fmt;
use std::time::Instant;

use metrics::{Counter, Histogram};

use super::error::CommitError;
use super::outcome::Outcome;
use crate::store::LogName;
use crate::telemetry::names;

/// The counters of one log. Cheap to clone.
#[derive(Clone)]
pub(super) struct CommitMetrics {
    seconds: Histogram,
    batch: Histogram,
    append: Histogram,
    committed: Counter,
    unchanged: Counter,
    replayed: Counter,
    proposed: Counter,
    refused: Counter,
    failed: Counter,
}

impl fmt::Debug for CommitMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl CommitMetrics {
    pub(super) fn new(log: &LogName) -> Self {
        let env = log.to_string();
        let outcome = |outcome: &'static str| metrics::counter!(names::COMMITS, "env" => env.clone(), "outcome" => outcome);
        Self {
            seconds: metrics::histogram!(names::COMMIT_SECONDS, "env" => env.clone()),
            batch: metrics::histogram!(names::COMMIT_BATCH, "env" => env.clone()),
            append: metrics::histogram!(names::APPEND_SECONDS),
            committed: outcome("committed"),
            unchanged: outcome("unchanged"),
            replayed: outcome("replayed"),
            proposed: outcome("proposed"),
            refused: outcome("refused"),
            failed: outcome("failed"),
        }
    }

    /// A draft that was submitted at `since` has its answer.
    pub(super) fn answered(&self, since: Instant, answer: &Result<Outcome, CommitError>) {
        let outcome = match answer {
            Ok(Outcome::Replayed { .. }) => &self.replayed,
            Ok(Outcome::Unchanged(_)) => &self.unchanged,
            Ok(Outcome::Proposed(_)) => &self.proposed,
            Ok(Outcome::Written(_)) => {
                self.seconds.record(since.elapsed().as_secs_f64());
                &self.committed
            }
            Err(CommitError::Store(_) | CommitError::Internal(_)) => &self.failed,
            Err(
                CommitError::NotFound(_)
                | CommitError::Conflict(_)
                | CommitError::Guard(_)
                | CommitError::Invalid(_)
                | CommitError::Proposed(_)
                | CommitError::Replayed(_),
            ) => &self.refused,
        };
        outcome.increment(1);
    }

    /// A batch of so many entries became durable, in the time since `since`.
    pub(super) fn appended(&self, entries: usize, since: Instant) {
        self.append.record(since.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        self.batch.record(entries as f64);
    }
}
