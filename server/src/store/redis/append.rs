//! One append to Redis: the script, what this node and its mirror learn from the answer, and what an unanswered one came to.

use std::sync::Arc;

use ripcord_proto::change::Change;
use tokio::sync::oneshot;

use super::node::RedisNode;
use super::{keys, query};
use crate::store::{Append, AppendError, Head, LogName};

/// Appends, and sends the outcome to `answer`. It finishes even if the caller has gone.
pub(super) async fn run(node: Arc<RedisNode>, append: Append, answer: oneshot::Sender<Result<(), AppendError>>) {
    clear_for_new(&node, &append).await;
    node.log_heads.begin(&append);
    let outcome = match query::append(&node.connector, &node.scripts.append, &append).await {
        // The feed has brought it, so it is written even though the answer was lost.
        Err(AppendError::Unknown(_)) if node.log_heads.ended(&append) => Ok(()),
        Err(AppendError::Moved { actual }) => Err(refused(&node, &append, actual)),
        outcome => outcome,
    };
    match &outcome {
        Ok(()) => {
            let ended = node.log_heads.written(&append);
            node.mirror.offer(&append.log, append.entries.clone());
            for ended in ended {
                node.lose(ended).await;
            }
        }
        Err(error) => {
            node.log_heads.ended(&append);
            if matches!(error, AppendError::Unavailable(_)) {
                node.suspicion.notify_one();
            }
        }
    }
    let is_written = outcome.is_ok();
    if answer.send(outcome).is_err() && is_written {
        node.tell_entries(&append.log, append.entries).await;
    }
}

/// Removes what an earlier environment has left under the name of one that `append` creates.
async fn clear_for_new(node: &RedisNode, append: &Append) {
    // A store without a system log is damaged: nothing in it may be deleted.
    if append.log != LogName::System || append.expected == Head::START {
        return;
    }
    let Ok(live) = node.connector.connection() else { return };
    for change in append.entries.iter().flat_map(|entry| &entry.commit.changes) {
        let Change::PutEnvironment(record) = change else { continue };
        let log = LogName::Environment(record.key.clone());
        if node.log_heads.tracks(&log) {
            continue;
        }
        // In this order: while the system log has not moved, the environment does not exist, so whatever was read is left over.
        let left = query::heads(&live, [&log, &LogName::System]).await;
        if let Ok([left, system]) = left.as_deref()
            && !left.is_empty()
            && *system == keys::head_text(append.expected)
            && let Err(error) = query::remove(&live, &node.scripts.remove, &log, left).await
        {
            tracing::info!(%log, %error, "cannot remove the log that an earlier environment left");
        }
    }
}

/// A log that ends before the head that this node knows has not moved: it was lost.
fn refused(node: &RedisNode, append: &Append, actual: Head) -> AppendError {
    node.suspicion.notify_one();
    let known = node.log_heads.head(&append.log);
    if actual.epoch <= known.epoch && actual.sequence < known.sequence {
        return AppendError::Reseeding;
    }
    AppendError::Moved { actual }
}
