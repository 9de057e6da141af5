use ripcord_proto::EnvironmentKey;
use ripcord_proto::change::Change;
use ripcord_proto::ping::PingId;

use super::*;
use crate::store::Head;
use crate::store::fixture::next_entry;

fn production() -> LogName {
    LogName::Environment(EnvironmentKey::new("production").unwrap())
}

fn entries(count: u64) -> Vec<Sealed> {
    let mut head = Head::START;
    let made = (0..count).map(|number| {
        let entry = next_entry(&head, head.epoch, None, vec![Change::Ping(PingId::from_parts(number, 1))]);
        head = head.after(&entry);
        entry
    });
    made.collect()
}

fn sequences(orphans: &[Orphan]) -> Vec<u64> {
    orphans.iter().map(|orphan| orphan.commit.sequence.0).collect()
}

#[test]
fn orphans_are_listed_newest_first_each_log_on_its_own_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orphaned.jsonl");
    let (orphans, now) = (Orphans::kept_in(file.clone()), Timestamp::from_second(1_790_000_000).unwrap());
    orphans.write_down(&production(), &entries(3), now);
    orphans.write_down(&LogName::System, &entries(1), now);
    for orphans in [orphans, Orphans::kept_in(file)] {
        let found = orphans.of(&[production()].into());
        assert_eq!(sequences(&found), [3, 2, 1]);
        assert!(found.iter().all(|orphan| orphan.found_at == Some(now)));
        assert_eq!(orphans.of(&[production(), LogName::System].into()).len(), 4);
        assert_eq!(orphans.of(&BTreeSet::new()).len(), 0);
    }
}

/// Each is a line as that version wrote it, and the last one was torn by a power cut.
#[test]
fn lines_of_older_versions_are_read_and_torn_ones_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orphaned.jsonl");
    let body = entries(1).remove(0).body;
    let lines = [
        format!(r#"{{"environment":"production","commit":{body}}}"#),
        format!(r#"{{"log":"production","commit":{body}}}"#),
        r#"{"log":"production","com"#.to_owned(),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let found = Orphans::kept_in(file).of(&[production()].into());
    assert_eq!(sequences(&found), [1, 1]);
    assert!(found.iter().all(|orphan| orphan.found_at.is_none()));
}

#[test]
fn memory_holds_the_newest_and_the_file_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orphaned.jsonl");
    let orphans = Orphans::kept_in(file.clone());
    let count = LISTED as u64 + 10;
    orphans.write_down(&production(), &entries(count), Timestamp::UNIX_EPOCH);
    let found = orphans.of(&[production()].into());
    assert_eq!((found.len(), found[0].commit.sequence.0), (LISTED, count));
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), LISTED + 10);
}
