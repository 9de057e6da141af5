//! Promise 15: no answer claims more than is known. `server/docs/claims.md` lists the claims, each with the test that holds it.

mod commands;

use anyhow::ensure;
use ripcord_tests::api::id_of;
use ripcord_tests::app::Process;
use ripcord_tests::{CommandOutput, Outcome, SOON, Server, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

async fn ripcord(server: &Server, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    CommandOutput::of(server.ripcord(arguments)).await
}

/// A flag with these rules.
fn ruled(rules: &Value) -> Value {
    let mut flag = flags::boolean("off");
    flag["rules"] = rules.clone();
    flag
}

fn split(id: &str) -> Value {
    json!({"id": id, "serve": {"split": [{"variant": "on", "weight": 50}, {"variant": "off", "weight": 50}]}})
}

async fn a_rule_that_nobody_reaches_is_named_in_every_answer(world: World) -> Outcome {
    let admin = world.admin();
    let dead = ruled(&json!([{"id": "all", "serve": "off"}, split("percent")]));
    let names_it = |answer: &Value| {
        let rule = &answer["dead_rules"]["checkout"][0];
        let told = answer["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
        rule["id"] == "percent" && rule["index"] == 1 && rule["behind"] == 0 && rule["behind_id"] == "all" && told
    };
    let body = json!({"reason": "a test", "changes": [flags::put("checkout", &dead)]});
    let planned = admin.post("commits/plan", &body).await?.ok()?;
    ensure!(names_it(&planned), "{planned}");
    let committed = admin.post("commits", &body).await?.ok()?;
    ensure!(names_it(&committed), "{committed}");
    let alive = ruled(&json!([{"when": {"segment": "staff"}, "serve": "on"}, split("percent")]));
    admin
        .put("segments/staff?reason=a+test", &json!({"attribute": "plan", "equals": "staff"}))
        .await?
        .ok()?;
    let put = admin.put_flag("checkout", &alive).await?.ok()?;
    ensure!(put["dead_rules"].is_null(), "{put}");
    let put = admin.put_flag("checkout", &dead).await?.ok()?;
    ensure!(names_it(&put), "{put}");
    Ok(())
}

async fn a_percentage_changes_the_split_that_users_get_or_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &ruled(&json!([split("all")]))).await?.ok()?;
    ripcord(&world, &["flags", "set", "checkout", "--percent", "0", "--reason", "a test"])
        .await?
        .expect(0)?;
    let flag = admin.flag("checkout").await?;
    ensure!(flag["flag"]["rules"].as_array().is_some_and(|rules| rules.len() == 1), "{flag}");
    for user in 0..20 {
        ensure!(admin.explain("checkout", &format!("user-{user}")).await?["value"] == false);
    }
    admin.put_flag("checkout", &ruled(&json!([split("first"), split("second")]))).await?.ok()?;
    let before = admin.flag("checkout").await?;
    ripcord(&world, &["flags", "set", "checkout", "--percent", "10", "--reason", "a test"])
        .await?
        .expect(2)?
        .error_names(&["first", "second", "--rule"])?;
    let behind = ["flags", "set", "checkout", "--percent", "10", "--rule", "second", "--reason", "a test"];
    ripcord(&world, &behind).await?.expect(2)?;
    ensure!(admin.flag("checkout").await? == before, "a refused command changed it");
    let reached = ["flags", "set", "checkout", "--percent", "10", "--rule", "first", "--reason", "a test"];
    ripcord(&world, &reached).await?.expect(0)?;
    Ok(())
}

async fn if_nobody_was_asked_nothing_is_complete(world: World) -> Outcome {
    let admin = world.admin();
    let put = admin.put("flags/checkout?reason=a+test&wait=5s", &flags::boolean("on")).await?.ok()?;
    let confirmation = &put["confirmation"];
    ensure!(confirmation["complete"] == false && confirmation["applied"]["connected"] == 0, "{put}");
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let rollback = admin.post("rollbacks?wait=20s", &json!({"to": 1, "flags": ["checkout"]})).await?.ok()?;
    ensure!(
        rollback["state"] == "confirmed" && rollback["confirmation"]["complete"] == false,
        "{rollback:#}"
    );
    ensure!(
        rollback["phases"]["applied"].is_null() && rollback["phases"]["healthy"].is_null(),
        "{rollback:#}"
    );
    Ok(())
}

