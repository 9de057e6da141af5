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
    let nobody = EvaluationContext::default();
    let got = provider.resolve_bool_value("b", &beta).await.unwrap();
    assert_eq!(
        (got.value, got.variant.as_deref(), got.reason),
        (true, Some("on"), Some(EvaluationReason::TargetingMatch))
    );
    assert_eq!(provider.resolve_bool_value("b", &nobody).await.unwrap().reason, Some(EvaluationReason::Default));
    assert_eq!(provider.resolve_int_value("n", &nobody).await.unwrap().value, 10);
    assert!((provider.resolve_float_value("n", &nobody).await.unwrap().value - 10.0).abs() < f64::EPSILON);
    let items = provider.resolve_struct_value("o", &nobody).await.unwrap().value.fields["a"].clone();
    assert!(matches!(items, Value::Array(items) if items.len() == 2 && items[0] == Value::Int(1)));
}

#[tokio::test]
async fn what_has_no_value_is_an_error_that_says_why() {
    let (test, provider) = test();
    test.put("off", &json!({"enabled": false, "variants": {"x": true}, "default": "x", "safe": "x"}))
        .unwrap();
    test.put("text", &json!({"variants": {"x": "y"}, "default": "x", "safe": null})).unwrap();
    let nobody = EvaluationContext::default();
    let code = async |key: &str| provider.resolve_bool_value(key, &nobody).await.unwrap_err().code;
    assert_eq!(code("missing").await, EvaluationErrorCode::FlagNotFound);
    assert_eq!(code("text").await, EvaluationErrorCode::TypeMismatch);
    assert_eq!(code("off").await, EvaluationErrorCode::General("DISABLED".to_owned()));
    test.kill("text").unwrap();
    let killed = provider.resolve_string_value("text", &nobody).await.unwrap_err();
    assert_eq!(killed.code, EvaluationErrorCode::General("KILLED".to_owned()));
}

#[tokio::test]
async fn a_kill_names_itself_and_is_an_event() {
    let (test, provider) = test();
    test.set_bool("plain", true).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
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
    let told = || heard.lock().unwrap().iter().any(|event| matches!(event, Event::ConfigurationChanged(_)));
    for _ in 0..500 {
        if told() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(told() && heard.lock().unwrap().contains(&Event::Ready));
    drop(events);
}
