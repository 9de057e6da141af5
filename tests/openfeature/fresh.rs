//! OFREP clients fetch again only if something that they see has changed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_tests::api::{Answer, read};
use ripcord_tests::{Api, flags};
use serde_json::json;

use crate::node::Node;
use crate::trial;

const BULK: &str = "/ofrep/v1/evaluate/flags";
const SOON: Duration = Duration::from_secs(10);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_bulk_tag_stays_while_what_was_answered_does", tags),
        trial("an_event_comes_only_for_what_the_client_sees_and_nobody_is_missing_for_the_rest", events),
    ]
}

async fn bulk(client: &Api, tag: Option<&str>) -> Result<Answer> {
    let mut request = client.request(Method::POST, BULK).json(&json!({"context": {"targetingKey": "u"}}));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    read(request).await
}

fn public(default: &str, description: &str) -> serde_json::Value {
    let mut flag = flags::boolean(default);
    flag["client"] = json!(true);
    flag["description"] = json!(description);
    flag
}

async fn tags() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("seen", &public("on", "one")).await?.ok()?;
    let browser = node.api.role("client").await?;
    let tag = bulk(&browser, None).await?.header("etag").context("a tag")?.to_owned();
    node.api.put_flag("hidden", &flags::boolean("on")).await?.ok()?;
    node.api.put_flag("seen", &public("on", "another")).await?.ok()?;
    node.api.kill_flag("hidden").await?;
    ensure!(bulk(&browser, Some(&tag)).await?.status == 304, "nothing that it sees has changed");
    node.api.put_flag("seen", &public("off", "another")).await?.ok()?;
    let changed = bulk(&browser, Some(&tag)).await?;
    ensure!(changed.status == 200 && changed.header("etag") != Some(&tag), "{changed:?}");
    Ok(())
}

async fn events() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("seen", &public("on", "one")).await?.ok()?;
    let browser = node.api.role("client").await?;
    let first = bulk(&browser, None).await?;
    let uri = first.body["eventStreams"][0]["endpoint"]["requestUri"].as_str().context("a stream")?.to_owned();
    let stream = node.api.with_key(None).request(Method::GET, &uri).send().await?.error_for_status()?;
    let mut chunks = stream.bytes_stream();
    let greeting = tokio::time::timeout(SOON, chunks.next()).await?.context("a greeting")??;
    ensure!(greeting.starts_with(b":"), "{greeting:?}");
    bulk(&browser, first.header("etag")).await?;
    // Neither of these makes an event.
    node.api.put_flag("hidden", &flags::boolean("on")).await?.ok()?;
    let unseen = node.api.kill(&json!({"flag": "hidden"})).await?.revision()?;
    ripcord_tests::eventually(SOON, "the browser holds the answers of that revision", || async {
        let confirmation = node.api.get(&format!("confirmations/{unseen}")).await?.ok()?;
        ensure!(confirmation["fetched"]["confirmed"] == 1, "{confirmation}");
        Ok(())
    })
    .await?;
    let killed = node.api.kill(&json!({"flag": "seen"})).await?.revision()?;
    let event = tokio::time::timeout(SOON, chunks.next()).await?.context("an event")??;
    let text = String::from_utf8_lossy(&event).into_owned();
    ensure!(text.contains("refetchEvaluation") && text.contains(&format!(":{killed}")), "{text}");
    Ok(())
}
