//! Appends on the write-ahead log: what has gathered is verified against the heads in memory, written as one batch, and answered.

use std::collections::{BTreeMap, VecDeque};

use super::StoreWriter;
use crate::store::embedded::job::{PendingAnswer, WriteJob};
use crate::store::embedded::logs::{KnownLog, Logs};
use crate::store::embedded::recent::RecentEntry;
use crate::store::embedded::schema::StoredEntry;
use crate::store::embedded::write_ahead::BatchEncoder;
use crate::store::{Append, AppendError, LogName};

/// Appends that were admitted and not written yet.
struct StagedAppends {
    batch: BatchEncoder,
    entries: Vec<RecentEntry>,
    /// The ends of the logs with these entries.
    ends: BTreeMap<LogName, KnownLog>,
    next_id: u32,
    last: Option<LogName>,
}

impl StagedAppends {
    fn after(logs: &Logs) -> Self {
        Self {
            batch: BatchEncoder::new(),
            entries: Vec::new(),
            ends: BTreeMap::new(),
            next_id: logs.next_id,
            last: None,
        }
    }

    /// Admits an append if it follows what the log has, and what was staged before it.
    fn add(&mut self, logs: &Logs, append: &Append) -> Result<(), AppendError> {
        let known = self.ends.get(&append.log).or_else(|| logs.by_name.get(&append.log)).copied();
        let known = known.unwrap_or_else(|| KnownLog::new(self.next_id));
        if known.head != append.expected {
            return Err(AppendError::Moved { actual: known.head });
        }
        self.next_id = self.next_id.max(known.id.saturating_add(1));
        let mut head = append.expected;
        for entry in &append.entries {
            head = head.after(entry);
            let stored = StoredEntry::write(entry, head.revision);
            self.batch.push(&append.log, head.sequence, &stored);
            self.entries.push(RecentEntry {
                log: append.log.clone(),
                id: known.id,
                sequence: head.sequence,
                bytes: stored.into(),
            });
        }
        self.ends.insert(append.log.clone(), KnownLog { head, ..known });
        self.last = Some(append.log.clone());
        Ok(())
    }
}

impl StoreWriter {
    /// Writes jobs to the write-ahead log and answers them. Returns them if it is not there, has no space or does not take them.
    pub(super) fn append(&mut self, jobs: VecDeque<WriteJob>) -> VecDeque<WriteJob> {
        let Some(write_ahead) = &mut self.write_ahead else { return jobs };
        if !jobs.iter().all(WriteJob::is_for_the_log) {
            return jobs;
        }
        let mut staged = StagedAppends::after(&self.logs);
        let verdicts: Vec<_> = jobs
            .iter()
            .map(|job| match job {
                WriteJob::Append(append, _) => staged.add(&self.logs, append),
                WriteJob::KeepState { .. } | WriteJob::Install(..) | WriteJob::Drop(..) | WriteJob::Flush(_) | WriteJob::Reopen => Ok(()),
            })
            .collect();
        if !write_ahead.fits(staged.batch.len()) {
            return jobs;
        }
        let StagedAppends {
            batch,
            entries,
            ends,
            next_id,
            last,
        } = staged;
        let answers = jobs.into_iter().zip(verdicts).filter_map(|(job, verdict)| match job.waiting()? {
            PendingAnswer::Append(answer, _) => Some(PendingAnswer::Append(answer, verdict)),
            other @ PendingAnswer::Other(_) => Some(other),
        });
        let answers: Vec<_> = answers.collect();
        if !batch.is_empty() {
            if let Err(failure) = write_ahead.append(batch) {
                self.fail(&failure, answers);
                return VecDeque::new();
            }
            for (log, known) in &ends {
                self.logs.set(log, *known);
            }
            self.logs.next_id = next_id;
            self.view.show(entries);
            self.mark_written(last.as_ref());
        }
        answers.into_iter().for_each(PendingAnswer::succeed);
        VecDeque::new()
    }
}
