//! Promise 4: a kill wins and latches.

mod concurrent;
mod edits_while_killed;
mod latches;

use anyhow::ensure;
use reqwest::Method;
use ripcord_tests::{Api, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

/// A flag that serves its safe variant because of a kill.
pub async fn assert_killed(api: &Api, flag: &str) -> Outcome {
    let answer = api.explain(flag, "user-1").await?;
    ensure!(answer["reason"] == "KILLED", "{flag} is not killed: {answer}");
    Ok(())
}

/// A flag that serves what it is defined to serve.
pub async fn assert_alive(api: &Api, flag: &str) -> Outcome {
    let answer = api.explain(flag, "user-1").await?;
    ensure!(answer["reason"] != "KILLED", "{flag} is killed: {answer}");
    Ok(())
}

async fn a_kill_serves_the_safe_variant_and_a_restore_what_was_served_before(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let before = admin.flag("checkout").await?["flag"].clone();
    let kill = admin.kill(&json!({"flag": "checkout"})).await?;
    ensure!(kill.status == 201, "{} {}", kill.status, kill.body);
    ensure!(kill.body["revision"] == 2 && kill.body["scope"] == json!({"flag": "checkout"}), "{}", kill.body);
    ensure!(kill.body["flags"] == json!([{"flag": "checkout", "serves": "off"}]), "{}", kill.body);
    let answer = admin.explain("checkout", "user-1").await?;
    ensure!(
        answer["value"] == false && answer["variant"] == "off" && answer["reason"] == "KILLED",
        "{answer}"
    );
    ensure!(answer["kill"] == kill.body["id"], "{answer}");
    let view = admin.flag("checkout").await?;
    ensure!(view["flag"] == before, "a kill is not part of the flag's definition");
    ensure!(view["kills"][0]["id"] == kill.body["id"], "{view}");
    let id = ripcord_tests::api::id_of(&kill.body)?;
    let restored = admin.restore(&id).await?.ok()?;
    ensure!(restored["revision"] == 3, "{restored}");
    ensure!(admin.value("checkout").await? == true);
    ensure!(admin.flag("checkout").await?["flag"] == before, "lifting it changed the flag");
    admin.restore(&id).await?.problem(404, "NOT_FOUND")?;
    Ok(())
}

async fn killing_the_same_scope_again_answers_with_the_kill_that_stands(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    for scope in [json!({"flag": "checkout"}), json!({"tag": "payments"}), json!({"all": true})] {
        let first = admin.kill(&scope).await?;
        let again = admin.kill(&scope).await?;
        ensure!(
            first.status == 201 && again.status == 200,
            "{} then {} {}",
            first.status,
            again.status,
            again.body
        );
        ensure!(first.body["flags"] == again.body["flags"], "{} then {}", first.body, again.body);
        ensure!(
            first.body["id"] == again.body["id"],
            "{} is another kill than {}",
            again.body["id"],
            first.body["id"]
        );
    }
    ensure!(admin.kills().await?.len() == 3);
    Ok(())
}

async fn a_restore_lifts_only_the_kill_that_it_names(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let one = admin.kill_flag("checkout").await?;
    let other = ripcord_tests::api::id_of(&admin.kill(&json!({"tag": "payments"})).await?.ok()?)?;
    let restored = admin.restore(&one).await?.ok()?;
    ensure!(restored["still_killed"] == json!(["checkout"]), "{restored}");
    assert_killed(&admin, "checkout").await?;
    admin.restore(&other).await?.ok()?;
    assert_alive(&admin, "checkout").await?;
    Ok(())
}

async fn a_kill_asks_for_a_reason_and_never_waits_for_one(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let oncall = admin.role("oncall").await?;
    let kill = oncall.post("kills", &json!({"scope": {"flag": "checkout"}})).await?;
    ensure!(kill.status == 201 && kill.body["reason_missing"] == true, "{} {}", kill.status, kill.body);
    let id = ripcord_tests::api::id_of(&kill.body)?;
    let path = format!("kills/{id}");
    let said = oncall
        .send(reqwest::Method::PATCH, &oncall.path(&path), Some(&json!({"reason": "5xx spike"})), &[])
        .await?;
    said.ok()?;
    let view = admin.get(&path).await?.ok()?;
    ensure!(view["reason"] == "5xx spike" && view["reason_missing"] != true, "{view}");
    assert_killed(&admin, "checkout").await?;
    Ok(())
}

async fn a_restore_needs_a_reason(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    admin.delete(&format!("kills/{id}")).await?.problem(422, "REASON_REQUIRED")?;
    assert_killed(&admin, "checkout").await?;
    let body = json!({"reason": "fixed"});
    admin
        .send(reqwest::Method::DELETE, &admin.path(&format!("kills/{id}")), Some(&body), &[])
        .await?
        .ok()?;
    assert_alive(&admin, "checkout").await?;
    Ok(())
}

async fn a_kill_survives_restarts(mut world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    world.kill();
    world.restart().await?;
    assert_killed(&admin, "checkout").await?;
    ensure!(admin.kills().await? == [id]);
    Ok(())
}

async fn a_kill_of_a_flag_that_does_not_exist_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    let answer = admin.kill(&json!({"flag": "chekout"})).await?;
    ensure!(
        answer.status == 404 && answer.body["code"] == "FLAG_NOT_FOUND",
        "{} {}",
        answer.status,
        answer.body
    );
    Ok(())
}

