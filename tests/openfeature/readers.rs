//! Readers that cannot confirm: they are listed by their level, waited for, and named if their engine splits users differently or if
//! the environment is more than they take.

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_proto::grpc::evaluation_v2::EventStreamRequest;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_proto::grpc::sync_v1::{SyncFlagsRequest, SyncFlagsResponse};
use ripcord_tests::{CommandOutput, SOON, eventually, flags};
use serde_json::{Value, json};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_wait_for_a_kill_or_a_ping_includes_readers_that_are_only_sent_it", waited_for),
        trial("readers_are_listed_by_their_level_with_those_that_evaluate_remotely", listed),
        trial("readers_whose_engine_splits_differently_are_named", split_differently),
        trial("a_plan_and_a_start_of_a_rollout_name_readers_that_split_differently", named_before),
        trial("an_environment_that_its_readers_cannot_take_is_named_by_plan_apply_kill_and_doctor", too_large),
    ]
}

async fn reader(node: &Node, agent: &str) -> Result<Streaming<SyncFlagsResponse>> {
    let channel = Channel::from_shared(Node::endpoint(node.sync))?.user_agent(agent.to_owned())?.connect().await?;
    let asked = SyncFlagsRequest {
        provider_id: "basket".to_owned(),
        selector: String::new(),
    };
    let asked = request(asked, Some(node.api.key()), Some("source=production"));
    let mut stream = FlagSyncServiceClient::new(channel).sync_flags(asked).await?.into_inner();
    stream.message().await?.context("the flags")?;
    Ok(stream)
}

async fn waited_for() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let mut stream = reader(&node, "grpc-go/1.76.0").await?;
    tokio::spawn(async move { while let Ok(Some(_)) = stream.message().await {} });
    let killed = node.api.post("kills?wait=20s", &json!({"scope": {"flag": "a"}})).await?.ok()?;
    let sent = &killed["confirmation"]["sent"];
    ensure!(sent["connected"] == 1 && sent["confirmed"] == 1, "{killed}");
    ensure!(killed["confirmation"]["complete"] == false, "nobody could acknowledge: {killed}");
    let ping = node.api.post("pings?wait=20s", &json!({})).await?.ok()?;
    let sent = &ping["confirmation"]["sent"];
    ensure!(sent["connected"] == 1 && sent["confirmed"] == 1, "{ping}");
    Ok(())
}

/// A command for which the node's address and key are set.
async fn command(node: &Node, arguments: &[&str]) -> Result<CommandOutput> {
    let mut command = node.server.command();
    command.env("NO_COLOR", "1").args(arguments).args(node.access());
    CommandOutput::of(command).await
}

async fn named_before() -> Result<()> {
    let node = Node::start().await?;
    let file = node.server.scratch().join("flags.json");
    std::fs::write(&file, json!({"flags": {"b": flags::rollout(25)}}).to_string())?;
    let file = file.display().to_string();
    let relying = |flag| {
        let rollout = ["rollout", "start", "--flag", flag, "--variant", "on", "--step", "10%:1h", "--no-gates"];
        [vec!["plan", "-f", &file], [&rollout[..], &["--reason", "a test"]].concat()]
    };
    for flag in ["before", "after"] {
        node.api.put_flag(flag, &flags::boolean("off")).await?.ok()?;
    }
    for arguments in relying("before") {
        let said = command(&node, &arguments).await?.expect(0)?.err;
        ensure!(!said.contains("env bucketing v2"), "nobody splits differently: {arguments:?}: {said}");
    }
    let _go = reader(&node, "grpc-go/1.76.0").await?;
    for arguments in relying("after") {
        command(&node, &arguments).await?.expect(0)?.error_names(&["grpc-go", "env bucketing v2"])?;
    }
    Ok(())
}

