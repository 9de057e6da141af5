//! Reading a lap of the write-ahead log at the start.

use std::fmt;
use std::io;
use std::path::Path;

use ripcord_proto::Sequence;

use super::batch::{CAPACITY, decode, has_later};
use crate::store::embedded::directory::LOG;
use crate::store::embedded::read::WAY_OUT;
use crate::store::{LogName, StoreError};

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct LoggedEntry {
    pub(in super::super) log: LogName,
    pub(in super::super) sequence: Sequence,
    /// As `StoredEntry` has it.
    pub(in super::super) stored: Vec<u8>,
}

/// Why a file is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LogDamage {
    #[error("it has {0} bytes, not {CAPACITY}")]
    Length(usize),
    /// A batch that is not the last one.
    #[error("batch {number} at byte {place} does not verify, and later ones follow")]
    Batch { number: u64, place: usize },
    #[error("batch {0} names a log that cannot be")]
    Name(u64),
}

/// The entries of a lap, in the order in which they were written. A torn last batch was never answered and is left out; a file that
/// is missing, cut short or damaged elsewhere is refused.
pub(in super::super) fn read(directory: &Path, lap: u64) -> Result<Vec<LoggedEntry>, StoreError> {
    let path = directory.join(LOG);
    let damaged = |why: &dyn fmt::Display| {
        StoreError::Corrupt(format!(
            "{} is damaged or cut short ({why}), and the last commits may be in it; the server did not start. {WAY_OUT}",
            path.display()
        ))
    };
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() != CAPACITY => Err(damaged(&LogDamage::Length(bytes.len()))),
        Ok(bytes) => entries(&bytes, lap).map_err(|damage| damaged(&damage)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged(&"it is missing")),
        Err(source) => Err(StoreError::File { path, source }),
    }
}

/// The entries of a lap in the bytes of the file.
pub(super) fn entries(bytes: &[u8], lap: u64) -> Result<Vec<LoggedEntry>, LogDamage> {
    let (mut rest, mut number, mut found) = (bytes, 0, Vec::new());
    while let Some((entries, behind)) = decode(rest, lap, number) {
        for entry in entries {
            found.push(LoggedEntry {
                log: LogName::parse(entry.log).map_err(|_| LogDamage::Name(number))?,
                sequence: entry.sequence,
                stored: entry.stored.to_vec(),
            });
        }
        number += 1;
        rest = behind;
    }
    if has_later(rest, lap, number) {
        return Err(LogDamage::Batch {
            number,
            place: bytes.len() - rest.len(),
        });
    }
    Ok(found)
}
