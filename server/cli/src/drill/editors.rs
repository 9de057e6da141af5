//! Editors that change flags while a rollback commits: none of their acknowledged edits may be lost.

use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::{FlagKey, Position};
use tokio_util::sync::CancellationToken;

use super::actors::Actors;
use crate::exit::Failure;
use crate::tasks::TaskSet;

/// An acknowledged edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) flag: FlagKey,
    /// The flag's new description.
    pub(super) words: String,
    /// The position that the edit made.
    pub(super) at: Position,
}

/// Running editors.
#[derive(Debug)]
pub(super) struct Editors {
    tasks: TaskSet,
    seen: Arc<Mutex<EditLog>>,
}

#[derive(Debug, Default)]
struct EditLog {
    edits: Vec<Edit>,
    failure: Option<Failure>,
}

impl Editors {
    /// Starts the editors; each edits the flags in turn.
    pub(super) fn begin(actors: &Arc<Actors>, flags: &[FlagKey], writers: u64) -> Self {
        let editors = Self {
            tasks: TaskSet::default(),
            seen: Arc::default(),
        };
        for writer in 1..=writers {
            let (actors, seen, stop) = (Arc::clone(actors), Arc::clone(&editors.seen), editors.tasks.stop_token());
            let flags = flags.to_vec();
            editors.tasks.spawn(async move {
                if let Err(failure) = edit(&actors, &flags, writer, &seen, &stop).await {
                    seen.lock().failure = Some(failure);
                }
            });
        }
        editors
    }

    /// The number of acknowledged edits.
    pub(super) fn count(&self) -> usize {
        self.seen.lock().edits.len()
    }

    /// Stops each after its current edit. Returns the acknowledged edits in the order of the log.
    pub(super) async fn end(self) -> Result<Vec<Edit>, Failure> {
        self.tasks.end().await;
        let seen = std::mem::take(&mut *self.seen.lock());
        if let Some(failure) = seen.failure {
            return Err(failure);
        }
        let mut edits = seen.edits;
        edits.sort_by_key(|edit| edit.at);
        Ok(edits)
    }
}

async fn edit(actors: &Actors, flags: &[FlagKey], writer: u64, seen: &Mutex<EditLog>, stop: &CancellationToken) -> Result<(), Failure> {
    for (number, flag) in flags.iter().cycle().enumerate() {
        if stop.is_cancelled() {
            break;
        }
        let words = format!("edit {number} of editor {writer}");
        if let Some(at) = actors.describe(flag, &words).await? {
            let flag = flag.clone();
            seen.lock().edits.push(Edit { flag, words, at });
        }
    }
    Ok(())
}
