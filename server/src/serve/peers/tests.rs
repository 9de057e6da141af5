//! Questions between nodes of different versions.

use ripcord_proto::outcome::{OutcomeBatch, OutcomeCount, Traffic};
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{Flag, Position, Snapshot, VariantName};
use serde_json::{Value, json};

use super::*;
use crate::fleet::{FleetSettings, NoPeers};
use crate::snapshot::board::Board;

fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// A node to which `checkout` was reported ten times as `on`.
fn node() -> NodeAnswers {
    let flag = Flag::parse(r#"{"variants": {"on": true, "off": false}, "default": "off", "safe": "off"}"#).unwrap();
    let mut snapshot = Snapshot::empty(production());
    let entry = Entry::new(FlagKey::new("checkout").unwrap(), flag, Position::new(1, 1)).unwrap();
    snapshot.flags.insert(Arc::new(entry));
    let outcomes = Outcomes::new(moment(0));
    let batch = OutcomeBatch {
        instance_id: "a1".to_owned(),
        batch: 1,
        counts: vec![OutcomeCount {
            flag: FlagKey::new("checkout").unwrap(),
            variant: Some(VariantName::new("on").unwrap()),
            traffic: Traffic::Real,
            evaluations: 10,
            successes: 3,
            errors: 1,
            latencies_us: Vec::new(),
            numbers: BTreeMap::new(),
        }],
    };
    outcomes.count(&production(), "key", &batch, &snapshot, moment(10));
    NodeAnswers {
        fleet: Fleet::new(&Arc::new(Board::default()), FleetSettings::new("a"), Arc::new(NoPeers)),
        reports: LocalReports::new(outcomes.clone(), "id-a"),
        outcomes,
    }
}

async fn answer(question: &Value) -> Option<Value> {
    let answer = node().answer(&to_raw_value(question).unwrap()).await;
    answer.map(|answer| serde_json::from_str(answer.get()).unwrap())
}

#[tokio::test]
async fn a_node_of_the_version_before_is_told_what_was_served() {
    let before = json!({"served": {"environment": "production", "flags": ["checkout"], "from": moment(0), "to": moment(60)}});
    let told = answer(&before).await.unwrap();
    assert_eq!((&told["counts"]["real"], &told["counts"]["errors_real"]), (&json!(10), &json!(1)), "{told}");
    let other = json!({"served": {"environment": "production", "flags": ["search"], "from": moment(0), "to": moment(60)}});
    assert_eq!(answer(&other).await.unwrap()["counts"]["real"], 0);
}

#[tokio::test]
async fn a_question_of_a_later_version_is_answered_with_nothing() {
    assert_eq!(answer(&json!({"mood": "fine"})).await, None);
}

/// Its reply says only that it is alive.
#[test]
fn a_node_that_does_not_understand_the_question_is_named_as_not_reached() {
    let exposure = exposures(
        [
            ("old".to_owned(), None),
            ("odd".to_owned(), Some(to_raw_value(&json!({"mood": "fine"})).unwrap())),
            (
                "new".to_owned(),
                Some(to_raw_value(&json!({"counts": {"real": 7, "synthetic": 0, "errors_real": 0, "errors_synthetic": 0}, "since": null})).unwrap()),
            ),
        ]
        .into(),
        vec!["gone".to_owned()],
    );
    assert_eq!(exposure.nodes_not_reached, ["gone", "odd", "old"]);
    assert_eq!(exposure.counts.len(), 1);
}

#[test]
fn a_report_of_the_version_before_is_read() {
    let count = json!({"connected": 2, "confirmed": 1, "gone": 0, "times": [[1500, 1]], "slowest": null, "missing": []});
    let before = json!({"node": "b", "at": "1:6", "applied": count, "fetched": count, "sent": count});
    let report: ConfirmationReport = serde_json::from_value(before).unwrap();
    assert!(!report.is_settled());
}
