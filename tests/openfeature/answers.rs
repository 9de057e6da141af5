//! What OFREP answers, to the letter.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_tests::{Answer, flags};
use serde_json::{Value, json};

use crate::node::Node;
use crate::trial;

const SINGLE: &str = "/ofrep/v1/evaluate/flags";
const BULK: &str = "/ofrep/v1/evaluate/flags?environment=production";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ofrep_answers_one_flag_with_exactly_what_the_protocol_says", one_flag),
        trial("ofrep_answers_all_flags_under_a_tag_of_the_answers", all_flags),
        trial("ofrep_tells_browsers_of_a_kill_and_counts_who_fetched", a_kill),
        trial("ofrep_shows_public_keys_only_what_is_marked_for_them", public_keys),
        trial("ofrep_lets_pages_of_other_origins_call", other_origins),
    ]
}

async fn post(node: &Node, path: &str, body: &Value) -> Result<Answer> {
    ripcord_tests::api::read(node.api.request(Method::POST, path).json(body)).await
}

async fn one(node: &Node, key: &str) -> Result<Answer> {
    post(
        node,
        &format!("{SINGLE}/{key}?environment=production"),
        &json!({"context": {"targetingKey": "u"}}),
    )
    .await
}

async fn one_flag() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    node.api
        .put_flag(
            "numbers",
            &json!({"variants": {"a": 0.0, "b": 10}, "default": "a", "safe": "b", "metadata": {"team": "x"}}),
        )
        .await?
        .ok()?;
    node.api
        .put_flag("a:b", &json!({"variants": {"x": {"y": 1}}, "default": null, "safe": "x"}))
        .await?
        .ok()?;
    node.api
        .put_flag("off", &json!({"enabled": false, "variants": {"x": 1}, "default": "x", "safe": "x"}))
        .await?
        .ok()?;
    let broken = json!({"variants": {"x": 1}, "default": "x", "safe": "x", "rules": [{"serve": {"jsonlogic": {"nowhere": [1]}}}]});
    node.api.put_flag("broken", &broken).await?.ok()?;
    let plain = one(&node, "plain").await?;
    ensure!(plain.status == 200 && plain.header("content-type") == Some("application/json"), "{plain:?}");
    ensure!(
        plain.body == json!({"key": "plain", "reason": "STATIC", "value": true, "variant": "on", "metadata": {}}),
        "{}",
        plain.body
    );
    let numbers = one(&node, "numbers").await?.ok()?;
    ensure!(numbers.to_string().contains("\"value\":0.0"), "a number goes out as it was written: {numbers}");
    ensure!(one(&node, "a%3Ab").await?.ok()? == json!({"key": "a:b", "reason": "DEFAULT", "metadata": {}}));
    ensure!(one(&node, "off").await?.ok()? == json!({"key": "off", "reason": "DISABLED", "metadata": {}}));
    let missing = one(&node, "missing").await?;
    ensure!(
        missing.status == 404 && missing.body["errorCode"] == "FLAG_NOT_FOUND" && missing.body["key"] == "missing",
        "{missing:?}"
    );
    let broken = one(&node, "broken").await?;
    ensure!(
        broken.status == 400 && broken.body["errorCode"] == "PARSE_ERROR" && broken.body["errorDetails"].as_str().is_some_and(|text| !text.is_empty()),
        "{broken:?}"
    );
    let kill = node.api.kill_flag("plain").await?;
    let killed = json!({"key": "plain", "reason": "DEFAULT", "value": false, "variant": "off", "metadata": {"ripcord.kill": kill}});
    ensure!(one(&node, "plain").await?.ok()? == killed);
    for body in ["", "{}", "{\"context\":{}}"] {
        let request = node.api.request(Method::POST, &format!("{SINGLE}/plain?environment=production")).body(body);
        let got = ripcord_tests::api::read(request).await?;
        ensure!(got.status == 200, "{body:?}: {got:?}");
    }
    Ok(())
}

async fn all_flags() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("half", &flags::rollout(50)).await?.ok()?;
    node.api.put_flag("plain", &flags::tagged("on", &["web"])).await?.ok()?;
    let context = json!({"context": {"targetingKey": "u", "a": 1, "b": 2}});
    let first = post(&node, BULK, &context).await?;
    let tag = first.header("etag").context("a tag")?.to_owned();
    ensure!(first.body["flags"].as_array().is_some_and(|flags| flags.len() == 2), "{}", first.body);
    let reordered = post(&node, BULK, &json!({"context": {"b": 2, "targetingKey": "u", "a": 1}})).await?;
    ensure!(reordered.header("etag") == Some(&tag), "the order of members means nothing");
    let again = |tag: String, context: Value| {
        let request = node.api.request(Method::POST, BULK).header("if-none-match", tag).json(&context);
        async move { ripcord_tests::api::read(request).await }
    };
    for given in [tag.clone(), format!("\"x\", W/{tag}")] {
        let unchanged = again(given, context.clone()).await?;
        ensure!(unchanged.status == 304 && unchanged.header("etag") == Some(&tag), "{unchanged:?}");
    }
    let mut served = std::collections::BTreeSet::new();
    for user in 0..20 {
        let other = again(tag.clone(), json!({"context": {"targetingKey": format!("u{user}")}})).await?;
        served.insert(other.status);
    }
    ensure!(served == [200, 304].into(), "only 200 and 304 are expected: {served:?}");
    node.api.kill_flag("plain").await?;
    ensure!(again(tag, context.clone()).await?.status == 200, "a kill changes the tag");
    let request = node.api.request(Method::POST, BULK).header("flagd-selector", "flagSetId=web").json(&context);
    let selected = ripcord_tests::api::read(request).await?.ok()?;
    ensure!(selected["flags"].as_array().is_some_and(|flags| flags.len() == 1), "{selected}");
    ensure!(selected["metadata"]["flagSetId"] == "web", "{selected}");
    let request = node.api.request(Method::POST, BULK).header("flagd-selector", "colour=red").json(&context);
    let refused = ripcord_tests::api::read(request).await?;
    ensure!(refused.status == 400 && refused.body["errorCode"] == "GENERAL", "{refused:?}");
    Ok(())
}

