use proptest::prelude::*;
use ripcord_proto::actor::Actor;
use ripcord_proto::limits;
use ripcord_proto::rest::Request as _;
use ripcord_proto::rest::triggers::TriggerRequest;
use serde_json::json;

use super::*;
use crate::trigger::crud;

fn trigger(source: &Value, conditions: &Value) -> Trigger {
    let request = json!({"name": "t", "source": source, "action": {"hold": {}}, "conditions": conditions});
    crud::new_trigger(&TriggerRequest::from_value(&request).unwrap(), Actor::server("a"), received()).trigger
}

fn received() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

fn read_as(source: &Value, conditions: &Value, payload: &Value) -> ParsedPayload {
    read(&trigger(source, conditions), payload, received()).unwrap()
}

fn signal(reading: ParsedPayload) -> Signal {
    match reading {
        ParsedPayload::Signal(signal) => signal,
        ParsedPayload::NoSignal(why) => panic!("{why}"),
    }
}

fn nothing(reading: ParsedPayload) -> String {
    match reading {
        ParsedPayload::Signal(signal) => panic!("{signal:?}"),
        ParsedPayload::NoSignal(why) => why,
    }
}

fn alert(status: &str, service: &str, starts: &str, ends: &str) -> Value {
    json!({"status": status, "labels": {"alertname": "HighErrorRate", "severity": "page", "service": service}, "annotations": {},
        "startsAt": starts, "endsAt": ends, "generatorURL": "", "fingerprint": service})
}

const NEVER: &str = "0001-01-01T00:00:00Z";

fn webhook(alerts: &[Value]) -> Value {
    json!({"version": "4", "groupKey": "{}:{alertname=\"HighErrorRate\"}", "status": "firing", "receiver": "r", "alerts": alerts})
}

#[test]
fn a_group_of_alerts_is_one_incident_that_fires_while_one_of_them_does() {
    let (source, any) = (json!("alertmanager"), json!({}));
    let first = alert("firing", "checkout", "2026-01-05T10:00:00Z", NEVER);
    let second = alert("firing", "search", "2026-01-05T10:05:00Z", NEVER);
    let both = signal(read_as(&source, &any, &webhook(&[first.clone(), second.clone()])));
    assert_eq!((both.phase, both.at.to_string().as_str()), (SignalPhase::Firing, "2026-01-05T10:05:00Z"));
    assert_eq!(both.summary, "HighErrorRate (2 alerts), severity=page");
    let over = alert("resolved", "search", "2026-01-05T10:05:00Z", "2026-01-05T10:09:00Z");
    let one = signal(read_as(&source, &any, &webhook(&[first.clone(), over.clone()])));
    assert_eq!((one.phase, one.group == both.group), (SignalPhase::Firing, true));
    assert_eq!(one.summary, "HighErrorRate, service=checkout, severity=page");
    let ended = alert("resolved", "checkout", "2026-01-05T10:00:00Z", "2026-01-05T10:11:00Z");
    let all_over = signal(read_as(&source, &any, &webhook(&[ended, over])));
    assert_eq!(
        (all_over.phase, all_over.at.to_string().as_str()),
        (SignalPhase::Resolved, "2026-01-05T10:11:00Z")
    );
}

#[test]
fn only_alerts_that_are_labelled_as_asked_count() {
    let source = json!("alertmanager");
    let payload = webhook(&[alert("firing", "search", "2026-01-05T10:00:00Z", NEVER)]);
    assert_eq!(
        nothing(read_as(&source, &json!({"labels": {"service": ["checkout", "cart"]}}), &payload)),
        "its label service is \"search\", not cart or checkout"
    );
    assert_eq!(
        nothing(read_as(&source, &json!({"labels": {"team": "a"}}), &payload)),
        "it has no label team, which must be a"
    );
    let mut synthetic = alert("firing", "search", "2026-01-05T10:00:00Z", NEVER);
    synthetic["labels"]["traffic"] = json!("synthetic");
    let payload = webhook(&[synthetic]);
    assert_eq!(
        nothing(read_as(&source, &json!({"about": "real_traffic"}), &payload)),
        "it concerns synthetic traffic"
    );
    signal(read_as(&source, &json!({}), &payload));
}

#[test]
fn a_clock_that_is_ahead_does_not_date_a_signal_into_the_future() {
    let payload = webhook(&[alert("resolved", "search", "2026-01-05T10:00:00Z", "2036-01-05T10:00:00Z")]);
    assert_eq!(signal(read_as(&json!("alertmanager"), &json!({}), &payload)).at, received());
}

