//! The file of a backup, line by line.

use std::io::{Read, Write};

use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::error::BackupError;
use crate::store::state::StoredState;
use crate::store::{Contents, Head, LogName};

/// The format that this version writes and reads.
const FORMAT: u64 = 1;

#[derive(serde::Serialize, serde::Deserialize)]
struct BackupBegin {
    ripcord_backup: u64,
    at: jiff::Timestamp,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum BackupLine {
    Log(String),
    Entry { digest: Digest, body: String },
    State(Box<RawValue>),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct BackupEnd {
    end: Digest,
}

/// Writes lines and digests them.
struct Out<'a, W> {
    out: &'a mut W,
    hasher: Sha256,
}

impl<W: Write> Out<'_, W> {
    fn line(&mut self, line: &impl serde::Serialize) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hasher.update(&text);
        Ok(self.out.write_all(&text)?)
    }
}

pub(super) fn write(at: jiff::Timestamp, logs: &[Contents], out: &mut impl Write) -> Result<(), BackupError> {
    let mut out = Out { out, hasher: Sha256::new() };
    out.line(&BackupBegin { ripcord_backup: FORMAT, at })?;
    for contents in logs {
        out.line(&BackupLine::Log(contents.log.to_string()))?;
        for entry in &contents.entries {
            out.line(&BackupLine::Entry {
                digest: entry.digest,
                body: entry.body.to_string(),
            })?;
        }
        if let Some(state) = &contents.state {
            out.line(&BackupLine::State(RawValue::from_string(state.to_json()?)?))?;
        }
    }
    let end = Digest::from_bytes(out.hasher.clone().finalize().into());
    out.line(&BackupEnd { end })?;
    Ok(out.out.flush()?)
}

/// A backup being read.
struct BackupReader {
    logs: Vec<Contents>,
    head: Head,
}

/// When the backup was taken, and every log in it.
pub(super) fn read(mut from: impl Read) -> Result<(jiff::Timestamp, Vec<Contents>), BackupError> {
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().ok_or(BackupError::NoBackup)?;
    let at = parse_begin(first)?;
    let cut = || BackupError::Cut(text.split_inclusive(|byte| *byte == b'\n').count());
    let last = lines.next_back().ok_or_else(cut)?;
    let BackupEnd { end } = serde_json::from_slice(last).ok().filter(|_| last.ends_with(b"\n")).ok_or_else(cut)?;
    let body = text.len().saturating_sub(last.len());
    if Digest::of(text.get(..body)) != end {
        return Err(BackupError::Damaged {
            what: "its digest does not match its contents".to_owned(),
        });
    }
    let mut reading = BackupReader {
        logs: Vec::new(),
        head: Head::START,
    };
    for (index, line) in lines.enumerate() {
        reading.take(line, index + 2)?;
    }
    Ok((at, reading.logs))
}

fn parse_begin(text: &[u8]) -> Result<jiff::Timestamp, BackupError> {
    let begin: BackupBegin = serde_json::from_slice(text).map_err(|_| BackupError::NoBackup)?;
    if begin.ripcord_backup == FORMAT {
        Ok(begin.at)
    } else {
        Err(BackupError::Version(begin.ripcord_backup))
    }
}

impl BackupReader {
    fn take(&mut self, text: &[u8], number: usize) -> Result<(), BackupError> {
        let damaged = |what: &str| BackupError::Damaged {
            what: format!("line {number}: {what}"),
        };
        let line: BackupLine = serde_json::from_slice(text).map_err(|error| damaged(&error.to_string()))?;
        let (line, contents) = match (line, self.logs.last_mut()) {
            (BackupLine::Log(name), _) => {
                let log = LogName::parse(&name).map_err(|faults| damaged(&faults.to_string()))?;
                self.head = Head::START;
                self.logs.push(Contents {
                    log,
                    entries: Vec::new(),
                    state: None,
                });
                return Ok(());
            }
            (_, None) => return Err(damaged("it does not belong to a log")),
            (line, Some(contents)) => (line, contents),
        };
        match line {
            BackupLine::Entry { digest, body } => {
                let chained = Sealed::open(self.head.sequence.next(), &body, digest, &self.head.chain);
                let entry = chained.map_err(|source| BackupError::Chain {
                    log: contents.log.clone(),
                    source,
                })?;
                self.head = self.head.after(&entry);
                contents.entries.push(entry);
            }
            BackupLine::State(json) => contents.state = Some(StoredState::from_json(json.get()).map_err(|error| damaged(&error.to_string()))?),
            BackupLine::Log(_) => {}
        }
        Ok(())
    }
}
