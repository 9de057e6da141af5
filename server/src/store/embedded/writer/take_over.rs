//! What the writer does with the database: it takes over what the write-ahead log holds, together with whatever the log cannot take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redb::Durability;

use super::{Flush, StoreWriter};
use crate::store::StoreError;
use crate::store::embedded::job::{PendingAnswer, WriteFailure, WriteJob};
use crate::store::embedded::read::failed;
use crate::store::embedded::schema::StoredFormat;
use crate::store::embedded::write_ahead::{self, WriteAheadLog};
use crate::store::embedded::write_batch::WriteBatch;

/// How long a lazy commit may stay unflushed while others follow.
const LAZY: Duration = Duration::from_millis(500);
/// How long after the write-ahead log could not be made it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

impl StoreWriter {
    /// Writes jobs in one transaction, with everything that only the write-ahead log held, and answers them.
    pub(super) fn write_through(&mut self, jobs: VecDeque<WriteJob>) {
        let mut batch = self.batch();
        match self.transact(&mut batch, jobs, self.next_format()) {
            Ok(()) => {
                self.logs = batch.logs;
                if batch.is_dirty && matches!(batch.durability, Durability::Immediate) {
                    self.flushed = Instant::now();
                    self.mark_written(batch.last.as_ref());
                }
                batch.waiting.into_iter().for_each(PendingAnswer::succeed);
            }
            Err(failure) => self.fail(&failure, batch.waiting),
        }
    }

    /// Has the database take over everything, and record the format.
    pub(super) fn take_over(&mut self, format: StoredFormat) -> Result<(), WriteFailure> {
        let mut batch = self.batch();
        batch.is_dirty = true;
        batch.durability = Durability::Immediate;
        self.transact(&mut batch, VecDeque::new(), format)?;
        self.logs = batch.logs;
        Ok(())
    }

    /// Makes the write-ahead log, if this store uses one and it can be made; else commits go to the database one by one.
    pub(super) fn begin_log(&mut self) -> Result<(), WriteFailure> {
        self.write_ahead = None;
        if self.format != StoredFormat::Complete {
            // The file is made anew: what it holds may not be on the disk, if the one before ended with a failure.
            self.take_over(StoredFormat::Complete)?;
        }
        if self.flush == Flush::Lazily {
            // Nothing reads it any more; leaving it does no harm.
            let _ = write_ahead::remove(&self.directory);
            return Ok(());
        }
        self.begun = Instant::now();
        match WriteAheadLog::create(&self.directory) {
            Ok(log) => {
                self.write_ahead = Some(log);
                self.take_over(self.next_format())
            }
            Err(error) => {
                tracing::warn!(%error, "cannot make the write-ahead log; commits take longer without it");
                Ok(())
            }
        }
    }

    /// Makes the write-ahead log if it could not be made some time ago.
    pub(super) fn begin_log_late(&mut self) -> Result<(), WriteFailure> {
        let is_missing = self.flush == Flush::EachCommit && self.write_ahead.is_none() && !self.is_retrying;
        if is_missing && self.begun.elapsed() > TRY_AGAIN {
            self.begin_log()
        } else {
            Ok(())
        }
    }

    /// Ends the use of the write-ahead log: the database has everything, and any version of the program can read it.
    pub(super) fn end_log(&mut self) -> Result<(), StoreError> {
        self.take_over(StoredFormat::Complete).map_err(WriteFailure::error)?;
        self.write_ahead = None;
        write_ahead::remove(&self.directory).map_err(|source| StoreError::File {
            path: self.directory.clone(),
            source,
        })
    }

    fn batch(&self) -> WriteBatch {
        WriteBatch {
            logs: self.logs.clone(),
            waiting: Vec::new(),
            last: None,
            durability: match self.flush {
                Flush::Lazily if self.flushed.elapsed() < LAZY => Durability::None,
                Flush::Lazily | Flush::EachCommit => Durability::Immediate,
            },
            is_dirty: false,
        }
    }

    /// The format after the database has taken over everything.
    pub(super) fn next_format(&self) -> StoredFormat {
        match self.write_ahead {
            Some(_) => StoredFormat::WithLog { lap: rand::random() },
            None => StoredFormat::Complete,
        }
    }

    fn transact(&mut self, batch: &mut WriteBatch, jobs: VecDeque<WriteJob>, format: StoredFormat) -> Result<(), WriteFailure> {
        let view = if self.is_retrying { None } else { self.view.load() };
        let Some(view) = view else {
            batch.waiting.extend(jobs.into_iter().filter_map(WriteJob::waiting));
            return Err(WriteFailure::Before(StoreError::Unavailable("its files cannot be opened again yet".to_owned())));
        };
        let mut transaction = match view.database.begin_write().map_err(failed) {
            Ok(transaction) => transaction,
            Err(error) => {
                batch.waiting.extend(jobs.into_iter().filter_map(WriteJob::waiting));
                return Err(WriteFailure::Before(error));
            }
        };
        let takes_over = format != StoredFormat::Complete || self.format != StoredFormat::Complete;
        let mut outcome = Ok(());
        if takes_over {
            outcome = batch.take_over(&transaction, &view.recent, format);
        }
        for job in jobs {
            // After one failure the whole transaction is given up; the other jobs are only noted.
            if outcome.is_ok() {
                outcome = batch.take(&transaction, job, self.policy);
            } else {
                batch.waiting.extend(job.waiting());
            }
        }
        outcome.map_err(WriteFailure::Before)?;
        if !batch.is_dirty {
            return transaction.abort().map_err(|error| WriteFailure::Before(failed(error)));
        }
        if takes_over {
            batch.durability = Durability::Immediate;
        }
        let set = transaction.set_durability(batch.durability).map_err(failed);
        set.map_err(WriteFailure::Before)?;
        transaction.commit().map_err(|error| WriteFailure::During(failed(error)))?;
        if takes_over {
            self.taken_over(format);
        }
        Ok(())
    }

    fn taken_over(&mut self, format: StoredFormat) {
        self.view.forget_recent();
        self.format = format;
        if let (Some(log), StoredFormat::WithLog { lap }) = (&mut self.write_ahead, format) {
            log.begin(lap);
        }
    }
}
