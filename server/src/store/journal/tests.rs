use ripcord_proto::actor::Actor;
use ripcord_proto::key::FlagKey;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, Kill, KillId, KillScope};

use super::{Journal, JournalError, JournalRecord};

fn kill(number: u128) -> Kill {
    Kill {
        id: KillId::from_parts(1_700_000_000_000, number),
        scope: KillScope::Flag(FlagKey::new("checkout").unwrap()),
        reason: Some("spike".to_owned()),
        actor: Actor {
            name: "ada".to_owned(),
            role: Role::Oncall,
            key: None,
        },
        at: "2026-11-24T03:00:00Z".parse().unwrap(),
        flags: std::collections::BTreeSet::new(),
    }
}

fn taken(number: u128) -> JournalRecord {
    JournalRecord::Taken {
        environment: EnvironmentKey::new("production").unwrap(),
        kill: kill(number),
        node: "a".to_owned(),
        answered: None,
    }
}

fn ids(journal: &Journal) -> Vec<KillId> {
    journal.pending().into_iter().map(|pending| pending.kill.id).collect()
}

#[test]
fn what_was_taken_is_pending_after_a_restart_until_it_is_merged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&taken(1)).unwrap();
    journal.append(&taken(2)).unwrap();
    journal.append(&JournalRecord::Merged { ids: vec![kill(1).id] }).unwrap();
    let again = Journal::open(&path).unwrap();
    assert_eq!(ids(&again), [kill(2).id]);
    assert_eq!(again.taker(&kill(2).id).as_deref(), Some("a"));
    again.append(&JournalRecord::Merged { ids: vec![kill(2).id] }).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "nothing is pending, so nothing is kept");
}

#[test]
fn a_withdrawn_kill_stays_pending_as_withdrawn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&taken(1)).unwrap();
    journal
        .append(&JournalRecord::Withdrawn {
            environment: EnvironmentKey::new("production").unwrap(),
            id: kill(1).id,
        })
        .unwrap();
    assert!(Journal::open(&path).unwrap().pending().iter().all(|pending| pending.withdrawn));
}

#[test]
fn a_torn_last_line_is_cut_off_at_every_length() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&taken(1)).unwrap();
    let first = std::fs::read(&path).unwrap().len();
    journal.append(&taken(2)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in first..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(ids(&Journal::open(&path).unwrap()), [kill(1).id]);
        assert_eq!(std::fs::read(&path).unwrap().len(), first);
    }
}

#[test]
fn damage_before_the_last_line_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&taken(1)).unwrap();
    journal.append(&taken(2)).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { line: 1, .. })));
}

#[test]
fn a_kill_that_the_disk_does_not_take_is_written_when_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&taken(1)).unwrap();
    journal.fill_disk(true);
    journal.append(&taken(2)).unwrap_err();
    assert_eq!(ids(&journal), [kill(1).id, kill(2).id], "memory keeps it");
    assert!(!journal.holds(&kill(2).id) && journal.has_unwritten());
    assert_eq!(ids(&Journal::open(&path).unwrap()), [kill(1).id]);
    journal.write_rest().unwrap_err();
    journal.fill_disk(false);
    journal.write_rest().unwrap();
    assert!(journal.holds(&kill(2).id) && !journal.has_unwritten());
    assert_eq!(ids(&Journal::open(&path).unwrap()), [kill(1).id, kill(2).id]);
}

#[test]
fn a_withdrawal_of_a_kill_that_only_memory_holds_is_written_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.fill_disk(true);
    journal.append(&taken(1)).unwrap_err();
    let withdrawn = JournalRecord::Withdrawn {
        environment: EnvironmentKey::new("production").unwrap(),
        id: kill(1).id,
    };
    journal.append(&withdrawn).unwrap_err();
    assert!(!journal.pending()[0].withdrawn, "a withdrawal that is not saved has not happened");
    journal.fill_disk(false);
    journal.append(&withdrawn).unwrap();
    assert!(Journal::open(&path).unwrap().pending()[0].withdrawn);
}

#[test]
fn a_revocation_is_pending_until_it_is_merged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kills.journal");
    let journal = Journal::open(&path).unwrap();
    journal.append(&JournalRecord::KeyRevoked { key: "k1".to_owned() }).unwrap();
    let again = Journal::open(&path).unwrap();
    assert!(again.revoked().contains("k1"));
    again.append(&JournalRecord::RevocationsMerged { keys: vec!["k1".to_owned()] }).unwrap();
    assert!(Journal::open(&path).unwrap().revoked().is_empty());
}
