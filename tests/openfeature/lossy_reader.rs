//! A published reader of the sync stream keeps five messages while it parses and then drops the newest: a burst must not leave it with an
//! old state.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_proto::grpc::sync_v1::SyncFlagsRequest;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_tests::{SOON, eventually, flags};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

/// Messages that the reader keeps.
const KEPT: usize = 5;
/// How long it parses one.
const PARSING: Duration = Duration::from_millis(300);
/// How often it is tried.
const ROUNDS: usize = 3;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_reader_that_drops_the_newest_message_sees_a_kill_after_a_burst", kill),
        trial("a_reader_that_drops_the_newest_message_sees_the_last_of_many_kills", kills),
        trial("a_kill_does_not_wait_for_the_changes_before_it_to_be_joined", urgent),
    ]
}

/// The reader: what it has parsed last, and how many messages it was sent.
struct LossyReader {
    parsed: watch::Receiver<Arc<Value>>,
}

impl LossyReader {
    async fn connect(node: &Node) -> Result<Self> {
        let channel = Channel::from_shared(Node::endpoint(node.sync))?.connect().await?;
        let asked = request(SyncFlagsRequest::default(), Some(node.api.key()), Some("source=production"));
        let mut stream = FlagSyncServiceClient::new(channel).sync_flags(asked).await?.into_inner();
        let (keep, mut kept) = mpsc::channel::<String>(KEPT);
        let (parsed, reading) = watch::channel(Arc::new(Value::Null));
        tokio::spawn(async move {
            while let Ok(Some(message)) = stream.message().await {
                // It never stops reading from the socket.
                drop(keep.try_send(message.flag_configuration));
            }
        });
        tokio::spawn(async move {
            while let Some(message) = kept.recv().await {
                tokio::time::sleep(PARSING).await;
                if let Ok(state) = serde_json::from_str(&message) {
                    parsed.send_replace(Arc::new(state));
                }
            }
        });
        Ok(Self { parsed: reading })
    }

    async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
        eventually(SOON, what, || {
            let state = Arc::clone(&self.parsed.borrow());
            let holds = holds(&state);
            async move { holds.then_some(()).with_context(|| format!("{state}")) }
        })
        .await
    }
}

fn is_killed(state: &Value, flag: &str) -> bool {
    state["flags"][flag]["metadata"].get("ripcord.kill").is_some()
}

async fn kill() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let reader = LossyReader::connect(&node).await?;
    reader.until("the first state", |state| state["flags"]["a"].is_object()).await?;
    for round in 0..ROUNDS {
        for number in 0..8 {
            node.api.put_flag("other", &flags::number(number + 10 * round as u64)).await?.ok()?;
        }
        let kill = node.api.kill_flag("a").await?;
        reader.until("the kill is seen", |state| is_killed(state, "a")).await?;
        node.api.restore(&kill).await?.ok()?;
        reader.until("the restore is seen", |state| !is_killed(state, "a")).await?;
    }
    Ok(())
}

async fn kills() -> Result<()> {
    let node = Node::start().await?;
    for number in 0..10 {
        node.api.put_flag(&format!("flag-{number}"), &flags::boolean("on")).await?.ok()?;
    }
    let reader = LossyReader::connect(&node).await?;
    reader.until("the first state", |state| state["flags"]["flag-9"].is_object()).await?;
    for number in 0..10 {
        node.api.kill_flag(&format!("flag-{number}")).await?;
    }
    reader.until("the last kill is seen", |state| is_killed(state, "flag-9")).await
}

async fn urgent() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("a", &flags::boolean("on")).await?.ok()?;
    let channel = Channel::from_shared(Node::endpoint(node.sync))?.connect().await?;
    let asked = request(SyncFlagsRequest::default(), Some(node.api.key()), Some("source=production"));
    let mut stream = FlagSyncServiceClient::new(channel).sync_flags(asked).await?.into_inner();
    stream.message().await?.context("the flags")?;
    for number in 0..20 {
        node.api.put_flag("other", &flags::number(number)).await?.ok()?;
    }
    let revision = node.api.kill(&serde_json::json!({"flag": "a"})).await?.revision()?;
    let mut messages = 0;
    loop {
        let message = tokio::time::timeout(SOON, stream.message()).await??.context("the stream is open")?;
        messages += 1;
        if message.flag_configuration.contains("ripcord.kill") {
            break;
        }
    }
    ensure!(messages < 20, "{messages} messages for 21 changes: they were not joined");
    eventually(SOON, "the kill counts as sent", || async {
        let confirmation = node.api.get(&format!("confirmations/{revision}")).await?.ok()?;
        ensure!(confirmation["sent"]["confirmed"] == 1, "{confirmation}");
        Ok(())
    })
    .await
}
