//! Verifies that a log is complete: every entry's digest follows from the one before and its own bytes, from the first on.

use std::time::Duration;

use ripcord_proto::Sequence;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::log::LogReport;

use super::read::PAGE;
use crate::store::{CopyReport, LogName, Store};

/// How often, and how far apart, a log that seems to end early is read again: a node on Redis reads its mirror, which learns of
/// an entry a moment after memory does.
const ATTEMPTS: u32 = 20;
const APART: Duration = Duration::from_millis(100);

/// Verifies a log entry by entry, and the store's copy of it if this node has one of its own. `head` is its last entry according to
/// memory, so that a truncated log is noticed.
pub async fn verify(store: &dyn Store, log: &LogName, head: Sequence) -> LogReport {
    let mut report = verify_own(store, log, head).await;
    match store.compare(log).await {
        Ok(Some(CopyReport {
            damaged: Some(sequence),
            mended,
        })) => {
            report.damaged_in_store = Some(sequence);
            report.mended = mended;
            if !mended {
                let fault = format!("entry {sequence} is missing or different in the store, and this node cannot write it again now");
                report.fault.get_or_insert(fault);
            }
        }
        Ok(Some(CopyReport { damaged: None, .. }) | None) => {}
        Err(error) => {
            report.not_compared = Some(format!("only this node's copy was verified: {error}"));
        }
    }
    report
}

async fn verify_own(store: &dyn Store, log: &LogName, head: Sequence) -> LogReport {
    let mut report = LogReport {
        log: log.to_string(),
        entries: 0,
        head: Digest::ZERO,
        fault: None,
        damaged_in_store: None,
        mended: false,
        not_compared: None,
    };
    let mut attempts = 0;
    loop {
        match store.read(log, Sequence(report.entries), PAGE).await {
            Ok(page) if page.is_empty() && report.entries < head.0 && attempts < ATTEMPTS => {
                attempts += 1;
                tokio::time::sleep(APART).await;
            }
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                for entry in page {
                    let expected = Sequence(report.entries + 1);
                    let computed = Digest::of([report.head.bytes().as_slice(), entry.body.as_bytes()]);
                    if entry.commit.sequence != expected || computed != entry.digest {
                        let found = entry.commit.sequence;
                        report.fault = Some(format!(
                            "entry {expected} does not follow the entry before it: found entry {found} with digest {}, but its contents give {computed}",
                            entry.digest
                        ));
                        return report;
                    }
                    report.entries = expected.0;
                    report.head = entry.digest;
                }
            }
            Err(error) => {
                report.fault = Some(error.to_string());
                return report;
            }
        }
    }
    if report.entries < head.0 {
        report.fault = Some(format!(
            "the log ends after entry {}, but this node has already seen entry {head}",
            report.entries
        ));
    }
    report
}