async fn a_kill() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let context = json!({"context": {"targetingKey": "u"}});
    let first = post(&node, BULK, &context).await?;
    let stream = &first.body["eventStreams"][0];
    ensure!(stream["type"] == "sse" && stream["inactivityDelaySec"].is_u64(), "{stream}");
    let uri = stream["endpoint"]["requestUri"].as_str().context("a URI")?;
    let mut events = reqwest::get(format!("{}{uri}", node.server.url())).await?.error_for_status()?;
    ensure!(events.headers()["content-type"] == "text/event-stream");
    let killed = node.api.kill(&json!({"flag": "plain"})).await?.ok()?;
    let mut text = String::new();
    while !text.contains("data:") {
        let chunk = tokio::time::timeout(Duration::from_secs(10), events.chunk()).await??;
        text.push_str(std::str::from_utf8(&chunk.context("the stream is open")?)?);
    }
    ensure!(text.contains("\"type\":\"refetchEvaluation\"") && !text.contains("event:"), "{text}");
    let data = text.split("data: ").nth(1).and_then(|rest| rest.lines().next()).context("data")?;
    let tag = serde_json::from_str::<Value>(data)?["etag"].as_str().context("a tag")?.to_owned();
    let path = format!("{BULK}&flagConfigEtag={tag}");
    let request = node
        .api
        .request(Method::POST, &path)
        .header("if-none-match", first.header("etag").context("tag")?)
        .json(&context);
    let fetched = ripcord_tests::api::read(request).await?.ok()?;
    ensure!(
        fetched["flags"][0]["variant"] == "off" && fetched["flags"][0]["reason"] == "DEFAULT",
        "{fetched}"
    );
    let revision = killed["revision"].as_u64().context("a revision")?;
    let confirmation = node.api.get(&format!("confirmations/{revision}")).await?.ok()?;
    ensure!(
        confirmation["fetched"]["confirmed"] == 1 && confirmation["applied"]["connected"] == 0,
        "{confirmation}"
    );
    let refused = reqwest::get(format!("{}{}", node.server.url(), uri.replace("token=", "token=00"))).await?;
    ensure!(refused.status() == 401, "a token that was tampered with: {}", refused.status());
    Ok(())
}

async fn public_keys() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("inner", &flags::boolean("on")).await?.ok()?;
    let mut open = flags::boolean("on");
    open["client"] = json!(true);
    node.api.put_flag("open", &open).await?.ok()?;
    let public = node.api.role("client").await?;
    let ask = |path: &str| {
        let request = public.request(Method::POST, path).json(&json!({"context": {"targetingKey": "u"}}));
        async move { ripcord_tests::api::read(request).await }
    };
    let all = ask("/ofrep/v1/evaluate/flags").await?.ok()?;
    ensure!(
        all["flags"].as_array().is_some_and(|flags| flags.len() == 1) && all["flags"][0]["key"] == "open",
        "{all}"
    );
    ensure!(ask(&format!("{SINGLE}/open")).await?.status == 200);
    ensure!(ask(&format!("{SINGLE}/inner")).await?.status == 404);
    ensure!(public.get("flags").await?.status == 403, "nothing else");
    let keyless = node.api.with_key(None).request(Method::POST, BULK);
    let refused = ripcord_tests::api::read(keyless).await?;
    ensure!(refused.status == 401 && refused.body["errorDetails"].is_string(), "{refused:?}");
    let by_header = node
        .api
        .with_key(None)
        .request(Method::POST, "/ofrep/v1/evaluate/flags")
        .header("x-api-key", public.key());
    ensure!(ripcord_tests::api::read(by_header).await?.status == 200);
    Ok(())
}

async fn other_origins() -> Result<()> {
    let node = Node::start().await?;
    let preflight = node
        .api
        .with_key(None)
        .request(Method::OPTIONS, "/ofrep/v1/evaluate/flags")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,if-none-match");
    let answer = preflight.send().await?;
    ensure!(answer.status() == 204, "{answer:?}");
    let allowed = answer.headers()["access-control-allow-headers"].to_str()?.to_owned();
    for header in ["content-type", "authorization", "x-api-key", "if-none-match", "flagd-selector"] {
        ensure!(allowed.contains(header), "{allowed}");
    }
    let answer = node.api.request(Method::POST, BULK).header("origin", "https://shop.example").send().await?;
    ensure!(answer.headers()["access-control-allow-origin"] == "*");
    ensure!(answer.headers()["access-control-expose-headers"].to_str()?.contains("ETag"));
    Ok(())
}