/// More than the 4 MiB that a gRPC client takes in one message, unless its application says otherwise.
async fn too_large() -> Result<()> {
    let node = Node::start().await?;
    let large = |name: &str| (name.to_owned(), flags::large(60_000, 'x'));
    for round in 0..6 {
        let flags: Vec<_> = (0..10).map(|number| large(&format!("flag-{round}-{number}"))).collect();
        let changes: Vec<_> = flags.iter().map(|(key, flag)| flags::put(key, flag)).collect();
        node.api.commit(&changes).await?.ok()?;
    }
    // It still fits: nothing is said, and a reader gets it.
    let told = |answer: &Value| {
        let mut warnings = answer["warnings"].as_array().into_iter().flatten();
        warnings.any(|warning| warning.as_str().is_some_and(|warning| warning.contains("flagSetId")))
    };
    drop(reader(&node, "grpc-go/1.76.0").await?);
    let killed = node.api.kill(&json!({"flag": "flag-0-0"})).await?.ok()?;
    ensure!(!told(&killed), "{killed}");
    let more: serde_json::Map<_, _> = (0..12).map(|number| large(&format!("more-{number}"))).collect();
    let file = node.server.scratch().join("more.json");
    std::fs::write(&file, json!({ "flags": more }).to_string())?;
    let file = file.display().to_string();
    let plan = command(&node, &["plan", "-f", &file, "--json"]).await?.expect(0)?.json()?;
    ensure!(told(&plan), "{}", plan["warnings"]);
    let apply = ["apply", "-f", &file, "--reason", "a test"];
    command(&node, &apply).await?.expect(0)?.names(&["flagSetId"])?;
    let cut_off = reader(&node, "grpc-go/1.76.0").await;
    ensure!(cut_off.is_err(), "the message is small enough for a client");
    let killed = node.api.kill(&json!({"flag": "flag-0-1"})).await?.ok()?;
    ensure!(told(&killed), "the kill does not say who will not get it: {}", killed["warnings"]);
    let shown = node.api.get_root("/v1/environments/production").await?.ok()?;
    ensure!(shown["too_large_for_flagd"].as_u64().is_some_and(|bytes| bytes > 4 * 1024 * 1024), "{shown}");
    let doctor: Value = serde_json::from_str(&node.run(&["doctor", "--json"])?)?;
    let mut findings = doctor["checks"].as_array().into_iter().flatten();
    let finding = findings.find(|finding| finding["check"] == "flagd clients");
    ensure!(finding.is_some_and(|finding| finding["state"] == "warning"), "{doctor}");
    Ok(())
}

async fn connections(node: &Node) -> Result<Vec<Value>> {
    let listed = node.api.get("connections").await?.ok()?;
    listed["items"].as_array().cloned().context("items")
}

async fn listed() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let _in_process = reader(&node, "grpc-go/1.76.0").await?;
    let mut remote = ServiceClient::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let asked = request(EventStreamRequest {}, Some(node.api.key()), Some("source=production"));
    let mut events = remote.event_stream(asked).await?.into_inner();
    events.message().await?.context("ready")?;
    eventually(SOON, "both are listed", || async {
        let mut seen: Vec<_> = connections(&node)
            .await?
            .iter()
            .map(|item| (item["transport"].clone(), item["level"].clone()))
            .collect();
        seen.sort_by_key(|(transport, _)| transport.to_string());
        ensure!(seen == [(json!("flagd"), json!("sent")), (json!("flagd-rpc"), json!("sent"))], "{seen:?}");
        Ok(())
    })
    .await
}

async fn split_differently() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::rollout(50)).await?.ok()?;
    let _go = reader(&node, "grpc-go/1.76.0").await?;
    let _rust = reader(&node, "tonic/0.13").await?;
    let marked = || async {
        let connections = connections(&node).await?;
        let differing = connections.iter().filter(|item| item["splits_differently"] == true);
        let mut agents: Vec<_> = differing.filter_map(|item| item["sdk"].as_str().map(str::to_owned)).collect();
        agents.sort();
        anyhow::Ok(agents.join(" "))
    };
    let named = marked().await?;
    ensure!(named.contains("grpc-go") && !named.contains("tonic/0.13"), "{named}");
    let doctor: Value = serde_json::from_str(&node.run(&["doctor", "--json"])?)?;
    let finding = doctor["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["check"] == "bucketing"));
    ensure!(finding.is_some_and(|finding| finding["state"] == "warning"), "{doctor}");
    let settings = json!({"bucketing": "v2", "rebuckets_everybody": true});
    node.api.put("settings?reason=test", &settings).await?.ok()?;
    let named = marked().await?;
    ensure!(!named.contains("grpc-go") && named.contains("tonic/0.13"), "{named}");
    Ok(())
}
