use std::sync::Arc;

use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount, Traffic};
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot, VariantName};

use super::{BatchResult, Outcomes};

fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000).unwrap()
}

fn snapshot() -> Snapshot {
    let flag = Flag::parse(r#"{"variants": {"on": true, "off": false}, "default": "off", "safe": "off"}"#).unwrap();
    let entry = Entry::new(FlagKey::new("checkout").unwrap(), flag, Position::new(1, 1)).unwrap();
    let mut snapshot = Snapshot::empty(production());
    snapshot.flags.insert(Arc::new(entry));
    snapshot
}

fn batch(number: u64, flag: &str, variant: &str) -> OutcomeBatch {
    OutcomeBatch {
        instance_id: "a1".to_owned(),
        batch: number,
        counts: vec![OutcomeCount {
            flag: FlagKey::new(flag).unwrap(),
            variant: Some(VariantName::new(variant).unwrap()),
            traffic: Traffic::Real,
            evaluations: 10,
            successes: 3,
            errors: 1,
            latencies_us: Vec::new(),
            numbers: std::collections::BTreeMap::new(),
        }],
    }
}

#[test]
fn a_batch_that_is_sent_again_is_counted_once() {
    let outcomes = Outcomes::new(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        outcomes.count(&production(), &batch(1, "checkout", "on"), &snapshot(), now()),
        BatchResult::New { unknown: 0 }
    );
    assert_eq!(
        outcomes.count(&production(), &batch(1, "checkout", "on"), &snapshot(), now()),
        BatchResult::Again
    );
    assert_eq!(
        outcomes.count(&production(), &batch(2, "checkout", "on"), &snapshot(), now()),
        BatchResult::New { unknown: 0 }
    );
    let totals = outcomes.totals(&production());
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].evaluations, totals[0].successes, totals[0].errors), (20, 6, 2));
}

#[test]
fn counts_of_what_does_not_exist_make_no_series() {
    let outcomes = Outcomes::new(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        outcomes.count(&production(), &batch(1, "made-up", "on"), &snapshot(), now()),
        BatchResult::New { unknown: 1 }
    );
    assert_eq!(
        outcomes.count(&production(), &batch(2, "checkout", "made-up"), &snapshot(), now()),
        BatchResult::New { unknown: 1 }
    );
    assert!(outcomes.totals(&production()).is_empty());
}

#[test]
fn what_was_served_between_two_moments_is_told_by_traffic() {
    let outcomes = Outcomes::default();
    let mut synthetic = batch(2, "checkout", "off");
    synthetic.counts[0].traffic = Traffic::Synthetic;
    outcomes.count(&production(), &batch(1, "checkout", "on"), &snapshot(), now());
    outcomes.count(&production(), &synthetic, &snapshot(), now());
    let flags = std::collections::BTreeSet::from([FlagKey::new("checkout").unwrap()]);
    let minute = jiff::SignedDuration::from_mins(1);
    let served = outcomes.served_between(&production(), &flags, now() - minute, now());
    let counts = served.counts;
    assert_eq!((counts.real, counts.synthetic, counts.errors_real, counts.errors_synthetic), (10, 10, 1, 1));
    assert_eq!(served.since, Some(now()));
    let before = outcomes.served_between(&production(), &flags, now() - minute, now() - minute / 2);
    assert_eq!(before.counts.real, 0);
}
