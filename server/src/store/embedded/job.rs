//! Requests to the writer, and its answers.

use tokio::sync::oneshot;

use crate::store::{Append, AppendError, Contents, Head, LogName, StoreError};

pub(super) type JobAnswer<E> = oneshot::Sender<Result<(), E>>;

#[derive(Debug)]
pub(super) enum WriteJob {
    Append(Append, JobAnswer<AppendError>),
    KeepState {
        log: LogName,
        head: Head,
        bytes: Vec<u8>,
        answer: JobAnswer<StoreError>,
    },
    Install(Vec<Contents>, JobAnswer<StoreError>),
    Drop(LogName, JobAnswer<StoreError>),
    Flush(JobAnswer<StoreError>),
    /// After a failure: opens the files again.
    Reopen,
}

/// A caller that is answered once the write is on disk.
pub(super) enum PendingAnswer {
    Append(JobAnswer<AppendError>, Result<(), AppendError>),
    Other(JobAnswer<StoreError>),
}

/// How a write failed.
pub(super) enum WriteFailure {
    /// Nothing was written.
    Before(StoreError),
    /// It may have been written.
    During(StoreError),
}

impl WriteFailure {
    pub(super) fn error(self) -> StoreError {
        match self {
            Self::Before(error) | Self::During(error) => error,
        }
    }
}

impl WriteJob {
    /// Whether the write-ahead log can take it: an append that ends no other log, or nothing but a flush.
    pub(super) fn is_for_the_log(&self) -> bool {
        match self {
            Self::Append(append, _) => append.ended_logs().next().is_none(),
            Self::Flush(_) => true,
            Self::KeepState { .. } | Self::Install(..) | Self::Drop(..) | Self::Reopen => false,
        }
    }

    pub(super) fn waiting(self) -> Option<PendingAnswer> {
        match self {
            Self::Append(_, answer) => Some(PendingAnswer::Append(answer, Ok(()))),
            Self::KeepState { answer, .. } | Self::Install(_, answer) | Self::Drop(_, answer) | Self::Flush(answer) => Some(PendingAnswer::Other(answer)),
            Self::Reopen => None,
        }
    }
}

impl PendingAnswer {
    // A caller that has gone gets no answer.
    pub(super) fn succeed(self) {
        match self {
            Self::Append(answer, verdict) => _ = answer.send(verdict),
            Self::Other(answer) => _ = answer.send(Ok(())),
        }
    }

    pub(super) fn fail(self, failure: &WriteFailure) {
        let (WriteFailure::Before(error) | WriteFailure::During(error)) = failure;
        let why = error.to_string();
        match self {
            Self::Append(answer, Err(refused)) => _ = answer.send(Err(refused)),
            Self::Append(answer, Ok(())) => {
                _ = answer.send(Err(match failure {
                    WriteFailure::Before(_) => AppendError::Unavailable(why),
                    WriteFailure::During(_) => AppendError::Unknown(why),
                }));
            }
            Self::Other(answer) => _ = answer.send(Err(StoreError::Unavailable(why))),
        }
    }
}
