use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ripcord_proto::Flag;
use ripcord_proto::revision::Position;
use ripcord_proto::settings::Bucketing;
use ripcord_proto::table::Entry;

use super::super::flag::CompiledFlag;
use super::super::jsonlogic::Interpreter;
use super::{FlagTable, Slot};

fn slot(key: u16) -> Slot {
    let flag: Flag = serde_json::from_value(serde_json::json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"})).unwrap();
    let entry = Arc::new(Entry::new(format!("flag-{key}").parse().unwrap(), flag, Position::START).unwrap());
    Slot {
        flag: Arc::new(CompiledFlag::new(&entry, &Interpreter::new(Bucketing::default()), 0)),
        kill: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A table gives what was put last under each key, also after it was divided again, and a copy of it stays as it was.
    #[test]
    fn a_table_is_a_map(capacity in 0_usize..200, steps in proptest::collection::vec((0_u16..400, any::<bool>()), 0..500)) {
        let mut table = FlagTable::with_capacity(capacity);
        let mut model: BTreeMap<String, Slot> = BTreeMap::new();
        let mut copies = Vec::new();
        for (place, (key, put)) in steps.into_iter().enumerate() {
            if put {
                let slot = slot(key);
                model.insert(slot.flag.key().to_string(), slot.clone());
                table.insert(slot);
            } else {
                let key = format!("flag-{key}");
                prop_assert_eq!(table.remove(&key).is_some(), model.remove(&key).is_some());
            }
            if place % 100 == 0 {
                copies.push((table.clone(), model.clone()));
            }
        }
        copies.push((table, model));
        for (table, model) in &copies {
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(table.iter().count(), model.len());
            for (key, slot) in model {
                prop_assert!(table.get(key).is_some_and(|own| Arc::ptr_eq(&own.flag, &slot.flag)));
            }
            prop_assert!(table.get("flag-").is_none());
        }
    }
}

#[test]
fn a_change_copies_one_shard() {
    let mut before = FlagTable::with_capacity(400);
    (0..400).for_each(|key| before.insert(slot(key)));
    let mut after = before.clone();
    after.insert(slot(7));
    let copied = before.shards.iter().zip(&after.shards).filter(|(one, other)| !Arc::ptr_eq(one, other)).count();
    assert_eq!(copied, 1);
    assert!(before.shards.len() > 4);
}
