//! Opening the files again after a write failed: the disk was full, or was away for a moment. redb takes no writes after an error, and
//! what the system says it has of a file after a failed fdatasync need not be on the disk. So everything is closed and opened again,
//! with every check of a start, and all that is found in the write-ahead log is written to the database before anything else.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadableTable as _};

use super::open::{self, Opened};
use super::read::failed;
use super::schema::{META, NEXT_LOG};
use super::view::{SharedView, StoreView};
use crate::store::StoreError;

/// How long after a failure the file is opened again.
pub(super) const RETRY: Duration = Duration::from_millis(500);
/// How long readers may take to finish.
const READERS: Duration = Duration::from_secs(5);
/// The file that shows whether the disk takes anything, and how much is written to it.
const PROBE: (&str, usize) = ("ripcord.probe", 64 * 1024);

/// Opens the store of `directory` again. Until the caller shows what was opened, `shared` may be empty.
pub(super) fn reopen(directory: &Path, shared: &SharedView) -> Result<Opened, StoreError> {
    // What is open can still be read: it is given up only if the disk takes writes.
    probe(directory)?;
    close(shared)?;
    let opened = open::open(directory)?;
    prove_writable(&opened.view.database)?;
    Ok(opened)
}

fn probe(directory: &Path) -> Result<(), StoreError> {
    let (name, bytes) = PROBE;
    let path = directory.join(name);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; bytes])?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed).map_err(|source| StoreError::File { path, source })
}

fn close(shared: &SharedView) -> Result<(), StoreError> {
    let Some(StoreView { mut database, recent }) = shared.take() else {
        return Ok(());
    };
    let begun = Instant::now();
    loop {
        match Arc::try_unwrap(database) {
            Ok(_closed) => return Ok(()),
            Err(in_use) if begun.elapsed() > READERS => {
                shared.put(StoreView { database: in_use, recent });
                return Err(StoreError::Unavailable("it is still being read".to_owned()));
            }
            Err(in_use) => database = in_use,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes what is there already.
fn prove_writable(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction.set_durability(Durability::Immediate).map_err(failed)?;
    {
        let mut meta = transaction.open_table(META).map_err(failed)?;
        let next = meta.get(NEXT_LOG).map_err(failed)?.map_or(0, |next| next.value());
        meta.insert(NEXT_LOG, next).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
