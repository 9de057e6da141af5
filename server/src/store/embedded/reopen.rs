//! Opening the file again after a write failed: the disk was full, or was away for a moment. redb takes no writes after an error, so
//! the database is closed and opened again, with every check of a start.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redb::{Database, Durability};

use super::commit_marker::CommitMarker;
use super::open::{self, Logs};
use super::read::failed;
use super::schema::{FORMAT, META, VERSION};
use crate::store::StoreError;

/// How long after a failure the file is opened again.
pub(super) const RETRY: Duration = Duration::from_millis(500);
/// How long readers may take to finish.
const READERS: Duration = Duration::from_secs(5);
/// The file that shows whether the disk takes anything, and how much is written to it.
const PROBE: (&str, usize) = ("ripcord.probe", 64 * 1024);

/// Opens the database of `directory` again and puts it into `shared`. Until it succeeds, `shared` may be empty.
pub(super) fn reopen(directory: &Path, shared: &ArcSwapOption<Database>) -> Result<(Logs, CommitMarker), StoreError> {
    // What is open can still be read: it is given up only if the disk takes writes.
    probe(directory)?;
    close(shared)?;
    let opened = open::open(directory)?;
    prove_writable(&opened.database)?;
    shared.store(Some(Arc::new(opened.database)));
    Ok((opened.logs, opened.marker))
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

fn close(shared: &ArcSwapOption<Database>) -> Result<(), StoreError> {
    let Some(mut database) = shared.swap(None) else { return Ok(()) };
    let begun = Instant::now();
    loop {
        match Arc::try_unwrap(database) {
            Ok(_closed) => return Ok(()),
            Err(in_use) if begun.elapsed() > READERS => {
                shared.store(Some(in_use));
                return Err(StoreError::Unavailable("it is still being read".to_owned()));
            }
            Err(in_use) => database = in_use,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn prove_writable(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction.set_durability(Durability::Immediate).map_err(failed)?;
    transaction.open_table(META).map_err(failed)?.insert(FORMAT, VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)
}
