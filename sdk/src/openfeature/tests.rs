use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use open_feature::provider::FeatureProvider as _;
use serde_json::json;

use super::*;
use crate::testing::TestClient;

fn test() -> (TestClient, Provider) {
    let test = TestClient::new();
    let provider = Provider::new(test.client());
    (test, provider)
}

#[tokio::test]
async fn flags_of_every_type_are_resolved_with_variant_and_reason() {
    let (test, provider) = test();
    test.put(
        "b",
        &json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "rules": [{"when": {"attribute": "plan", "equals": "beta"}, "serve": "on"}]}),
    )
    .unwrap();
    test.put("n", &json!({"variants": {"a": 10.0, "b": 1.5}, "default": "a", "safe": "b"})).unwrap();
    test.put("o", &json!({"variants": {"x": {"a": [1, null, {"b": "c"}]}}, "default": "x", "safe": "x"}))
        .unwrap();
    let beta = EvaluationContext::default().with_targeting_key("u").with_custom_field("plan", "beta");
    let anonymous = EvaluationContext::default();
    let got = provider.resolve_bool_value("b", &beta).await.unwrap();
    assert_eq!(
        (got.value, got.variant.as_deref(), got.reason),
        (true, Some("on"), Some(EvaluationReason::TargetingMatch))
    );
    assert_eq!(
        provider.resolve_bool_value("b", &anonymous).await.unwrap().reason,
        Some(EvaluationReason::Default)
    );
    assert_eq!(provider.resolve_int_value("n", &anonymous).await.unwrap().value, 10);
    assert!((provider.resolve_float_value("n", &anonymous).await.unwrap().value - 10.0).abs() < f64::EPSILON);
    let items = provider.resolve_struct_value("o", &anonymous).await.unwrap().value.fields["a"].clone();
    let Value::Array(items) = items else { panic!("{items:?}") };
    let [Value::Int(1), Value::Struct(null), Value::Struct(last)] = items.as_slice() else {
        panic!("a null moves nothing: {items:?}")
    };
    assert!(null.fields.is_empty() && last.fields["b"] == Value::String("c".to_owned()));
}

#[tokio::test]
async fn a_flags_own_metadata_is_told() {
    let (test, provider) = test();
    let metadata = json!({"team": "shop", "since": 7, "share": 0.5, "beta": true, "list": [1], "nothing": null});
    test.put("b", &json!({"variants": {"on": true}, "default": "on", "safe": "on", "metadata": metadata}))
        .unwrap();
    let got = provider.resolve_bool_value("b", &EvaluationContext::default()).await.unwrap();
    let told = got.flag_metadata.unwrap().values;
    assert_eq!(told["team"], "shop".into());
    assert_eq!(told["since"], 7_i64.into());
    assert_eq!(told["share"], 0.5.into());
    assert_eq!(told["beta"], true.into());
    assert!(
        told.contains_key(REVISION) && !told.contains_key("list") && !told.contains_key("nothing"),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_has_no_value_is_an_error_that_says_why() {
    let (test, provider) = test();
    test.put("off", &json!({"enabled": false, "variants": {"x": true}, "default": "x", "safe": "x"}))
        .unwrap();
    test.put("text", &json!({"variants": {"x": "y"}, "default": "x", "safe": null})).unwrap();
    let anonymous = EvaluationContext::default();
    let code = async |key: &str| provider.resolve_bool_value(key, &anonymous).await.unwrap_err().code;
    assert_eq!(code("missing").await, EvaluationErrorCode::FlagNotFound);
    assert_eq!(code("text").await, EvaluationErrorCode::TypeMismatch);
    assert_eq!(code("off").await, EvaluationErrorCode::General("DISABLED".to_owned()));
    test.kill("text").unwrap();
    let killed = provider.resolve_string_value("text", &anonymous).await.unwrap_err();
    assert_eq!(killed.code, EvaluationErrorCode::General("KILLED".to_owned()));
}

#[tokio::test]
async fn a_kill_names_itself_and_is_an_event() {
    let (test, provider) = test();
    test.set_bool("plain", true).unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&received);
    let events = provider.on_event(move |event| log.lock().unwrap().push(event.clone()));
    let kill = test.kill("plain").unwrap();
    let got = provider.resolve_bool_value("plain", &EvaluationContext::default()).await;
    if let Ok(got) = got {
        assert_eq!(got.reason, Some(EvaluationReason::Other("KILLED".to_owned())));
        assert_eq!(
            got.flag_metadata.unwrap().values[KILL],
            open_feature::FlagMetadataValue::String(kill.to_string())
        );
    }
    let recorded = || received.lock().unwrap().iter().any(|event| matches!(event, Event::ConfigurationChanged(_)));
    for _ in 0..500 {
        if recorded() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(recorded() && received.lock().unwrap().contains(&Event::Ready));
    drop(events);
}

#[test]
fn a_refused_key_is_an_event_of_its_own_with_and_without_data() {
    for source in [Source::Nothing, Source::Cache, Source::Server] {
        let status = crate::client::Status {
            state: State::Unauthorised,
            source,
            ..crate::client::Status::at_start(jiff::Timestamp::UNIX_EPOCH)
        };
        assert!(matches!(event::event_of(&status), Some(Event::Unauthorised(_))), "{source:?}");
    }
}

/// Keeps the fields of every event, as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

impl tracing::Subscriber for Events {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == EVENT_TARGET && metadata.name() == EVENT_TARGET
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(BTreeMap<String, String>);

        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
            }
        }

        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn every_evaluation_is_an_event_with_the_attributes_of_feature_flags() {
    let (test, provider) = test();
    test.set_bool("plain", true).unwrap();
    let (events, user) = (Events::default(), EvaluationContext::default().with_targeting_key("user-7"));
    tracing::subscriber::with_default(events.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(provider.resolve_bool_value("plain", &user)).unwrap();
        runtime.block_on(provider.resolve_bool_value("missing", &user)).unwrap_err();
    });
    let recorded = events.0.lock().unwrap().clone();
    let [plain, missing] = recorded.as_slice() else { panic!("{recorded:?}") };
    for (name, value) in [
        ("feature_flag.key", "plain"),
        ("feature_flag.provider.name", "ripcord"),
        ("feature_flag.context.id", "user-7"),
        ("feature_flag.result.reason", "static"),
    ] {
        assert_eq!(plain.get(name).map(String::as_str), Some(value), "{plain:?}");
    }
    assert!(
        plain.contains_key("feature_flag.result.variant") && !plain.contains_key("error.type"),
        "{plain:?}"
    );
    assert_eq!(missing.get("error.type").map(String::as_str), Some("flag_not_found"));
}
