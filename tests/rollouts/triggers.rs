//! Triggers over real processes: signals as other systems send them, and what becomes of the flags.

mod asking;
mod bad_input;
mod gates;
mod nodes;
mod storms;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ring::hmac;
use ripcord_tests::api::read;
use ripcord_tests::{Answer, Api, Outcome, SOON, Server, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

/// A trigger as it was made.
pub struct Made {
    /// Where its signals go.
    pub hook: String,
    /// What proves them.
    pub secret: String,
}

/// Makes a trigger `error-rate` of this kind that does `action`.
pub async fn make(api: &Api, action: &Value, more: &Value) -> anyhow::Result<Made> {
    let mut trigger = json!({"name": "error-rate", "source": "alertmanager", "action": action});
    let members = trigger.as_object_mut().context("an object")?;
    members.extend(more.as_object().context("an object")?.clone());
    let made = api.post("triggers", &trigger).await?.ok()?;
    Ok(Made {
        hook: made["hook"].as_str().unwrap_or_default().to_owned(),
        secret: made["secret"].as_str().context("a secret, shown once")?.to_owned(),
    })
}

/// The environment lets its triggers do so.
pub async fn mode(api: &Api, mode: &str) -> anyhow::Result<()> {
    api.put("policy", &json!({"triggers": mode})).await?.ok().map(drop)
}

/// A webhook of Alertmanager about one group. `from` and `to` are seconds of the same minute.
pub fn alert(status: &str, group: &str, from: u32, to: Option<u32>) -> Value {
    let ends = to.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |to| format!("2026-01-05T10:00:{to:02}Z"));
    let labels = json!({"alertname": "HighErrorRate", "severity": "page", "service": "checkout"});
    json!({"version": "4", "groupKey": format!("{{}}:{{alertname=\"{group}\"}}"), "truncatedAlerts": 0, "status": status, "receiver": "ripcord",
        "groupLabels": {"alertname": "HighErrorRate"}, "commonLabels": labels, "commonAnnotations": {}, "externalURL": "http://alertmanager:9093",
        "alerts": [{"status": status, "labels": labels, "annotations": {"summary": "5% of requests fail"}, "startsAt": format!("2026-01-05T10:00:{from:02}Z"),
            "endsAt": ends, "generatorURL": "http://prometheus:9090/graph", "fingerprint": "c1a0b2"}]})
}

/// Sends a body to a hook with a bearer token, as Alertmanager does.
pub async fn send(api: &Api, made: &Made, body: &Value) -> anyhow::Result<Answer> {
    let caller = api.with_key(Some(&made.secret));
    read(caller.request(Method::POST, &made.hook).json(body)).await
}

/// The same, with what it must have come to.
pub async fn sent(api: &Api, made: &Made, body: &Value, outcome: &str) -> anyhow::Result<Value> {
    let body = send(api, made, body).await?.ok()?;
    ensure!(body["outcome"] == outcome, "expected {outcome}: {body}");
    Ok(body)
}

/// The newest firings.
pub async fn firings(api: &Api) -> anyhow::Result<Vec<Value>> {
    api.pages("firings").await
}

/// A firing by its id.
pub async fn firing(api: &Api, id: &Value) -> anyhow::Result<Value> {
    api.get(&format!("firings/{}", id.as_str().context("an id")?)).await?.ok()
}

/// A flag that was off, and a release that has turned it on.
async fn released(server: &Server) -> anyhow::Result<Api> {
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    admin.post("releases", &json!({"name": "web-12"})).await?.ok()?;
    admin.put("flags/checkout?reason=launch&release=web-12", &flags::boolean("on")).await?.ok()?;
    Ok(admin)
}

async fn an_alert_takes_the_open_release_back_by_itself(world: World) -> Outcome {
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    let more = json!({"conditions": {"labels": {"severity": ["page", "critical"]}, "during": "open_release", "about": "real_traffic"}});
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &more).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(came["rollback"].is_string() && came["provisional"] != true, "{came}");
    ensure!(admin.value("checkout").await? == false, "it is off again");
    let rollback = admin.get(&format!("rollbacks/{}", came["rollback"].as_str().unwrap_or_default())).await?.ok()?;
    ensure!(rollback["by"]["name"] == "trigger error-rate", "{rollback}");
    ensure!(rollback["scope"] == json!({"release": "web-12"}), "{rollback}");
    let entry = admin.log().await?.swap_remove(0);
    ensure!(entry["actor"]["name"] == "trigger error-rate" && entry["reason"].is_string(), "{entry}");
    let fired = firing(&admin, &came["firing"]).await?;
    ensure!(fired["state"] == "acted" && fired["effects"]["flags"][0]["key"] == "checkout", "{fired}");
    // The alert is repeated, and ends: one alert, one action.
    sent(&admin, &made, &alert("firing", "a", 1, None), "repeat").await?;
    sent(&admin, &made, &alert("resolved", "a", 1, Some(9)), "resolved").await?;
    let firings = firings(&admin).await?;
    ensure!(
        firings.len() == 1 && firings[0]["repeats"] == 1 && firings[0]["resolved"].is_string(),
        "{firings:?}"
    );
    Ok(())
}