async fn a_lost_application_is_missing_by_name_with_its_lease_until_its_successor_is_there(world: World) -> Outcome {
    let admin = world.admin();
    let mut flag = flags::boolean("on");
    flag["lease"] = json!({"seconds": 30});
    admin.put_flag("checkout", &flag).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let _stays = Process::start(&sdk, "stays", "checkout").await?;
    let lost = Process::start(&sdk, "lost", "checkout").await?;
    admin.connected(2).await?;
    drop(lost);
    eventually(SOON, "its loss is noticed", || async {
        let connections = admin.get("connections").await?.ok()?;
        let mut all = connections["items"].as_array().into_iter().flatten();
        ensure!(
            all.any(|connection| connection["name"] == "lost" && connection["lost"] == true),
            "{connections}"
        );
        Ok(())
    })
    .await?;
    let killed = ripcord(&world, &["kill", "checkout", "--wait", "500ms", "--json"]).await?.expect(4)?.json()?;
    let confirmation = &killed["confirmation"];
    ensure!(confirmation["complete"] == false && confirmation["lost_total"] == 1, "{killed}");
    let missing = &confirmation["lost"][0];
    ensure!(
        missing["name"] == "lost" && missing["missing"] == true && missing["lease_seconds"] == 30,
        "{killed}"
    );
    let pinged = admin.post("pings?wait=100ms", &Value::Null).await?.ok()?;
    ensure!(pinged["confirmation"]["lost"][0]["name"] == "lost", "{pinged}");
    let _successor = Process::start(&sdk, "lost", "checkout").await?;
    let id = id_of(&killed)?;
    let kill = admin.get(&format!("kills/{id}")).await?.ok()?;
    let target = kill["revision"].as_u64().map_or(id, |revision| revision.to_string());
    eventually(SOON, "its successor confirms in its place", || async {
        let confirmation = admin.get(&format!("confirmations/{target}")).await?.ok()?;
        ensure!(confirmation["complete"] == true && confirmation["lost"].is_null(), "{confirmation}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn a_rollback_without_effect_says_so_and_names_what_else_there_is(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    for name in ["older", "newer"] {
        admin.post("checkpoints", &json!({"name": name})).await?.ok()?;
        let evidence = json!({"evidence": "seen"});
        admin.post(&format!("checkpoints/{name}/vouch"), &evidence).await?.ok()?;
        let default = if name == "older" { "on" } else { "off" };
        if name == "older" {
            admin.put_flag("checkout", &flags::boolean(default)).await?.ok()?;
        }
    }
    admin.post("releases", &json!({"name": "web-12"})).await?.ok()?;
    let refused = admin.post("rollbacks", &json!({"to": "last-known-good"})).await?.problem(422, "EMPTY_SCOPE")?;
    ensure!(refused["target_is_present_state"] == true, "{refused}");
    ensure!(refused["known_good"][0]["checkpoint"] == "older", "{refused}");
    ensure!(refused["open_releases"] == json!(["web-12"]), "{refused}");
    ripcord(&world, &["rollback", "--to", "last-known-good", "--json"])
        .await?
        .expect(3)?
        .problem("EMPTY_SCOPE")?;
    ensure!(admin.pages("rollbacks").await?.is_empty(), "a rollback of nothing was recorded");
    // An undo that would change nothing is refused, too.
    let done = admin.post("rollbacks?wait=10s", &json!({"to": "older"})).await?.ok()?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let undo = format!("rollbacks/{}/undo", id_of(&done)?);
    admin.post(&undo, &json!({"include_conflicts": true})).await?.problem(422, "EMPTY_SCOPE")?;
    Ok(())
}

on_both_stores!(
    a_rule_that_nobody_reaches_is_named_in_every_answer,
    a_percentage_changes_the_split_that_users_get_or_is_refused,
    if_nobody_was_asked_nothing_is_complete,
    a_lost_application_is_missing_by_name_with_its_lease_until_its_successor_is_there,
    a_rollback_without_effect_says_so_and_names_what_else_there_is
);
