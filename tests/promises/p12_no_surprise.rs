//! Promise 12: executing with a plan's hash does exactly what the plan showed, or refuses because the world has moved.

mod rollbacks;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Answer, Api, Outcome, World, flags, on_both_stores};
use serde_json::{Value, json};

async fn plan(api: &Api, changes: &[Value]) -> anyhow::Result<Value> {
    api.post("commits/plan", &json!({"changes": changes})).await?.ok()
}

async fn execute(api: &Api, changes: &[Value], plan: &Value) -> anyhow::Result<Answer> {
    let hash = plan["hash"].as_str().context("a plan has a hash")?;
    api.post("commits", &json!({"reason": "a test", "changes": changes, "plan": hash})).await
}

async fn a_plan_shows_each_flag_as_it_is_and_as_it_would_be_and_changes_nothing(world: World) -> Outcome {
    let admin = world.admin();
    admin
        .commit(&[flags::put("edited", &flags::boolean("on")), flags::put("gone", &flags::boolean("on"))])
        .await?
        .ok()?;
    let changes = [
        flags::put("edited", &flags::boolean("off")),
        flags::delete("gone"),
        flags::put("new", &flags::boolean("on")),
    ];
    let plan = plan(&admin, &changes).await?;
    let steps = plan["flags"].as_array().context("flags")?;
    ensure!(steps.len() == 3, "{plan}");
    let step = |key: &str| steps.iter().find(|step| step["key"] == key).cloned().unwrap_or_default();
    ensure!(step("edited")["from"]["default"] == "on" && step("edited")["to"]["default"] == "off", "{plan}");
    ensure!(step("gone")["from"].is_object() && step("gone")["to"].is_null(), "{plan}");
    ensure!(step("new")["from"].is_null() && step("new")["to"].is_object(), "{plan}");
    ensure!(admin.revision().await? == 1, "planning committed something");
    execute(&admin, &changes, &plan).await?.ok()?;
    ensure!(admin.revision().await? == 2);
    Ok(())
}

async fn a_plan_holds_while_other_flags_change(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let changes = [flags::put("checkout", &flags::boolean("off"))];
    let plan = plan(&admin, &changes).await?;
    admin.put_flag("elsewhere", &flags::boolean("on")).await?.ok()?;
    execute(&admin, &changes, &plan).await?.ok()?;
    Ok(())
}

async fn a_plan_is_refused_once_the_world_has_moved(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let changes = [flags::put("checkout", &flags::boolean("off"))];
    let before_an_edit = plan(&admin, &changes).await?;
    let mut edited = flags::boolean("on");
    edited["description"] = json!("edited by another person");
    admin.put_flag("checkout", &edited).await?.ok()?;
    execute(&admin, &changes, &before_an_edit).await?.problem(409, "PLAN_STALE")?;
    let before_a_kill = plan(&admin, &changes).await?;
    admin.kill_flag("checkout").await?;
    execute(&admin, &changes, &before_a_kill).await?.problem(409, "PLAN_STALE")?;
    ensure!(admin.flag("checkout").await?["flag"]["default"] == "on", "a refused plan was executed");
    Ok(())
}

async fn a_plan_is_for_these_changes_and_no_others(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let plan = plan(&admin, &[flags::put("checkout", &flags::boolean("off"))]).await?;
    execute(&admin, &[flags::delete("checkout")], &plan).await?.problem(409, "PLAN_STALE")?;
    Ok(())
}

async fn a_plan_names_the_kills_that_stay(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let mut edited = flags::boolean("on");
    edited["description"] = json!("fixed");
    let plan = plan(&admin, &[flags::put("checkout", &edited)]).await?;
    ensure!(plan["kills"]["checkout"] == json!([id]), "{plan}");
    Ok(())
}

on_both_stores!(
    a_plan_shows_each_flag_as_it_is_and_as_it_would_be_and_changes_nothing,
    a_plan_holds_while_other_flags_change,
    a_plan_is_refused_once_the_world_has_moved,
    a_plan_is_for_these_changes_and_no_others,
    a_plan_names_the_kills_that_stay
);