async fn a_signed_event_kills_and_a_kill_that_was_restored_stays_so(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    mode(&admin, "automatic").await?;
    let more = json!({"source": {"json": {"pointer": "/error_rate", "above": 0.05}}, "credential": "hmac", "cooldown": "0s"});
    let made = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &more).await?;
    let came = signed(&admin, &made, &json!({"error_rate": 0.2, "service": "checkout"}), 0).await?.ok()?;
    ensure!(came["outcome"] == "fired" && came["kills"][0].is_string(), "{came}");
    ensure!(admin.value("checkout").await? == false, "it is killed");
    let kill = admin.get(&format!("kills/{}", came["kills"][0].as_str().unwrap_or_default())).await?.ok()?;
    ensure!(kill["actor"]["name"] == "trigger error-rate" && kill["reason"].is_string(), "{kill}");
    admin.restore(came["kills"][0].as_str().unwrap_or_default()).await?.ok()?;
    // It is still bad, and in the meantime a person has decided.
    let again = signed(&admin, &made, &json!({"error_rate": 0.3}), 1).await?.ok()?;
    ensure!(again["outcome"] == "repeat", "{again}");
    ensure!(admin.value("checkout").await? == true, "what was restored stays restored");
    ensure!(signed(&admin, &made, &json!({"error_rate": 0.01}), 2).await?.ok()?["outcome"] == "resolved");
    // A new incident is another matter.
    let next = signed(&admin, &made, &json!({"error_rate": 0.4}), 3).await?.ok()?;
    ensure!(next["outcome"] == "fired" && next["kills"] != came["kills"], "{next}");
    ensure!(admin.value("checkout").await? == false);
    Ok(())
}

async fn a_dry_run_says_what_it_would_have_done(world: World) -> Outcome {
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({"state": "dry_run"})).await?;
    let revision = admin.revision().await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    let fired = firing(&admin, &came["firing"]).await?;
    ensure!(fired["state"] == "dry_run", "{fired}");
    let moved = json!([{"key": "checkout", "from": "on", "to": "off"}]);
    ensure!(fired["effects"]["flags"] == moved, "{fired}");
    ensure!(
        admin.revision().await? == revision && admin.value("checkout").await? == true,
        "nothing was changed"
    );
    Ok(())
}

async fn a_one_way_door_makes_a_hold_of_a_rollback(world: World) -> Outcome {
    let admin = world.admin();
    let mut flag = flags::boolean("off");
    flag["one_way"] = json!({"from": "on", "reason": "new orders are written in the new format"});
    admin.put_flag("checkout", &flag).await?.ok()?;
    admin.post("releases", &json!({"name": "web-12"})).await?.ok()?;
    let plan = json!({"flag": "checkout", "variant": "on", "release": "web-12", "steps": [{"to": "10%", "hold": "1h"}], "no_gates": true});
    let rollout = admin.post("rollouts", &plan).await?.ok()?;
    let id = rollout["id"].as_str().context("an id")?.to_owned();
    eventually(SOON, "the first step is taken", || async {
        ensure!(admin.get(&format!("rollouts/{id}")).await?.ok()?["step"] == 1, "not yet");
        Ok(())
    })
    .await?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({})).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    let fired = firing(&admin, &came["firing"]).await?;
    ensure!(fired["state"] == "held" && fired["effects"]["held"] == json!([id]), "{fired}");
    let held = admin.get(&format!("rollouts/{id}")).await?.ok()?;
    ensure!(held["state"] == "paused" && held["reason"].is_string(), "{held}");
    Ok(())
}

on_both_stores!(
    an_alert_takes_the_open_release_back_by_itself,
    a_signed_event_kills_and_a_kill_that_was_restored_stays_so,
    a_dry_run_says_what_it_would_have_done,
    a_one_way_door_makes_a_hold_of_a_rollback
);

/// Sends a body, signed at `ahead` seconds from now.
pub async fn signed(api: &Api, made: &Made, body: &Value, ahead: i64) -> anyhow::Result<Answer> {
    let (text, header) = signature(made, body, ahead);
    send_signed(api, made, &text, &header).await
}

/// A body, and the header that signs it at `ahead` seconds from now.
pub fn signature(made: &Made, body: &Value, ahead: i64) -> (String, String) {
    let text = body.to_string();
    let header = signature_of(made, &text, ahead);
    (text, header)
}

/// The header that signs a text at `ahead` seconds from now.
pub fn signature_of(made: &Made, text: &str, ahead: i64) -> String {
    let time = jiff::Timestamp::now().as_second() + ahead;
    let key = hmac::Key::new(hmac::HMAC_SHA256, made.secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{text}").as_bytes());
    let hex: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={}", hex.concat())
}

/// Sends a body with the header that signs it.
pub async fn send_signed(api: &Api, made: &Made, text: &str, header: &str) -> anyhow::Result<Answer> {
    let caller = api.with_key(None);
    let request = caller.request(Method::POST, &made.hook).header("ripcord-signature", header);
    read(request.body(text.to_owned())).await
}
