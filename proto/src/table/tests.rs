use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Entity, Entry, Table, begins_chunk};
use crate::digest::Digest;
use crate::revision::Position;
use crate::validation::ValidationErrors;

/// The smallest entity: a number.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Number(u8);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
struct NumberKey(String);

impl std::borrow::Borrow<str> for NumberKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Entity for Number {
    type Key = NumberKey;
    const KIND: &'static str = "number";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json)
            .map(Self)
            .map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}

fn entry((key, value): (u16, u8)) -> Arc<Entry<Number>> {
    Arc::new(Entry::new(NumberKey(format!("flag-{key}")), Number(value), Position::START).unwrap())
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u16, u8),
    Remove(u16),
    Merge(Vec<(u16, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u16..600;
    prop_oneof![
        (key.clone(), 0_u8..3).prop_map(|(key, value)| Step::Insert(key, value)),
        key.clone().prop_map(Step::Remove),
        vec((key, 0_u8..3), 0..80).prop_map(Step::Merge),
    ]
}

fn content(table: &Table<Number>) -> Vec<(String, u8)> {
    table.iter().map(|entry| (entry.key().0.clone(), entry.value().unwrap().0)).collect()
}

/// A table with enough entries for several chunks.
fn many() -> Table<Number> {
    (0..600).map(|key| entry((key, 0))).collect()
}

#[test]
fn the_keys_of_the_tests_begin_several_chunks() {
    assert!(many().chunks.len() > 3);
    assert!(many().iter().skip(1).any(|entry| begins_chunk(&entry.key().0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a table came about, it has the content, order, size, chunks and digest of one made at once.
    #[test]
    fn a_table_depends_on_its_entries_alone(from_many: bool, steps in vec(step(), 0..60)) {
        let mut table = if from_many { many() } else { Table::default() };
        let mut model: BTreeMap<String, Arc<Entry<Number>>> = table.iter().map(|entry| (entry.key().0.clone(), Arc::clone(entry))).collect();
        for step in steps {
            let before = table.clone();
            let shown = content(&before);
            match step {
                Step::Insert(key, value) => {
                    let new = entry((key, value));
                    let replaced = table.insert(Arc::clone(&new));
                    prop_assert_eq!(replaced.is_some(), model.insert(new.key().0.clone(), new).is_some());
                }
                Step::Remove(key) => {
                    let key = format!("flag-{key}");
                    prop_assert_eq!(table.remove(&key).is_some(), model.remove(&key).is_some());
                }
                Step::Merge(entries) => {
                    let other: Table<Number> = entries.into_iter().map(entry).collect();
                    model.extend(other.iter().map(|entry| (entry.key().0.clone(), Arc::clone(entry))));
                    table.merge(&other);
                }
            }
            // A copy does not change with the table that it was made from.
            prop_assert_eq!(content(&before), shown);
            let (changed, removed) = before.difference(&table);
            let mut followed = before.clone();
            followed.merge(&changed);
            for key in &removed {
                followed.remove(&key.0);
            }
            prop_assert_eq!(followed.digest(), table.digest());
        }
        let fresh: Table<Number> = model.values().cloned().collect();
        let sizes = |table: &Table<Number>| table.chunks.iter().map(|chunk| chunk.entries.len()).collect::<Vec<_>>();
        prop_assert_eq!(sizes(&table), sizes(&fresh));
        prop_assert_eq!(table.digest(), fresh.digest());
        prop_assert_eq!(content(&table), content(&fresh));
        prop_assert_eq!(table.iter().rev().count(), table.len());
        prop_assert_eq!(table.iter().len(), model.len());
        prop_assert_eq!(table.bytes(), fresh.bytes());
        for (key, entry) in &model {
            prop_assert!(table.get(key).is_some_and(|own| Arc::ptr_eq(own, entry)));
        }
        prop_assert!(table.get("flag-").is_none() && table.get("zebra").is_none());
    }

    /// An iterator that is read from both ends gives each entry once.
    #[test]
    fn iterating_from_both_ends_meets_in_the_middle(ends in vec(any::<bool>(), 700)) {
        let table = many();
        let (mut entries, mut front, mut back) = (table.iter(), Vec::new(), Vec::new());
        for from_front in ends {
            let (entry, side) = if from_front { (entries.next(), &mut front) } else { (entries.next_back(), &mut back) };
            side.extend(entry.map(|entry| entry.key().clone()));
        }
        back.reverse();
        front.append(&mut back);
        prop_assert_eq!(front, table.iter().map(|entry| entry.key().clone()).collect::<Vec<_>>());
    }
}

#[test]
fn a_change_shares_all_other_chunks() {
    let before = many();
    let mut after = before.clone();
    after.insert(entry((300, 1)));
    let shared = after
        .chunks
        .iter()
        .filter(|chunk| before.chunks.iter().any(|other| Arc::ptr_eq(chunk, other)))
        .count();
    assert_eq!(shared, before.chunks.len() - 1);
}

/// Written out, so that other SDKs can be held to it.
#[test]
fn the_digest_is_that_of_the_documentation() {
    let table = many();
    let mut chunks: Vec<Vec<&Digest>> = Vec::new();
    for entry in &table {
        if chunks.is_empty() || begins_chunk(&entry.key().0) {
            chunks.push(Vec::new());
        }
        chunks.last_mut().unwrap().push(entry.digest());
    }
    let digests: Vec<Digest> = chunks
        .iter()
        .map(|chunk| Digest::of(chunk.iter().map(|digest| digest.bytes().as_slice())))
        .collect();
    assert_eq!(table.digest(), Digest::of(digests.iter().map(|digest| digest.bytes().as_slice())));
    assert_eq!(Table::<Number>::default().digest(), Digest::of([]));
}

proptest! {
    #[test]
    fn many_entries_at_once_are_those_that_are_looked_up_one_by_one(
        entries in vec((0_u16..200, 0_u8..3), 0..120),
        keys in proptest::collection::btree_set(0_u16..220, 0..40),
    ) {
        let table: Table<Number> = entries.into_iter().map(entry).collect();
        let keys = keys.into_iter().map(|key| NumberKey(format!("flag-{key}"))).collect();
        let at_once: Vec<_> = table.among(&keys).map(|entry| entry.key().clone()).collect();
        let one_by_one: Vec<_> = keys.iter().filter(|key| table.get(&key.0).is_some()).cloned().collect();
        prop_assert_eq!(at_once, one_by_one);
    }
}
