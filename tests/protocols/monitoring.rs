//! The Grafana dashboard and the Prometheus alert rules ask for metrics and labels that the server really exports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{App, Outcome, SOON, Server, Setup, eventually, flags};
use serde_json::{Value, json};

/// Counters that are there from the first time that something goes wrong.
const WHEN_IT_HAPPENS: [&str; 8] = [
    "ripcord_rate_limited_total",
    "ripcord_stream_cuts_total",
    "ripcord_stream_refusals_total",
    "ripcord_stream_collapses_total",
    "ripcord_refused_keys_total",
    "ripcord_trigger_deliveries_total",
    "ripcord_trigger_firings_total",
    "ripcord_trigger_refusals_total",
];

fn text(file: &str) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/telemetry").join(file),
    )?)
}

/// Every string in a document.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The metrics of an expression, each with the labels that its selector names.
fn asked(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut asked = Vec::new();
    for (at, _) in expression.match_indices("ripcord_") {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let selector = rest[end..].strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let labels = selector.split(',').filter_map(|pair| pair.split(['=', '!']).next()).map(str::trim);
        let labels = labels.filter(|label| !label.is_empty()).map(ToOwned::to_owned).collect();
        asked.push((rest[..end].to_owned(), labels));
    }
    asked
}

/// The exported metrics with the labels of their series.
fn exported(metrics: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut exported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("ripcord_")) {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        let labels = exported.entry(line[..end].to_owned()).or_default();
        let selector = line[end..].strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        labels.extend(selector.split("\",").filter_map(|pair| pair.split('=').next()).map(ToOwned::to_owned));
    }
    exported
}

async fn busy() -> anyhow::Result<(Server, String)> {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    let app = App::counting(&sdk, "app")?;
    app.ready().await?;
    ensure!(app.on("checkout"));
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    stream.ack(&snapshot).await?;
    let count = json!({"flag": "checkout", "variant": "on", "evaluations": 2, "successes": 1, "errors": 1});
    let batch = json!({"instance_id": "i", "batch": 1, "counts": [count]});
    let reported = sdk.request(reqwest::Method::POST, "/v1/outcomes").json(&batch);
    ensure!(ripcord_tests::api::read(reported).await?.status == 202);
    let gate = json!({"name": "errors", "outcome": "error", "worse_by": "1%", "min_samples": 1, "on_fail": "hold", "dry_run": true});
    let steps = json!([{"to": "10%", "hold": "1s"}, {"to": "20%", "hold": "1s"}]);
    admin.put_flag("raised", &flags::boolean("off")).await?.ok()?;
    let plan = json!({"flag": "raised", "variant": "on", "steps": steps, "gates": [gate], "no_gates": true});
    admin.post("rollouts", &plan).await?.ok()?;
    let metrics = eventually(SOON, "applications have confirmed, and a rollout has stepped", || async {
        let answer = admin.get_root("/metrics").await?;
        let metrics = answer.body.as_str().unwrap_or_default().to_owned();
        for name in [
            "ripcord_stream_propagation_seconds_bucket",
            "ripcord_outcomes_total",
            "ripcord_confirmations_total",
            "ripcord_rollout_step_lateness_seconds_bucket",
        ] {
            ensure!(metrics.contains(name), "{name} is not there");
        }
        Ok(metrics)
    })
    .await?;
    Ok((server, metrics))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_and_the_alerts_ask_for_what_is_exported() -> Outcome {
    let dashboard: Value = serde_json::from_str(&text("dashboard.json")?)?;
    let alerts: Value = serde_saphyr::from_str(&text("alerts.yaml")?)?;
    let mut expressions = Vec::new();
    strings(&dashboard, &mut expressions);
    strings(&alerts, &mut expressions);
    let (_server, metrics) = busy().await?;
    let exported = exported(&metrics);
    let mut names = BTreeSet::new();
    for (name, labels) in expressions.iter().flat_map(|expression| asked(expression)) {
        names.insert(name.clone());
        let Some(has) = exported.get(&name) else {
            ensure!(WHEN_IT_HAPPENS.contains(&name.as_str()), "{name} is not exported:\n{metrics}");
            continue;
        };
        for label in labels {
            ensure!(has.contains(&label), "{name} has no label {label}; it has {has:?}");
        }
    }
    ensure!(names.len() > 12, "{names:?}");
    Ok(())
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do() {
    let alerts: Value = serde_saphyr::from_str(&text("alerts.yaml").unwrap()).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 8);
    for rule in rules {
        for member in [
            "/alert",
            "/expr",
            "/for",
            "/labels/severity",
            "/annotations/summary",
            "/annotations/description",
        ] {
            assert!(rule.pointer(member).is_some_and(Value::is_string), "{member} of {rule}");
        }
    }
}

#[test]
fn the_panels_of_the_dashboard_have_ids_and_queries_of_their_own() {
    let dashboard: Value = serde_json::from_str(&text("dashboard.json").unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}
