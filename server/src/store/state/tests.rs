use ripcord_proto::Sequence;

use super::StoredState;
use super::encoding::StateError;
use super::policy::StatePolicy;
use crate::store::contract::{Writer, environment};

#[test]
fn a_state_is_read_as_it_was_written() {
    let mut writer = Writer::new("production");
    let mut state = StoredState::empty(environment("production"));
    let entries = [
        writer.settings(),
        writer.kill("checkout"),
        writer.policy(60),
        writer.kill("search"),
        writer.restore_first(),
    ];
    for entry in entries {
        state.apply(&entry);
    }
    let read = StoredState::decode(&state.encode().unwrap()).unwrap();
    assert_eq!(read.head, state.head);
    assert_eq!(read.snapshot.content_hash(), state.snapshot.content_hash());
    assert_eq!(read.ended_kills, state.ended_kills);
    assert_eq!(read.snapshot.kills.len(), 1);
    assert_eq!(read.records.policy().ping_every_seconds, Some(60));
    let changed = |state: &StoredState| state.snapshot.kills.iter().map(|kill| kill.changed()).collect::<Vec<_>>();
    assert_eq!(changed(&read), changed(&state));
}

#[test]
fn records_come_and_go_without_a_revision() {
    let mut writer = Writer::new("production");
    let mut state = StoredState::empty(environment("production"));
    state.apply(&writer.policy(60));
    assert_eq!(state.head.revision.0, 0);
    assert_eq!(state.records.iter().count(), 1);
    state.apply(&writer.no_policy());
    assert_eq!(state.records.iter().count(), 0);
    assert_eq!(state.head.sequence.0, 2);
}

#[test]
fn an_altered_state_is_refused() {
    let bytes = StoredState::empty(environment("production")).encode().unwrap();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        assert!(matches!(StoredState::decode(&altered), Err(StateError::Altered { .. })));
    }
    assert!(matches!(StoredState::decode(&bytes[..31]), Err(StateError::Short)));
}

#[test]
fn a_state_is_due_after_many_entries_or_many_bytes() {
    let policy = StatePolicy::default();
    assert!(!policy.is_due(511, 0, 0));
    assert!(policy.is_due(512, 0, 0));
    assert!(policy.is_due(3, policy.bytes, 0));
    assert!(
        !policy.is_due(3, policy.bytes, policy.bytes + 1),
        "a huge state is not rewritten for less log than it weighs"
    );
}

#[test]
fn old_states_are_thinned_out_and_every_look_back_stays_short() {
    let policy = StatePolicy::default();
    let mut kept: Vec<Sequence> = Vec::new();
    for sequence in (512..=102_400).step_by(512) {
        kept.push(Sequence(sequence));
        let gone = policy.superfluous(&kept);
        kept.retain(|sequence| !gone.contains(sequence));
        assert_eq!(kept.last(), Some(&Sequence(sequence)));
    }
    assert!(kept.len() < 50, "{} states are kept", kept.len());
    let widest = kept.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(widest <= policy.widest, "{widest} entries lie between two states");
    assert!(kept[0].0 <= policy.widest);
}
