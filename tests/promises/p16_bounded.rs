//! Promise 16. Bounded: every name, count, list and body from outside has a limit; evaluation of JSONLogic has a budget.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::{Api, App, Outcome, World, flags, on_both_stores};
use serde_json::{Map, Value, json};

const BULK: &str = "/ofrep/v1/evaluate/flags";

async fn evaluate(api: &Api, context: &Value) -> anyhow::Result<ripcord_tests::api::Answer> {
    api.send(Method::POST, BULK, Some(&json!({ "context": context })), &[]).await
}

fn attributes(count: usize, bytes: usize) -> Value {
    let text = "x".repeat(bytes);
    let members: Map<String, Value> = (0..count).map(|number| (format!("attribute-{number:06}"), json!(text))).collect();
    Value::Object(members)
}

async fn a_public_key_may_send_less_than_others(world: World) -> Outcome {
    let admin = world.admin();
    let mut flag = flags::boolean("on");
    flag["client"] = json!(true);
    admin.put_flag("checkout", &flag).await?.ok()?;
    let (browser, backend) = (admin.role("client").await?, admin.role("sdk").await?);
    evaluate(&browser, &attributes(200, 10)).await?.ok()?;
    let many = evaluate(&browser, &attributes(300, 10)).await?;
    ensure!((many.status, &many.body["errorCode"]) == (400, &json!("INVALID_CONTEXT")), "{many:?}");
    let large = evaluate(&browser, &attributes(100, 1_000)).await?;
    ensure!(large.status == 413, "{large:?}");
    evaluate(&backend, &attributes(300, 1_000)).await?.ok()?;
    let many = evaluate(&backend, &attributes(5_000, 10)).await?;
    ensure!((many.status, &many.body["errorCode"]) == (400, &json!("INVALID_CONTEXT")), "{many:?}");
    Ok(())
}

async fn a_rule_that_asks_for_gigabytes_is_never_stored(world: World) -> Outcome {
    let admin = world.admin();
    let doubling = json!({"reduce": [{"var": "l"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
    let mut flag = flags::boolean("off");
    flag["rules"] = json!([{"serve": {"jsonlogic": {"if": [doubling, "on", "off"]}}}]);
    admin.put_flag("checkout", &flag).await?.problem(422, "INVALID")?;
    Ok(())
}

/// 200 flags of 20 rules, and contexts as large as a public key may send.
async fn a_kill_does_not_wait_behind_evaluations_that_take_long(world: World) -> Outcome {
    let admin = world.admin();
    let logic = |name: &str| json!({"when": {"jsonlogic": {"==": [{"cat": [{"var": name}, {"var": "other"}]}, "no"]}}, "serve": "on"});
    let rules: Vec<Value> = (0..20).map(|number| logic(&format!("attribute-{number:06}"))).collect();
    let mut flag = flags::boolean("off");
    (flag["rules"], flag["client"]) = (json!(rules), json!(true));
    let changes: Vec<Value> = (0..200)
        .map(|number| json!({"put_flag": {"key": format!("flag-{number}"), "flag": flag}}))
        .collect();
    admin.commit(&changes).await?.ok()?;
    let browser = admin.role("client").await?;
    let context = attributes(200, 200);
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (browser, context) = (browser.clone(), context.clone());
            tokio::spawn(async move {
                let until = Instant::now() + Duration::from_secs(3);
                let mut answered = 0_u32;
                while Instant::now() < until {
                    let got = evaluate(&browser, &context).await?;
                    ensure!([200, 503].contains(&got.status), "{got:?}");
                    answered += u32::from(got.status == 200);
                }
                Ok(answered)
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for number in 0..10 {
        let began = Instant::now();
        admin.kill_flag(&format!("flag-{number}")).await?;
        slowest = slowest.max(began.elapsed());
    }
    let mut answered = 0;
    for caller in callers {
        answered += caller.await??;
    }
    ensure!(answered > 0, "nobody was answered");
    ensure!(slowest < Duration::from_secs(3), "a kill took {slowest:?}");
    Ok(())
}

async fn an_id_of_ofrep_never_touches_an_application(world: World) -> Outcome {
    let admin = world.admin();
    let mut flag = flags::boolean("on");
    flag["client"] = json!(true);
    admin.put_flag("checkout", &flag).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "shop").await?;
    admin.connected(1).await?;
    let listed = admin.get("connections").await?.ok()?;
    let id = listed["items"][0]["id"].as_str().context("an id")?.to_owned();
    let browser = admin.role("client").await?;
    let bulk = evaluate(&browser, &json!({"targetingKey": "u"})).await?.ok()?;
    let uri = bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().context("a stream")?.to_owned();
    let (before, rest) = uri.split_once("client=").context("a client")?;
    let after = rest.split_once('&').map_or("", |(_, after)| after);
    let forged = browser.with_key(None).get_root(&format!("{before}client={id}&{after}")).await?;
    ensure!(forged.status == 401, "{forged:?}");
    let killed = admin.post("kills?wait=5s", &json!({"scope": {"flag": "checkout"}})).await?.ok()?;
    let applied = &killed["confirmation"]["applied"];
    ensure!((&applied["connected"], &applied["confirmed"]) == (&json!(1), &json!(1)), "{killed}");
    drop(app);
    Ok(())
}

on_both_stores!(
    a_public_key_may_send_less_than_others,
    a_rule_that_asks_for_gigabytes_is_never_stored,
    a_kill_does_not_wait_behind_evaluations_that_take_long,
    an_id_of_ofrep_never_touches_an_application
);
