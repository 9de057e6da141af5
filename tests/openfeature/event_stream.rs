//! Remote clients that keep answers until an event names the flag: what they are told on shutdown, and of what they missed.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient;
use ripcord_proto::grpc::evaluation_v2::{EventStreamRequest, EventStreamResponse, ResolveBooleanRequest};
use ripcord_tests::flags;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::grpc::{request, to_map};
use crate::node::Node;
use crate::trial;

const SOON: Duration = Duration::from_secs(10);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("the_event_stream_ends_with_unavailable_on_shutdown", shutdown),
        trial("the_event_stream_ends_when_its_key_is_revoked", revoked),
        trial("a_client_that_opens_its_event_stream_again_hears_of_a_kill_in_the_gap", kill_in_the_gap),
        trial("a_client_that_opens_its_event_stream_again_hears_of_a_deletion_in_the_gap", deletion_in_the_gap),
        trial("a_client_whose_server_restarts_hears_of_a_kill_in_the_gap", restart),
        trial("a_change_that_only_people_see_makes_no_event", description),
    ]
}

/// A client as published ones are: it keeps what may be kept until an event names the flag.
struct CachingClient {
    client: ServiceClient<Channel>,
    key: String,
    kept: HashMap<String, Option<bool>>,
}

impl CachingClient {
    async fn connect(node: &Node) -> Result<Self> {
        let channel = Channel::from_shared(Node::endpoint(node.evaluation))?.connect_lazy();
        Ok(Self {
            client: ServiceClient::new(channel),
            key: node.api.role("sdk").await?.key().to_owned(),
            kept: HashMap::new(),
        })
    }

    async fn value(&mut self, flag: &str) -> Result<Option<bool>> {
        if let Some(kept) = self.kept.get(flag) {
            return Ok(*kept);
        }
        let asked = ResolveBooleanRequest {
            flag_key: flag.to_owned(),
            context: None,
        };
        let got = match self.client.resolve_boolean(request(asked, Some(&self.key), None)).await {
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            got => got?.into_inner(),
        };
        if got.reason == "STATIC" {
            self.kept.insert(flag.to_owned(), got.value);
        }
        Ok(got.value)
    }

    async fn listen(&mut self) -> Result<Streaming<EventStreamResponse>> {
        let mut stream = self
            .client
            .event_stream(request(EventStreamRequest {}, Some(&self.key), None))
            .await?
            .into_inner();
        let ready = next(&mut stream).await?;
        ensure!(ready.r#type == "provider_ready", "{ready:?}");
        Ok(stream)
    }

    /// Takes the next event that names flags.
    async fn hear(&mut self, stream: &mut Streaming<EventStreamResponse>) -> Result<Value> {
        loop {
            let event = next(stream).await?;
            if event.r#type == "configuration_change" {
                let data = Value::Object(to_map(&event.data.context("data")?));
                for flag in data["flags"].as_object().context("flags")?.keys() {
                    self.kept.remove(flag);
                }
                return Ok(data);
            }
        }
    }
}

async fn next(stream: &mut Streaming<EventStreamResponse>) -> Result<EventStreamResponse> {
    tokio::time::timeout(SOON, stream.message()).await??.context("the stream is open")
}

async fn shutdown() -> Result<()> {
    let mut node = Node::start().await?;
    let mut client = CachingClient::connect(&node).await?;
    let mut stream = client.listen().await?;
    let ended = tokio::spawn(async move {
        let mut kinds = Vec::new();
        loop {
            match stream.message().await {
                Ok(Some(event)) => kinds.push(event.r#type),
                Ok(None) => return (kinds, None),
                Err(status) => return (kinds, Some(status)),
            }
        }
    });
    tokio::task::block_in_place(|| node.server.stop())?;
    let (kinds, status) = tokio::time::timeout(SOON, ended).await??;
    ensure!(kinds.last().map(String::as_str) == Some("provider_shutdown"), "{kinds:?}");
    let status = status.context("an orderly end is final for clients")?;
    ensure!(status.code() == Code::Unavailable, "{status}");
    Ok(())
}

async fn revoked() -> Result<()> {
    let node = Node::start().await?;
    let (holder, id) = node.api.role_with_id("sdk").await?;
    let mut client = CachingClient::connect(&node).await?;
    client.key = holder.key().to_owned();
    let mut stream = client.listen().await?;
    client.hear(&mut stream).await?;
    node.api.request(Method::DELETE, &format!("/v1/keys/{id}")).send().await?.error_for_status()?;
    let ended = tokio::time::timeout(SOON, stream.message()).await?.err().context("it ends")?;
    ensure!(ended.code() == Code::Unauthenticated, "{ended}");
    Ok(())
}

/// A client that has heard of the flag `a` and keeps it, and whose stream has ended.
async fn caching_and_away(node: &Node) -> Result<CachingClient> {
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let mut client = CachingClient::connect(node).await?;
    let mut stream = client.listen().await?;
    client.hear(&mut stream).await?;
    ensure!(client.value("a").await? == Some(true));
    Ok(client)
}

async fn kill_in_the_gap() -> Result<()> {
    let node = Node::start().await?;
    let mut client = caching_and_away(&node).await?;
    node.api.kill_flag("a").await?;
    ensure!(client.value("a").await? == Some(true), "it keeps what it has");
    let mut stream = client.listen().await?;
    client.hear(&mut stream).await?;
    ensure!(client.value("a").await? == Some(false), "the kill was missed");
    Ok(())
}

async fn deletion_in_the_gap() -> Result<()> {
    let node = Node::start().await?;
    let mut client = caching_and_away(&node).await?;
    node.api.delete("flags/a?reason=test").await?.ok()?;
    let mut stream = client.listen().await?;
    let told = client.hear(&mut stream).await?;
    ensure!(told["flags"]["a"]["type"] == "delete", "{told}");
    ensure!(client.value("a").await?.is_none(), "the deletion was missed");
    Ok(())
}

async fn restart() -> Result<()> {
    let mut node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let mut client = CachingClient::connect(&node).await?;
    let mut stream = client.listen().await?;
    client.hear(&mut stream).await?;
    ensure!(client.value("a").await? == Some(true));
    node.server.restart().await?;
    node.api.kill_flag("a").await?;
    let mut stream = ripcord_tests::eventually(SOON, "the stream is open again", || {
        let mut again = CachingClient {
            client: client.client.clone(),
            key: client.key.clone(),
            kept: HashMap::new(),
        };
        async move { again.listen().await }
    })
    .await?;
    client.hear(&mut stream).await?;
    ensure!(client.value("a").await? == Some(false), "the kill was missed");
    Ok(())
}

async fn description() -> Result<()> {
    let node = Node::start().await?;
    let mut flag = flags::boolean("on");
    node.api.put_flag("a", &flag).await?.ok()?;
    let mut client = CachingClient::connect(&node).await?;
    let mut stream = client.listen().await?;
    client.hear(&mut stream).await?;
    flag["description"] = json!("another");
    node.api.put_flag("a", &flag).await?.ok()?;
    node.api.put_flag("b", &flags::boolean("on")).await?.ok()?;
    let told = client.hear(&mut stream).await?;
    ensure!(told == json!({"flags": {"b": {"type": "write"}}}), "{told}");
    Ok(())
}
