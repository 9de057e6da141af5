//! The write-ahead log: a commit is one sequential write to it and one fdatasync; the database takes the entries over later, many at
//! once.
//!
//! The file has its full size from the start and is filled with zeros. A write replaces bytes that are there, so the file system has
//! no new size and no new block to record, which is what makes an append cost more than the write itself.
//!
//! What was gathered is one batch with one digest, and the next batch is written after the one before is durable. So only the last
//! batch can be torn, and then it was never answered. A batch that does not verify although a later one follows is damage, and the
//! start is refused.
//!
//! Each time the database has taken everything over, a new *lap* begins at the start of the file. A lap is a random number that the
//! database records in the same transaction; batches of other laps are leftovers. While the store is closed there is no such file.

mod batch;
mod replay;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

pub(super) use self::batch::BatchEncoder;
use self::batch::CAPACITY;
pub(super) use self::replay::{LoggedEntry, read};
use super::directory::LOG;
use super::job::WriteFailure;
use crate::store::StoreError;

/// The open file, ready for the next batch.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    path: PathBuf,
    file: File,
    lap: u64,
    /// The next batch's number within the lap.
    number: u64,
    /// Where the next batch begins.
    end: usize,
}

impl WriteAheadLog {
    /// Makes the file anew, on the disk and with all of its bytes. A lap must begin before the first batch.
    pub(super) fn create(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(LOG);
        let made = remove(directory).and_then(|()| {
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            let zeros = vec![0; 64 * 1024];
            for _ in 0..CAPACITY / zeros.len() {
                file.write_all(&zeros)?;
            }
            file.sync_all()?;
            File::open(directory)?.sync_all()?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Self {
                path,
                file,
                lap: 0,
                number: 0,
                end: 0,
            }),
            Err(source) => {
                // A part of it would only take up space on a disk that may be full.
                let _ = remove(directory);
                Err(StoreError::File { path, source })
            }
        }
    }

    /// Begins a lap: everything that was written is in the database.
    pub(super) const fn begin(&mut self, lap: u64) {
        self.lap = lap;
        self.number = 0;
        self.end = 0;
    }

    /// Whether a batch of so many bytes fits behind the others of this lap.
    pub(super) const fn fits(&self, bytes: usize) -> bool {
        bytes <= CAPACITY - self.end
    }

    /// Writes a batch that fits; it is durable afterwards. After a failure the file must not be used any more.
    pub(super) fn append(&mut self, batch: BatchEncoder) -> Result<(), WriteFailure> {
        let bytes = batch.seal(self.lap, self.number);
        let failed = |source| StoreError::File {
            path: self.path.clone(),
            source,
        };
        // A batch of which a part is missing does not verify.
        let written = self.file.write_all_at(&bytes, self.end as u64);
        written.map_err(|source| WriteFailure::Before(failed(source)))?;
        self.file.sync_data().map_err(|source| WriteFailure::During(failed(source)))?;
        self.number += 1;
        self.end += bytes.len();
        Ok(())
    }
}

/// Removes the file, if there is one.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    match std::fs::remove_file(directory.join(LOG)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
