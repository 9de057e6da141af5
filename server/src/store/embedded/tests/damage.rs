//! Truncated, altered or exchanged files: either a clear refusal or complete data, never a silent loss.

use std::path::Path;

use ripcord_proto::Sequence;

use super::{copy, open};
use crate::store::contract::{Writer, digests};
use crate::store::{Store, StoreError};

const DATABASE: &str = "ripcord.redb";
const MARKER: &str = "ripcord.head";
const LOG: &str = "ripcord.wal";

/// A data directory with two logs, closed cleanly or left as a killed process leaves it.
struct Written {
    directory: tempfile::TempDir,
    production: Writer,
    system: Writer,
}

async fn written(is_closed: bool) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let (mut production, mut system) = (Writer::new("production"), Writer::new("system"));
    let store = open(directory.path()).unwrap();
    for round in 0..40 {
        store.append(production.append(1)).await.unwrap();
        store.append(system.append(1)).await.unwrap();
        if round == 20 {
            store.keep_state(&production.log, production.state()).await.unwrap();
        }
    }
    if is_closed {
        store.close().await.unwrap();
        return Written { directory, production, system };
    }
    let left = copy(directory.path());
    Written {
        directory: left,
        production,
        system,
    }
}

/// Opens a copy damaged by `harm`: it is refused with a clear message, or it is complete.
async fn is_refused_or_whole(written: &Written, what: &str, harm: impl FnOnce(&Path)) -> bool {
    let directory = copy(written.directory.path());
    harm(directory.path());
    let store = match open(directory.path()) {
        Ok(store) => store,
        Err(error @ StoreError::Corrupt(_)) => {
            let message = error.to_string();
            assert!(message.contains("ripcord.") && message.contains("--restore-backup"), "{what}: {message}");
            return true;
        }
        Err(error) => panic!("{what}: {error}"),
    };
    for writer in [&written.production, &written.system] {
        match store.read(&writer.log, Sequence(0), usize::MAX).await {
            Ok(entries) => assert_eq!(digests(&entries), digests(&writer.entries), "{what}"),
            // An old part of a log is verified when it is read.
            Err(StoreError::Corrupt(_) | StoreError::Chain { .. }) => return true,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    false
}

fn flip(file: &Path, place: u64) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[usize::try_from(place).unwrap()] ^= 0x41;
    std::fs::write(file, bytes).unwrap();
}

fn cut(file: &Path, length: u64) {
    std::fs::File::options().write(true).open(file).unwrap().set_len(length).unwrap();
}

#[tokio::test]
async fn a_flipped_byte_is_refused_or_harmless() {
    for is_closed in [true, false] {
        let written = written(is_closed).await;
        let length = std::fs::metadata(written.directory.path().join(DATABASE)).unwrap().len();
        // Offsets all over the header, then all over the file. They are primes, so that every field is hit in some page.
        let places = (0..320).step_by(7).chain((320..length).step_by(4_999));
        let mut refused = 0;
        for place in places {
            let what = format!("byte {place} of {length}, closed: {is_closed}");
            let is_refused = is_refused_or_whole(&written, &what, |directory| flip(&directory.join(DATABASE), place)).await;
            refused += usize::from(is_refused);
        }
        assert!(refused > 10, "damage is noticed at all");
    }
}

#[tokio::test]
async fn a_file_cut_short_is_refused_or_harmless() {
    for is_closed in [true, false] {
        let written = written(is_closed).await;
        let length = std::fs::metadata(written.directory.path().join(DATABASE)).unwrap().len();
        for part in 0..20 {
            let cut_to = length * part / 20;
            let what = format!("{cut_to} of {length}, closed: {is_closed}");
            is_refused_or_whole(&written, &what, |directory| cut(&directory.join(DATABASE), cut_to)).await;
        }
        let nothing = is_refused_or_whole(&written, "nothing", |directory| cut(&directory.join(DATABASE), 0)).await;
        assert!(nothing, "an emptied file is not taken for a new one");
        let missing = is_refused_or_whole(&written, "no file", |directory| std::fs::remove_file(directory.join(DATABASE)).unwrap()).await;
        assert!(missing);
    }
}

#[tokio::test]
async fn a_flipped_byte_of_the_write_ahead_log_is_refused_or_harmless() {
    let written = written(false).await;
    let bytes = std::fs::read(written.directory.path().join(LOG)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let mut refused = 0;
    for place in (0..used).step_by(199).chain([used, used + 1, used + 5_000]) {
        let what = format!("byte {place} of {used}");
        let is_refused = is_refused_or_whole(&written, &what, |directory| flip(&directory.join(LOG), place)).await;
        refused += usize::from(is_refused);
    }
    assert!(refused > 10, "damage is noticed at all");
}

#[tokio::test]
async fn an_older_file_in_place_of_the_newest_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("production");
    let store = open(directory.path()).unwrap();
    store.append(writer.append(3)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let older = copy(directory.path());
    let store = open(directory.path()).unwrap();
    store.append(writer.append(1)).await.unwrap();
    let killed = copy(directory.path());
    store.close().await.unwrap();
    drop(store);
    for directory in [directory.path(), killed.path()] {
        std::fs::copy(older.path().join(DATABASE), directory.join(DATABASE)).unwrap();
        let refused = open(directory).unwrap_err();
        assert!(refused.to_string().contains("entry 4 of the log production"), "{refused}");
        std::fs::remove_file(directory.join(MARKER)).unwrap();
        let store = open(directory).unwrap();
        assert_eq!(store.load(&writer.log).await.unwrap().head.sequence, Sequence(3), "on purpose it is taken");
    }
}

#[tokio::test]
async fn a_mark_that_is_damaged_or_missing_costs_nothing() {
    let written = written(true).await;
    for harm in [
        |directory: &Path| std::fs::remove_file(directory.join(MARKER)).unwrap(),
        |directory: &Path| cut(&directory.join(MARKER), 0),
        |directory: &Path| cut(&directory.join(MARKER), 700),
        |directory: &Path| flip(&directory.join(MARKER), 20),
        |directory: &Path| flip(&directory.join(MARKER), 532),
    ] {
        assert!(!is_refused_or_whole(&written, "the mark", harm).await);
    }
}
