//! `/metrics`, `/healthz`, `/readyz`, `/openapi.json`, request ids.

use anyhow::{Context as _, ensure};
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{App, Outcome, SOON, Server, Setup, World, eventually, flags, on_both_stores};
use serde_json::json;

async fn health_needs_no_key_and_readiness_tells_each_part(world: World) -> Outcome {
    let anonymous = world.admin().with_key(None);
    ensure!(anonymous.get_root("/healthz").await?.status == 200);
    let ready = anonymous.get_root("/readyz").await?;
    ensure!(ready.status == 200 && ready.body["status"] == "ready", "{} {}", ready.status, ready.body);
    let parts = ready.body["parts"].as_object().context("parts")?;
    ensure!(
        !parts.is_empty() && parts.values().all(|part| part["state"] == "ready" && part["since"].is_string()),
        "{}",
        ready.body
    );
    Ok(())
}

async fn metrics_tell_commits_streams_and_confirmations(world: World) -> Outcome {
    let admin = world.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    stream.ack(&snapshot).await?;
    let metrics = eventually(SOON, "metrics are there", || async {
        let answer = admin.get_root("/metrics").await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        Ok(answer.body.as_str().context("metrics are text")?.to_owned())
    })
    .await?;
    for word in ["commit", "connections", "http", "store"] {
        let there = metrics.lines().any(|line| line.starts_with("ripcord_") && line.contains(word));
        ensure!(there, "no ripcord_ metric about {word}:\n{metrics}");
    }
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        ensure!(value.parse::<f64>().is_ok(), "no number at the end of {line:?}");
    }
    Ok(())
}

async fn evaluations_of_applications_arrive_in_the_metrics_by_flag_and_variant(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let app = App::counting(&admin.role("sdk").await?, "app")?;
    app.ready().await?;
    for _ in 0..1_000 {
        ensure!(app.on("checkout"));
    }
    eventually(SOON, "they are counted", || async {
        let answer = admin.get_root("/metrics").await?;
        let metrics = answer.body.as_str().unwrap_or_default();
        let line = metrics
            .lines()
            .find(|line| line.contains("evaluations") && line.contains("checkout") && line.contains("on"));
        ensure!(line.is_some_and(|line| line.ends_with(" 1000")), "{line:?}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn every_answer_carries_a_request_id(world: World) -> Outcome {
    let admin = world.admin();
    let fine = admin.get("flags").await?;
    let (one, two) = (fine.header("x-request-id").context("no id")?.to_owned(), admin.get("flags/nobody").await?);
    let other = two.header("x-request-id").context("no id on a problem")?.to_owned();
    ensure!(one != other && two.body["request_id"] == json!(other), "{}", two.body);
    Ok(())
}

on_both_stores!(
    health_needs_no_key_and_readiness_tells_each_part,
    metrics_tell_commits_streams_and_confirmations,
    evaluations_of_applications_arrive_in_the_metrics_by_flag_and_variant,
    every_answer_carries_a_request_id
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_open_api_document_names_every_path_of_the_design() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let document = server.admin().get_root("/openapi.json").await?.ok()?;
    ensure!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")),
        "{}",
        document["openapi"]
    );
    let paths = document["paths"].as_object().context("paths")?;
    let env = paths
        .keys()
        .find(|path| path.starts_with("/v1/environments/{"))
        .and_then(|path| path.split('/').nth(3))
        .context("no environment path")?;
    for path in [
        "flags",
        "flags/{key}",
        "segments",
        "commits",
        "commits/plan",
        "kills",
        "kills/{id}",
        "revisions",
        "diff",
        "confirmations/{revision}",
        "connections",
        "explain",
    ] {
        let full = format!("/v1/environments/{env}/{path}");
        let there = paths.keys().any(|known| shape(known) == shape(&full));
        ensure!(there, "{full} is not in the document: {:?}", paths.keys().collect::<Vec<_>>());
    }
    for path in ["/v1/snapshot", "/v1/stream", "/v1/stream/ack", "/v1/keys", "/v1/outcomes", "/v1/audit"] {
        ensure!(paths.contains_key(path), "{path} is not in the document");
    }
    Ok(())
}

/// A path with the names of its parameters left out.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}
