//! The file of a backup, line by line.

use std::io::{BufRead as _, BufReader, Read, Write};

use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{Backup, BackupError};
use crate::store::state::StoredState;
use crate::store::{Contents, Head, LogName};

/// The format that this version writes and reads.
const FORMAT: u64 = 1;

#[derive(serde::Serialize, serde::Deserialize)]
struct Begin {
    ripcord_backup: u64,
    at: jiff::Timestamp,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Log(String),
    Entry { digest: Digest, body: String },
    State(Box<RawValue>),
    End { digest: Digest },
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

pub(super) fn write(backup: &Backup, out: &mut impl Write) -> Result<(), BackupError> {
    let mut out = Out { out, hasher: Sha256::new() };
    out.line(&Begin {
        ripcord_backup: FORMAT,
        at: backup.at,
    })?;
    for contents in &backup.logs {
        out.line(&Line::Log(contents.log.to_string()))?;
        for entry in &contents.entries {
            out.line(&Line::Entry {
                digest: entry.digest,
                body: entry.body.to_string(),
            })?;
        }
        if let Some(state) = &contents.state {
            out.line(&Line::State(RawValue::from_string(state.to_json()?)?))?;
        }
    }
    let digest = Digest::from_bytes(out.hasher.clone().finalize().into());
    out.line(&Line::End { digest })?;
    Ok(out.out.flush()?)
}

/// A backup being read.
struct Reading {
    logs: Vec<Contents>,
    head: Head,
}

pub(super) fn read(from: impl Read) -> Result<Backup, BackupError> {
    let mut lines = BufReader::new(from);
    let (mut hasher, mut text, mut number) = (Sha256::new(), Vec::new(), 0);
    let mut begin = None;
    let mut reading = Reading {
        logs: Vec::new(),
        head: Head::START,
    };
    loop {
        text.clear();
        lines.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            return Err(if begin.is_none() { BackupError::NoBackup } else { BackupError::Cut(number) });
        }
        number += 1;
        let Some(at) = begin else {
            begin = Some(parse_begin(&text)?);
            hasher.update(&text);
            continue;
        };
        let damaged = |what: String| BackupError::Damaged { what };
        match serde_json::from_slice(&text).map_err(|error| damaged(format!("line {number}: {error}")))? {
            Line::End { digest } => {
                if Digest::from_bytes(hasher.finalize().into()) != digest {
                    return Err(damaged("its digest is not the one that it states".to_owned()));
                }
                return Ok(Backup { at, logs: reading.logs });
            }
            line => reading.take(line).map_err(|error| match error {
                BackupError::Damaged { what } => damaged(format!("line {number}: {what}")),
                other => other,
            })?,
        }
        hasher.update(&text);
    }
}

fn parse_begin(text: &[u8]) -> Result<jiff::Timestamp, BackupError> {
    let begin: Begin = serde_json::from_slice(text).map_err(|_| BackupError::NoBackup)?;
    if begin.ripcord_backup == FORMAT {
        Ok(begin.at)
    } else {
        Err(BackupError::Version(begin.ripcord_backup))
    }
}

impl Reading {
    fn take(&mut self, line: Line) -> Result<(), BackupError> {
        let damaged = |what: String| BackupError::Damaged { what };
        if let Line::Log(name) = &line {
            let log = LogName::parse(name).map_err(|faults| damaged(faults.to_string()))?;
            self.head = Head::START;
            self.logs.push(Contents {
                log,
                entries: Vec::new(),
                state: None,
            });
            return Ok(());
        }
        let contents = self.logs.last_mut().ok_or_else(|| damaged("it belongs to no log".to_owned()))?;
        match line {
            Line::Entry { digest, body } => {
                let chained = Sealed::open(self.head.sequence.next(), &body, digest, &self.head.chain);
                let entry = chained.map_err(|source| BackupError::Chain {
                    log: contents.log.clone(),
                    source,
                })?;
                self.head = self.head.after(&entry);
                contents.entries.push(entry);
            }
            Line::State(json) => {
                let state = StoredState::from_json(json.get()).map_err(|error| damaged(error.to_string()))?;
                contents.state = Some(state);
            }
            Line::Log(_) | Line::End { .. } => {}
        }
        Ok(())
    }
}