async fn a_flag_whose_safe_is_null_serves_the_callers_own_default(world: World) -> Outcome {
    let admin = world.admin();
    admin
        .put_flag("own", &json!({"variants": {"on": true, "off": false}, "default": "on", "safe": null}))
        .await?
        .ok()?;
    admin.kill_flag("own").await?;
    let answer = admin.explain("own", "user-1").await?;
    ensure!(
        answer["value"].is_null() && answer["variant"].is_null() && answer["reason"] == "KILLED",
        "{answer}"
    );
    Ok(())
}

/// Whatever stands beside the scope: a kill is never sent back for it.
async fn a_kill_is_never_refused_for_words_beside_its_scope(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let path = admin.path("kills?wait=soon&reason=&what=ever");
    let body = json!({"scope": {"flag": "checkout"}, "reason": 7, "why": "5xx"});
    let long = "k".repeat(1_000);
    let killed = admin
        .send(Method::POST, &path, Some(&body), &[("idempotency-key", &long), ("if-match", "\"9:9\"")])
        .await?;
    ensure!(killed.status == 201, "{} {}", killed.status, killed.body);
    ensure!(killed.body["warnings"].as_array().is_some_and(|told| told.len() >= 5), "{}", killed.body);
    assert_killed(&admin, "checkout").await?;
    let misspelt = admin.kill(&json!({"tag": "paymnets"})).await?.problem(404, "NOT_FOUND")?;
    ensure!(misspelt["did_you_mean"] == "payments", "{misspelt}");
    ensure!(admin.kills().await?.len() == 1, "a tag that no flag has was killed");
    Ok(())
}

on_both_stores!(
    a_kill_is_never_refused_for_words_beside_its_scope,
    a_kill_serves_the_safe_variant_and_a_restore_what_was_served_before,
    killing_the_same_scope_again_answers_with_the_kill_that_stands,
    a_restore_lifts_only_the_kill_that_it_names,
    a_kill_asks_for_a_reason_and_never_waits_for_one,
    a_restore_needs_a_reason,
    a_kill_survives_restarts,
    a_kill_of_a_flag_that_does_not_exist_is_refused,
    a_flag_whose_safe_is_null_serves_the_callers_own_default
);

/// Kills on one node are kills on the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_one_node_holds_on_the_other_and_can_be_restored_there() -> Outcome {
    let cluster = ripcord_tests::Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = a.kill_flag("checkout").await?;
    eventually(SOON, "the other node kills it too", || assert_killed(&b, "checkout")).await?;
    b.restore(&id).await?.ok()?;
    eventually(SOON, "the first node lifts it too", || assert_alive(&a, "checkout")).await?;
    cluster.agree().await?;
    Ok(())
}

/// What a problem says about the kill in the way.
pub fn named_kill(problem: &Value) -> &Value {
    &problem["kill"]["id"]
}
