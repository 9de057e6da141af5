//! Malformed bodies.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use ripcord_tests::api::read;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Answer, Api, Outcome, SOON, Server, Setup, eventually, flags};

use super::refused;

async fn raw(api: &Api, method: Method, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> anyhow::Result<Answer> {
    read(api.request(method, &api.path(path)).header("content-type", kind).body(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_no_json_is_refused_saying_where() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for body in ["", "{", "{\"variants\": }", "[1,2", "nonsense", "{\"a\": 1} {\"b\": 2}", "{\"a\": 01}"] {
        let answer = raw(&admin, Method::POST, "commits", "application/json", body).await?;
        refused(&answer, &[400], body)?;
        ensure!(answer.body["code"] == "PARSE_ERROR", "{body:?}: {}", answer.body);
    }
    let answer = raw(&admin, Method::POST, "commits", "application/json", b"{\"reason\": \"\xff\xfe\"}".to_vec()).await?;
    refused(&answer, &[400], "bad UTF-8")?;
    let twice = r#"{"reason": "a", "reason": "b", "changes": []}"#;
    refused(
        &raw(&admin, Method::POST, "commits", "application/json", twice).await?,
        &[400, 422],
        "a member twice",
    )?;
    for body in ["null", "7", "\"text\"", "[]", "{}"] {
        refused(&raw(&admin, Method::POST, "commits", "application/json", body).await?, &[422], body)?;
    }
    ensure!(admin.revision().await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_nested_without_end_is_refused_and_hurts_nobody() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let body = "[".repeat(100_000);
    refused(
        &raw(&admin, Method::POST, "commits", "application/json", body).await?,
        &[400],
        "100,000 brackets",
    )?;
    let body = format!("{{\"flag\": \"f\", \"context\": {}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    refused(
        &raw(&admin, Method::POST, "explain", "application/json", body).await?,
        &[400, 422],
        "5,000 objects in one another",
    )?;
    admin.put_flag("alive", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_kind_or_size_is_refused() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let answer = raw(&admin, Method::POST, "commits", "text/plain", "changes").await?;
    refused(&answer, &[415], "plain text")?;
    let huge = vec![b' '; 80 * 1024 * 1024];
    match raw(&admin, Method::POST, "commits", "application/json", huge).await {
        Ok(answer) => refused(&answer, &[413], "80 MiB")?,
        // A server may hang up on a body that it will not read; the client then sees its write fail.
        Err(error) => ensure!(!error.to_string().contains("timed out"), "{error}"),
    }
    let large_kill = format!("{{\"scope\": {{\"flag\": \"f\"}}, \"reason\": \"{}\"}}", "x".repeat(4 * 1024 * 1024));
    match raw(&admin, Method::POST, "kills", "application/json", large_kill).await {
        Ok(answer) => refused(&answer, &[413, 422], "a reason of 4 MiB")?,
        Err(error) => ensure!(!error.to_string().contains("timed out"), "{error}"),
    }
    admin.put_flag("alive", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_and_methods_are_problems_too() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.get_root("/v1/nothing").await?.problem(404, "NOT_FOUND")?;
    admin.get("nothing").await?.problem(404, "NOT_FOUND")?;
    admin.post("flags/f", &flags::boolean("on")).await?.problem(405, "METHOD_NOT_ALLOWED")?;
    for path in ["kills/nonsense", "revisions/first", "diff?from=1", "diff?from=b&to=a", "confirmations/x"] {
        refused(&admin.get(path).await?, &[400, 404, 422], path)?;
    }
    refused(&admin.put("flags/f?wait=soon&reason=x", &flags::boolean("on")).await?, &[400, 422], "wait=soon")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_frames_end_their_own_stream_only() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut bystander = WebSocket::connect(&sdk, "bystander").await?;
    bystander.expect("snapshot", SOON).await?;
    let huge = "x".repeat(4 * 1024 * 1024);
    for nonsense in ["nonsense", "{}", "{\"type\":\"hello\"}", "{\"type\":\"snapshot\"}", &huge] {
        let mut stream = WebSocket::open(&sdk).await?;
        // The server may hang up while it is still being written to.
        let _ = stream.send_text(nonsense).await;
        stream.until_end(Duration::from_secs(15)).await?;
    }
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    bystander.expect("delta", SOON).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_acknowledgement_is_not_counted() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut stream = WebSocket::connect(&sdk, "liar").await?;
    let snapshot = stream.expect("snapshot", SOON).await?;
    // It claims a revision that does not exist yet, which must not confirm it in advance. Frames of one connection are taken in
    // order: once the acknowledgement after it counts, this one has been read.
    stream
        .send(&serde_json::json!({"type": "ack", "epoch": 1, "revision": 2, "hash": snapshot.data["hash"]}))
        .await?;
    stream.ack(&snapshot).await?;
    let applied = async |revision: u64| anyhow::Ok(admin.get(&format!("confirmations/{revision}")).await?.ok()?["applied"].clone());
    eventually(SOON, "the right acknowledgement counts", || async {
        let connections = admin.get("connections").await?.ok()?;
        ensure!(connections["items"][0]["revision"] == 1, "{connections}");
        Ok(())
    })
    .await?;
    admin.put("flags/checkout?reason=a+test&wait=300ms", &flags::boolean("off")).await?.ok()?;
    let before = applied(2).await?;
    ensure!(
        before["connected"] == 1 && before["confirmed"] == 0,
        "a wrong acknowledgement was counted: {before}"
    );
    let delta = stream.expect("delta", SOON).await?;
    stream.ack(&delta).await?;
    eventually(SOON, "the right one is counted", || async {
        let after = applied(2).await?;
        ensure!(after["confirmed"] == 1, "{after}");
        Ok(())
    })
    .await?;
    Ok(())
}
