use std::time::{Duration, Instant};

use ripcord_proto::role::Role;

use super::*;
use crate::store::fixture::next_entry;

fn key(number: usize) -> KeyRecord {
    KeyRecord {
        id: format!("key_{number}"),
        name: format!("application {number}"),
        role: Role::Sdk,
        environments: vec![EnvironmentKey::new("production").unwrap()],
        hash: Digest::of([number.to_string().as_bytes()]),
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_start_with_many_keys_takes_time_in_proportion_to_their_number() {
    let mut head = Head::START;
    let made = |change: Change, head: &mut Head| {
        let sealed = next_entry(head, head.epoch, None, vec![change]);
        *head = head.after(&sealed);
        sealed
    };
    let mut tail: Vec<Sealed> = (0..8_000).map(|number| made(Change::PutKey(key(number)), &mut head)).collect();
    tail.push(made(Change::RevokeKey("key_7".to_owned()), &mut head));
    let began = Instant::now();
    let state = SystemState::restore(&Loaded { state: None, tail, head });
    // Copying the keys with every one of them took minutes here.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!((state.keys.len(), state.head), (7_999, head));
    assert!(state.key_by_hash(&key(8).hash).is_some() && state.key_by_hash(&key(7).hash).is_none());
}
