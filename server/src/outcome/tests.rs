use std::sync::Arc;

use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount, Traffic};
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot, VariantName};

use super::{BatchResult, ExposureQuery, FallingVariant, Outcomes, TotalsQuery};

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
        outcomes.count(&production(), "key", &batch(1, "checkout", "on"), &snapshot(), now()),
        BatchResult::New { unknown: 0 }
    );
    assert_eq!(
        outcomes.count(&production(), "key", &batch(1, "checkout", "on"), &snapshot(), now()),
        BatchResult::Again
    );
    assert_eq!(
        outcomes.count(&production(), "key", &batch(2, "checkout", "on"), &snapshot(), now()),
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
        outcomes.count(&production(), "key", &batch(1, "made-up", "on"), &snapshot(), now()),
        BatchResult::New { unknown: 1 }
    );
    assert_eq!(
        outcomes.count(&production(), "key", &batch(2, "checkout", "made-up"), &snapshot(), now()),
        BatchResult::New { unknown: 1 }
    );
    assert!(outcomes.totals(&production()).is_empty());
}

fn falling(variant: &str, remains: bool) -> FallingVariant {
    FallingVariant {
        flag: FlagKey::new("checkout").unwrap(),
        variant: Some(VariantName::new(variant).unwrap()),
        remains,
    }
}

#[test]
fn what_was_served_between_two_moments_is_told_by_traffic() {
    let outcomes = Outcomes::default();
    let mut synthetic = batch(2, "checkout", "off");
    synthetic.counts[0].traffic = Traffic::Synthetic;
    outcomes.count(&production(), "key", &batch(1, "checkout", "on"), &snapshot(), now());
    outcomes.count(&production(), "key", &synthetic, &snapshot(), now());
    let both = [falling("on", false), falling("off", false)];
    let minute = jiff::SignedDuration::from_mins(1);
    let served = outcomes.served_between(&production(), &both, now() - minute, now());
    let counts = served.counts;
    assert_eq!((counts.real, counts.synthetic, counts.errors_real, counts.errors_synthetic), (10, 10, 1, 1));
    assert_eq!(served.since, Some(now()));
    let before = outcomes.served_between(&production(), &both, now() - minute, now() - minute / 2);
    assert_eq!(before.counts.real, 0);
    let one = outcomes.served_between(&production(), &both[..1], now() - minute, now());
    assert_eq!((one.counts.real, one.counts.synthetic), (10, 0));
}

#[test]
fn a_variant_that_some_users_still_get_counts_until_the_applications_have_confirmed() {
    let outcomes = Outcomes::default();
    let minute = jiff::SignedDuration::from_mins(1);
    outcomes.count(&production(), "key", &batch(1, "checkout", "on"), &snapshot(), now());
    outcomes.count(&production(), "key", &batch(2, "checkout", "on"), &snapshot(), now() + minute);
    let real = |remains: bool, confirmed: Option<jiff::Timestamp>| {
        let query = ExposureQuery {
            environment: production(),
            variants: vec![falling("on", remains), falling("off", false)],
            from: now() - minute,
            to: now() + minute,
            rollback: Position::new(1, 1),
        };
        outcomes.answer(&query, confirmed).counts.real
    };
    let confirmed = Some(now() + minute / 2);
    assert_eq!((real(true, None), real(true, confirmed), real(false, confirmed)), (20, 10, 20));
}

#[test]
fn totals_between_two_moments_name_what_was_reported_then() {
    let outcomes = Outcomes::default();
    let minute = jiff::SignedDuration::from_mins(1);
    outcomes.count(&production(), "key", &batch(1, "checkout", "on"), &snapshot(), now());
    outcomes.count(&production(), "key", &batch(2, "checkout", "off"), &snapshot(), now() + minute);
    let totals = outcomes.totals_between(&TotalsQuery {
        environment: production(),
        from: now() + minute / 2,
        to: now() + minute,
    });
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].variant.as_ref().unwrap().as_str(), totals[0].evaluations), ("off", 10));
}
