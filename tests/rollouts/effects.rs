//! What a rollout really does to users, and what ends it, in its answers.

use anyhow::{Context as _, ensure};
use ripcord_tests::api::id_of;
use ripcord_tests::{Api, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

fn plan(steps: &Value) -> Value {
    json!({"flag": "checkout", "variant": "on", "steps": steps, "no_gates": true})
}

/// The rollout once it is so.
async fn until(api: &Api, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    eventually(SOON, what, || async {
        let rollout = api.get(&format!("rollouts/{id}")).await?.ok()?;
        ensure!(is_so(&rollout), "{rollout}");
        Ok(rollout)
    })
    .await
}

async fn a_rollout_of_a_rule_that_nobody_reaches_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    let steps = plan(&json!([{"to": "100%", "hold": "1s"}]));
    let split = json!({"id": "gradual", "serve": {"split": [{"variant": "on", "weight": 0}, {"variant": "off", "weight": 100}]}});
    let fractional = json!({"jsonlogic": {"fractional": [["on", 10], ["off", 90]]}});
    for rules in [
        json!([{"id": "all", "serve": "off"}]),
        json!([{"id": "all", "serve": "off"}, split]),
        json!([{"serve": fractional}]),
    ] {
        let mut flag = flags::boolean("off");
        flag["rules"] = rules;
        admin.put_flag("checkout", &flag).await?.ok()?;
        let refused = admin.post("rollouts", &steps).await?.problem(422, "INVALID")?;
        ensure!(refused["errors"][0]["path"] == "rule", "{refused}");
    }
    ensure!(admin.pages("rollouts").await?.is_empty(), "one was started");
    Ok(())
}

async fn a_step_tells_how_many_users_it_changed(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let steps = json!([{"to": "20%", "hold": "1s"}, {"to": "50%", "hold": "1h"}]);
    let id = id_of(&admin.post("rollouts", &plan(&steps)).await?.ok()?)?;
    let second = until(&admin, &id, "the second step is taken", |rollout| rollout["step"] == 2).await?;
    let share = |changed: &Value| changed["share"].as_f64();
    let (first, second) = (share(&second["past"][0]["changed"]), share(&second["changed"]));
    ensure!(first.is_some_and(|share| (0.17..0.23).contains(&share)), "{first:?}");
    ensure!(second.is_some_and(|share| (0.26..0.34).contains(&share)), "{second:?}");
    Ok(())
}

async fn a_kill_names_the_rollouts_that_it_ends(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let id = id_of(&admin.post("rollouts", &plan(&json!([{"to": "20%", "hold": "1h"}]))).await?.ok()?)?;
    until(&admin, &id, "the step is taken", |rollout| rollout["step"] == 1).await?;
    let killed = admin.kill(&json!({"flag": "checkout"})).await?.ok()?;
    ensure!(
        killed["rollouts"] == json!([id]) && killed["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()),
        "{killed}"
    );
    until(&admin, &id, "it is over", |rollout| rollout["state"] == "aborted").await?;
    admin.put_flag("search", &flags::boolean("off")).await?.ok()?;
    let other = admin.kill(&json!({"flag": "search"})).await?.ok()?;
    ensure!(other["rollouts"].is_null(), "{other}");
    Ok(())
}

async fn an_approval_answers_with_the_state_after_it(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let steps = json!([{"to": "20%", "hold": "1s"}, {"to": "50%", "hold": "1h", "approve": "oncall"}]);
    let id = id_of(&admin.post("rollouts", &plan(&steps)).await?.ok()?)?;
    let waits = until(&admin, &id, "it waits", |rollout| rollout["waits_for"] == "approval").await?;
    let approved = admin
        .role("oncall")
        .await?
        .post(&format!("rollouts/{id}/approve"), &json!({"reason": "fine"}))
        .await?
        .ok()?;
    ensure!(approved["waits_for"].is_null() && approved["state"] == "holding", "{approved}");
    ensure!(approved["reason"] != waits["reason"], "{approved}");
    until(&admin, &id, "the step is taken", |rollout| rollout["step"] == 2).await?;
    let advanced = admin.post(&format!("rollouts/{id}/advance"), &json!({"reason": "enough"})).await?.ok()?;
    ensure!(advanced["advance"]["reason"].as_str().context("the request")? == "enough", "{advanced}");
    Ok(())
}

on_both_stores!(
    a_rollout_of_a_rule_that_nobody_reaches_is_refused,
    a_step_tells_how_many_users_it_changed,
    a_kill_names_the_rollouts_that_it_ends,
    an_approval_answers_with_the_state_after_it
);
