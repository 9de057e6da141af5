//! Rollbacks: what the plan showed, or a refusal that says why.

use anyhow::{Context as _, ensure};
use ripcord_tests::{Answer, Api, Outcome, World, flags, on_both_stores};
use serde_json::{Value, json};

async fn plan(api: &Api, body: &Value) -> anyhow::Result<Value> {
    api.post("rollbacks/plan", body).await?.ok()
}

async fn execute(api: &Api, body: &Value, plan: &Value) -> anyhow::Result<Answer> {
    let mut body = body.clone();
    body["plan"] = plan["hash"].clone();
    api.post("rollbacks", &body).await
}

/// Revision 1: `checkout` and `search` are off. Revision 2: both are on, and `new` is there.
async fn released(admin: &Api) -> anyhow::Result<()> {
    let put = |key: &str, variant: &str| flags::put(key, &flags::boolean(variant));
    admin.commit(&[put("checkout", "off"), put("search", "off")]).await?.ok()?;
    admin.commit(&[put("checkout", "on"), put("search", "on"), put("new", "on")]).await?.ok()?;
    Ok(())
}

async fn a_rollback_does_what_its_plan_showed(world: World) -> Outcome {
    let admin = world.admin();
    released(&admin).await?;
    let body = json!({"to": 1});
    let plan = plan(&admin, &body).await?;
    let steps = plan["flags"].as_array().context("flags")?;
    ensure!(steps.len() == 3 && plan["conflicts"] == json!([]), "{plan}");
    ensure!(admin.revision().await? == 2, "planning committed something");
    let done = execute(&admin, &body, &plan).await?.ok()?;
    ensure!(done["revision"] == 3 && done["plan"] == plan["hash"], "one commit: {done}");
    for step in steps {
        let key = step["key"].as_str().context("key")?;
        let now = admin.flag(key).await?;
        ensure!(now["flag"] == step["to"], "{key} is {now}, the plan showed {step}");
    }
    ensure!(admin.flag("new").await?["flag"]["enabled"] == false, "what the target lacks is switched off");
    Ok(())
}

async fn a_plan_of_a_rollback_is_refused_once_the_world_has_moved(world: World) -> Outcome {
    let admin = world.admin();
    released(&admin).await?;
    let body = json!({"to": 1, "flags": ["checkout"]});
    let planned = plan(&admin, &body).await?;
    admin.put_flag("search", &flags::boolean("off")).await?.ok()?;
    ensure!(plan(&admin, &body).await?["hash"] == planned["hash"], "what does not concern it moved the plan");
    admin.put_flag("checkout", &flags::rollout(30)).await?.ok()?;
    let refused = execute(&admin, &body, &planned).await?.problem(409, "PLAN_STALE")?;
    ensure!(refused["plan"].is_string() && refused["plan"] != planned["hash"], "{refused}");
    admin.kill_flag("checkout").await?;
    let again = json!({"plan": refused["plan"], "to": 1, "flags": ["checkout"]});
    admin.post("rollbacks", &again).await?.problem(409, "PLAN_STALE")?;
    ensure!(admin.flag("checkout").await?["flag"]["rules"].is_array(), "a refused plan was executed");
    Ok(())
}

async fn a_plan_is_for_this_target_scope_and_environment_and_no_other(world: World) -> Outcome {
    let admin = world.admin();
    released(&admin).await?;
    let planned = plan(&admin, &json!({"to": 1, "flags": ["checkout"]})).await?;
    for other in [json!({"to": 1}), json!({"to": 0, "flags": ["checkout"]}), json!({"to": 1, "flags": ["search"]})] {
        execute(&admin, &other, &planned).await?.problem(409, "PLAN_STALE")?;
    }
    admin
        .send(reqwest::Method::POST, "/v1/environments", Some(&json!({"key": "elsewhere"})), &[])
        .await?
        .ok()?;
    let elsewhere = admin.environment("elsewhere");
    released(&elsewhere).await?;
    execute(&elsewhere, &json!({"to": 1, "flags": ["checkout"]}), &planned)
        .await?
        .problem(409, "PLAN_STALE")?;
    ensure!(elsewhere.revision().await? == 2);
    Ok(())
}

async fn what_is_not_there_is_refused_and_nothing_changes(world: World) -> Outcome {
    let admin = world.admin();
    released(&admin).await?;
    let post = async |body: Value| admin.post("rollbacks", &body).await;
    post(json!({"to": "no-such-checkpoint"})).await?.problem(404, "NOT_FOUND")?;
    post(json!({"to": 99})).await?.problem(422, "INVALID")?;
    post(json!({"to": "last-known-good"})).await?.problem(409, "NO_KNOWN_GOOD")?;
    post(json!({"to": 1, "tags": ["nobody-has-it"]})).await?.problem(422, "EMPTY_SCOPE")?;
    post(json!({"to": 1, "release": "none"})).await?.problem(404, "NOT_FOUND")?;
    ensure!(admin.revision().await? == 2);
    Ok(())
}

async fn a_flag_that_was_deleted_since_comes_back(world: World) -> Outcome {
    let admin = world.admin();
    released(&admin).await?;
    let was = admin.flag("checkout").await?["flag"].clone();
    admin.delete("flags/checkout?reason=archived").await?.ok()?;
    let body = json!({"to": 2, "flags": ["checkout"]});
    let planned = plan(&admin, &body).await?;
    ensure!(planned["flags"][0]["from"].is_null() && planned["flags"][0]["to"] == was, "{planned}");
    execute(&admin, &body, &planned).await?.ok()?;
    ensure!(admin.flag("checkout").await?["flag"] == was);
    Ok(())
}

async fn of_two_rollbacks_at_once_one_wins_and_the_other_is_told_which(world: World) -> Outcome {
    let admin = world.admin();
    for (percent, variant) in [(0, "off"), (80, "on")] {
        let changes = [flags::put("checkout", &flags::rollout(percent)), flags::put("search", &flags::boolean(variant))];
        admin.commit(&changes).await?.ok()?;
    }
    let staged = json!({"to": 1, "flags": ["checkout"], "steps": [50], "every_seconds": 3600});
    let (one, other) = tokio::join!(admin.post("rollbacks", &staged), admin.post("rollbacks", &staged));
    let (one, other) = (one?, other?);
    let (won, lost) = if one.status == 201 { (one, other) } else { (other, one) };
    let (won, lost) = (won.ok()?, lost.problem(409, "ROLLBACK_UNDER_WAY")?);
    ensure!(lost["rollback"] == won["id"], "{lost}");
    admin.post("rollbacks", &json!({"to": 1, "flags": ["search"]})).await?.ok()?;
    ensure!(
        admin.post("rollbacks", &json!({"to": 1})).await?.body["code"] == "ROLLBACK_UNDER_WAY",
        "everything holds what is on its way, too"
    );
    Ok(())
}

on_both_stores!(
    a_rollback_does_what_its_plan_showed,
    a_plan_of_a_rollback_is_refused_once_the_world_has_moved,
    a_plan_is_for_this_target_scope_and_environment_and_no_other,
    what_is_not_there_is_refused_and_nothing_changes,
    a_flag_that_was_deleted_since_comes_back,
    of_two_rollbacks_at_once_one_wins_and_the_other_is_told_which
);