#[test]
fn a_webhook_of_pagerduty_begins_and_ends_incidents() {
    let event = |kind: &str| {
        json!({"event": {"id": "01DEN", "event_type": kind, "resource_type": "incident", "occurred_at": "2026-01-05T11:59:22.169Z",
            "data": {"id": "PGR0VU2", "type": "incident", "title": "A little bump in the road", "urgency": "high", "service": {"id": "P", "summary": "API service"}}}})
    };
    let source = json!("pagerduty");
    let began = signal(read_as(&source, &json!({"labels": {"service": "API service"}}), &event("incident.triggered")));
    assert_eq!((began.phase, began.group.as_str()), (SignalPhase::Firing, "PGR0VU2"));
    assert_eq!(began.summary, "A little bump in the road, service=API service, urgency=high");
    assert_eq!(signal(read_as(&source, &json!({}), &event("incident.resolved"))).phase, SignalPhase::Resolved);
    assert!(nothing(read_as(&source, &json!({}), &event("incident.acknowledged"))).contains("neither begins nor ends"));
}

#[test]
fn an_event_for_pagerdutys_api_is_known_by_its_key() {
    let event = json!({"routing_key": "r", "event_action": "trigger", "dedup_key": "disk-7", "payload": {"summary": "disk full", "source": "db-7",
        "severity": "critical", "timestamp": "2026-01-05T11:00:00Z", "custom_details": {"free": 0, "traffic": "synthetic"}}});
    let read = signal(read_as(&json!("pagerduty"), &json!({"labels": {"severity": "critical"}}), &event));
    assert_eq!((read.group.as_str(), read.at.to_string().as_str()), ("disk-7", "2026-01-05T11:00:00Z"));
    assert!(nothing(read_as(&json!("pagerduty"), &json!({"about": "real_traffic"}), &event)).contains("synthetic"));
}

#[test]
fn one_place_of_any_json_says_how_things_are() {
    let source = json!({"json": {"pointer": "/rates/errors", "above": 0.05}});
    let payload = |rate: Value| json!({"service": "checkout", "rates": {"errors": rate}});
    let bad = signal(read_as(&source, &json!({}), &payload(json!(0.2))));
    assert_eq!((bad.phase, bad.summary.as_str()), (SignalPhase::Firing, "/rates/errors is 0.2"));
    assert_eq!(signal(read_as(&source, &json!({}), &payload(json!(0.05)))).phase, SignalPhase::Resolved);
    assert!(nothing(read_as(&source, &json!({"labels": {"service": "search"}}), &payload(json!(1)))).contains("search"));
    for unclear in [payload(json!("much")), json!({}), json!([]), json!(null)] {
        assert!(read(&trigger(&source, &json!({})), &unclear, received()).is_err(), "{unclear}");
    }
}

#[test]
fn what_is_no_signal_is_refused_with_what_is_missing() {
    for (source, payload, names) in [
        (json!("alertmanager"), json!({}), "alerts"),
        (json!("alertmanager"), json!({"alerts": []}), "alerts"),
        (
            json!("alertmanager"),
            json!({"alerts": [{"status": "burning", "labels": {}, "startsAt": NEVER}]}),
            "burning",
        ),
        (json!("pagerduty"), json!({"event": {}}), "event.event_type"),
        (json!("pagerduty"), json!({"event_action": "explode"}), "event_action"),
        (json!("pagerduty"), json!({}), "event_action"),
    ] {
        let faults = read(&trigger(&source, &json!({})), &payload, received()).unwrap_err().to_string();
        assert!(faults.contains(names), "{payload}: {faults}");
    }
}

#[test]
fn what_is_kept_of_a_signal_is_bounded() {
    let mut huge = alert("firing", &"x".repeat(10_000), "2026-01-05T10:00:00Z", NEVER);
    for label in 0..1_000 {
        huge["labels"][format!("label-{label}")] = json!("y".repeat(1_000));
    }
    let payload = json!({"groupKey": "g".repeat(100_000), "alerts": [huge]});
    let read = signal(read_as(&json!("alertmanager"), &json!({}), &payload));
    assert!(read.group.len() == 64 && read.labels.len() == limits::SIGNAL_LABELS);
    assert!(read.summary.chars().count() <= limits::SIGNAL_CHARACTERS);
    assert!(read.labels.values().all(|value| value.chars().count() <= limits::SIGNAL_CHARACTERS));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z_.:0-9]{0,12}".prop_map(Value::from),
        prop_oneof![Just("firing"), Just("trigger"), Just("incident.triggered"), Just("2026-01-05T10:00:00Z")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let name = prop_oneof![
            prop_oneof![
                Just("alerts"),
                Just("event"),
                Just("event_action"),
                Just("data"),
                Just("labels"),
                Just("startsAt"),
                Just("payload")
            ]
            .prop_map(str::to_owned),
            "[a-z]{1,5}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_payload_makes_a_reader_fall_over(payload in any_json()) {
        for source in [json!("alertmanager"), json!("pagerduty"), json!({"json": {"pointer": "/alerts", "equals": true}})] {
            let _ = read(&trigger(&source, &json!({"labels": {"a": "b"}})), &payload, received());
        }
    }

    #[test]
    fn no_bytes_make_the_parser_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }
}
