//! What an application can do with `ripcord_sdk` alone: every type that the interface names can be named, and every way to evaluate a flag
//! gives the same answer.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ripcord_sdk::engine::{CompileIssue, Compiled, CompiledFlag, ErrorCode, Reason, SinceContact};
use ripcord_sdk::model::{Entry, Flag, Value, ValueType};
use ripcord_sdk::serde_json::{self, Map, json};
use ripcord_sdk::testing::{TestClient, TestError};
use ripcord_sdk::{
    BoolFlag, Client, ClientBuilder, Context, Detail, EnvironmentKey, EvaluationEvent, FlagKey, IntegerFlag, JsonFlag, KillId, NumberFlag, ObjectFlag,
    Position, Reporting, Snapshot, StartError, Status, StringFlag, Timestamp, Traffic, TypedFlag, VariantName, View,
};

const BOOL: BoolFlag = BoolFlag::new("bool", false);
const TEXT: StringFlag = StringFlag::new("text", "own");
const NUMBER: NumberFlag = NumberFlag::new("number", 0.5);
const COUNT: IntegerFlag = IntegerFlag::new("count", -1);
const OBJECT: ObjectFlag = ObjectFlag::new("object", Map::new);
const LIMITS: JsonFlag<Limits> = JsonFlag::new("object", || Limits { per_minute: 60 });

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Limits {
    per_minute: u32,
}

/// A flag of each type.
fn flags() -> Result<TestClient, TestError> {
    let flags = TestClient::new();
    flags.set_bool("bool", true)?;
    flags.set_string("text", "served")?;
    flags.set_number("number", 1.5)?;
    flags.set_number("count", 3.0)?;
    flags.put(
        "object",
        &json!({"variants": {"a": {"per_minute": 600}, "b": {"per_minute": "many"}}, "default": "a", "safe": "b"}),
    )?;
    Ok(flags)
}

#[test]
fn a_declared_flag_is_evaluated_by_client_and_view_with_and_without_a_reason() {
    let flags = flags().unwrap();
    let (client, user) = (flags.client(), Context::new("user-1"));
    let view: View = client.view();
    assert!(client.get(&BOOL, &user) && view.get(&BOOL, &user));
    assert_eq!(client.get(&TEXT, &user), "served");
    assert!((client.get(&NUMBER, &user) - 1.5).abs() < f64::EPSILON);
    assert_eq!((client.get(&COUNT, &user), view.get(&COUNT, &user)), (3, 3));
    assert_eq!(client.get(&OBJECT, &user)["per_minute"], 600);
    assert_eq!(view.get(&LIMITS, &user), Limits { per_minute: 600 });
    let detail: Detail<Limits> = client.detail(&LIMITS, &user);
    let variant: Option<VariantName> = detail.variant;
    assert_eq!((detail.value.per_minute, detail.reason, variant.unwrap().as_str()), (600, Reason::Static, "a"));
    assert_eq!(view.detail(&COUNT, &user).value, 3);
}

#[test]
fn a_value_of_a_different_type_gives_the_default_and_says_so() {
    let flags = flags().unwrap();
    let (client, user) = (flags.client(), Context::new("user-1"));
    let fraction = client.integer_detail("number", &user, 7);
    assert_eq!((fraction.value, fraction.error()), (7, Some(ErrorCode::TypeMismatch)));
    let kill: KillId = flags.kill("object").unwrap();
    let misshapen = client.detail(&LIMITS, &user);
    assert_eq!(
        (misshapen.value, misshapen.reason),
        (Limits { per_minute: 60 }, Reason::Error(ErrorCode::TypeMismatch))
    );
    assert_eq!(misshapen.kill, Some(kill));
    assert_eq!(client.json("text", &user, Limits { per_minute: 1 }), Limits { per_minute: 1 });
    assert_eq!(client.detail(&BoolFlag::new("nowhere", true), &user).error(), Some(ErrorCode::FlagNotFound));
}

#[test]
fn all_flags_are_evaluated_at_once() {
    let flags = flags().unwrap();
    let all: BTreeMap<FlagKey, Detail<serde_json::Value>> = flags.client().all_flags(&Context::new("user-1"));
    let values: Vec<(&str, &serde_json::Value)> = all.iter().map(|(key, detail)| (key.as_str(), &detail.value)).collect();
    assert_eq!(
        values,
        [
            ("bool", &json!(true)),
            ("count", &json!(3.0)),
            ("number", &json!(1.5)),
            ("object", &json!({"per_minute": 600})),
            ("text", &json!("served")),
        ]
    );
}

#[test]
fn a_hook_sees_every_evaluation_and_may_evaluate_and_panic() {
    let (seen, other) = (Arc::new(AtomicUsize::new(0)), flags().unwrap().client());
    let counter = Arc::clone(&seen);
    let hook = move |event: &EvaluationEvent<'_>| {
        assert_eq!((event.key, event.reason), ("bool", Reason::NotReady));
        assert!(event.variant.is_none() && event.position.is_none() && event.context.targeting_key() == Some("user-1"));
        assert!(other.bool("bool", event.context, false));
        assert!(counter.fetch_add(1, Ordering::Relaxed) < 2, "the third evaluation panics");
    };
    // A port where nothing listens: the client has no data.
    let builder: ClientBuilder = Client::builder("http://127.0.0.1:1", "rc_sdk_x").reporting(Reporting::Off).on_evaluation(hook);
    let client = builder.start().unwrap();
    for _ in 0..3 {
        assert!(client.get(&BoolFlag::new(BOOL.key(), true), &Context::new("user-1")), "the default");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[test]
fn the_engine_can_be_used_alone() {
    let snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
    let compiled = Compiled::new(&snapshot);
    let evaluation = compiled.evaluate("nowhere", &Context::new("user-1"), SinceContact::FRESH);
    let (value, value_type): (Option<&Value>, Option<ValueType>) = (evaluation.value(), evaluation.value_type());
    let position: Position = evaluation.position();
    assert!(value.is_none() && value_type.is_none() && position == snapshot.position);
    let issues: Vec<CompileIssue> = compiled.issues();
    let entry: Option<&Arc<Entry<Flag>>> = compiled.flag("nowhere").map(CompiledFlag::entry);
    assert!(issues.is_empty() && entry.is_none());
}

#[test]
fn times_and_traffic_can_be_named() {
    let status: Status = Client::offline(Snapshot::empty(EnvironmentKey::new("production").unwrap())).status();
    let since: Timestamp = status.since;
    assert!(since <= Timestamp::now());
    assert_eq!(Context::new("probe").with("traffic", "synthetic").traffic(), Traffic::Synthetic);
}

#[test]
fn errors_keep_their_sources() {
    let error: StartError = Client::builder("not an address", "rc_sdk_x").start().unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    let error = Client::builder("http://127.0.0.1:1", "rc_sdk_x").environment("No Name").start().unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
}
