//! Bad plans, and a Prometheus that is away or answers nonsense: over the command line and real HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, SOON, Server, Setup, eventually, flags};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{newest, shell};

/// Runs a script; its exit code and what it printed.
async fn ran(server: &Server, script: &str) -> anyhow::Result<(i32, String)> {
    let mut command = shell(server, script);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code().context("it was ended by a signal")?, text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_cannot_be_is_refused_by_its_field_and_starts_nothing() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("plain", &flags::boolean("off")).await?.ok()?;
    let lonely = json!({"variants": {"on": true}, "default": "on", "safe": "on"});
    admin.put_flag("lonely", &lonely).await?.ok()?;
    let split = json!({"serve": {"split": [{"variant": "on", "weight": "50%"}, {"variant": "off", "weight": "50%"}]}});
    let mut half = flags::boolean("off");
    half["rules"] = json!([split]);
    admin.put_flag("half", &half).await?.ok()?;
    half["rules"] = json!([{"id": "a", "when": {"attribute": "x", "equals": 1}, "serve": split["serve"]}, {"id": "b", "serve": split["serve"]}]);
    admin.put_flag("several", &half).await?.ok()?;
    for (plan, named) in [
        (
            "{flag: plain, variant: on, steps: [{to: 20%, hold: 1s}, {to: 10%, hold: 1s}], no_gates: true}",
            "steps[1].to",
        ),
        ("{flag: plain, variant: on, steps: [{to: 120%, hold: 1s}], no_gates: true}", "steps[0].to"),
        ("{flag: half, variant: on, steps: [{to: 20%, hold: 1s}], no_gates: true}", "steps[0].to"),
        ("{flag: lonely, variant: on, steps: [{to: 20%, hold: 1s}], no_gates: true}", "variant"),
        (
            "{flag: plain, variant: on, control: on, steps: [{to: 20%, hold: 1s}], no_gates: true}",
            "control",
        ),
        ("{flag: several, variant: on, steps: [{to: 60%, hold: 1s}], no_gates: true}", "rule"),
        ("{flag: plain, variant: on, steps: [{to: 20%, hold: 1s}]}", "steps[0]"),
        (
            "{flag: plain, variant: on, steps: [{to: 20%, hold: 1s}], no_gates: true, window: {hours: '09:00-10:00', zone: Europe/Atlantis}}",
            "window.zone",
        ),
        (
            "{flag: plain, variant: on, steps: [{to: 20%, hold: 1s}], gates: [{name: g, outcome: number basket, worse_by: 5%, on_fail: hold}]}",
            "gates[0]",
        ),
        (
            "{flag: plain, variant: on, steps: [{to: 20%, hold: 1s}], gates: [{name: g, outcome: latency, worse_by: 5%, on_fail: hold}]}",
            "gates[0].below",
        ),
        ("{flag: nothing, variant: on, steps: [{to: 20%, hold: 1s}], no_gates: true}", ""),
    ] {
        let (code, text) = ran(&server, &format!("cat <<'END' | ripcord rollout start -f - --json\n{plan}\nEND")).await?;
        let problem: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let paths: Vec<_> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|error| error["path"].as_str())
            .collect();
        let is_named = if named.is_empty() {
            problem["code"] == "FLAG_NOT_FOUND"
        } else {
            paths.contains(&named)
        };
        ensure!(code == 1 && is_named, "{plan}: {code}\n{text}");
    }
    ensure!(admin.pages("rollouts").await?.is_empty(), "something was started");
    Ok(())
}

/// A stand-in for Prometheus that sends the answer it is given; its port, and that answer.
async fn prometheus() -> anyhow::Result<(u16, Arc<Mutex<String>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (port, answer) = (listener.local_addr()?.port(), Arc::new(Mutex::new(String::new())));
    let told = Arc::clone(&answer);
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut request = [0; 2048];
            let _ = caller.read(&mut request).await;
            let answer = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _ = caller.write_all(answer.as_bytes()).await;
            let _ = caller.shutdown().await;
        }
    });
    Ok((port, answer))
}

fn http(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn value(text: &str) -> String {
    http(&format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{text}"]}}]}}}}"#
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_that_is_away_or_answers_nonsense_holds_the_step_and_nothing_else() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let (port, answer) = prometheus().await?;
    let say = |text: String| *answer.lock().unwrap_or_else(PoisonError::into_inner) = text;
    let gate = json!({"name": "p99", "prometheus": "p99", "url": format!("http://127.0.0.1:{port}"), "below": 0.8, "every": "100ms", "on_fail": "rollback"});
    let steps = json!([{"to": "10%", "hold": "1s"}, {"to": "50%", "hold": "1s"}]);
    admin
        .post("rollouts", &json!({"flag": "checkout", "variant": "on", "steps": steps, "gates": [gate]}))
        .await?
        .ok()?;
    let mut before = Value::Null;
    for text in [
        String::new(),
        value("NaN"),
        value("+Inf"),
        http("<html>not here</html>"),
        http(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#),
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
    ] {
        say(text);
        before = eventually(SOON, "the step waits and says why", || async {
            let rollout = newest(&server).await?;
            let gate = &rollout["gates"][0];
            // Each of these answers has a detail of its own.
            ensure!(gate["verdict"] == "unknown" && gate["detail"].is_string() && gate["detail"] != before, "{gate}");
            ensure!(
                rollout["state"] == "waiting" && rollout["waits_for"] == "gate" && rollout["step"] == 1,
                "{rollout}"
            );
            Ok(gate["detail"].clone())
        })
        .await?;
    }
    say(value("0.5"));
    eventually(SOON, "it continues by itself", || async {
        let rollout = newest(&server).await?;
        ensure!(rollout["state"] == "completed", "{rollout}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_told_to_end_holds_the_rollout_and_one_whose_time_is_up_leaves_it() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let start = "ripcord rollout start --flag checkout --variant on --step 10%:1h --no-gates --json";
    let (code, text) = ran(&server, start).await?;
    let started: Value = serde_json::from_str(&text)?;
    let id = started["id"].as_str().context("an id")?.to_owned();
    ensure!(code == 0 && started["state"] == "scheduled", "{text}");
    let (code, text) = ran(&server, &format!("ripcord rollout wait {id} --wait 1s")).await?;
    ensure!(code == 4, "{code}: {text}");
    let cancelled = format!("ripcord rollout wait {id} --on-cancel hold & waiting=$!; sleep 1; kill -TERM $waiting; wait $waiting");
    let (code, text) = ran(&server, &cancelled).await?;
    ensure!(code == 3, "{code}: {text}");
    let (_, text) = ran(&server, &format!("ripcord rollout show {id} --json")).await?;
    let shown: Value = serde_json::from_str(&text)?;
    ensure!(shown["state"] == "paused" && shown["step"] == 1 && shown["gates"].is_array(), "{shown}");
    ensure!(shown["reason"].is_string(), "it does not say why it is paused: {shown}");
    let (code, text) = ran(
        &server,
        &format!("ripcord rollout resume {id} && ripcord rollout advance {id} && ripcord rollout wait {id}"),
    )
    .await?;
    ensure!(code == 0 && newest(&server).await?["state"] == "completed", "{code}: {text}");
    let (code, text) = ran(
        &server,
        &format!("ripcord rollout rollback {id} --reason 'customers complain' && ripcord rollout wait {id}"),
    )
    .await?;
    ensure!(code == 3, "{code}: {text}");
    let (_, text) = ran(&server, &format!("ripcord rollout show {id} --json")).await?;
    let shown: Value = serde_json::from_str(&text)?;
    let rollback = shown["rollback"].as_str().context("a rollback")?;
    let rollback = server.admin().get(&format!("rollbacks/{rollback}")).await?.ok()?;
    ensure!(rollback["by"]["name"] == "admin" && rollback["reason"].is_string(), "{rollback}");
    Ok(())
}
