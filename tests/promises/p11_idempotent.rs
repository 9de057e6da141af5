//! Promise 11: a repeated call with the same `Idempotency-Key` returns the first answer and changes nothing.

use anyhow::ensure;
use reqwest::Method;
use ripcord_tests::{Answer, Api, Cluster, Outcome, Redis, SOON, Server, Setup, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

async fn put(api: &Api, key: &str, flag: &Value, call: &str) -> anyhow::Result<Answer> {
    let path = api.path(&format!("flags/{key}?reason=a+test"));
    api.send(Method::PUT, &path, Some(flag), &[("idempotency-key", call)]).await
}

async fn kill(api: &Api, flag: &str, call: &str) -> anyhow::Result<Answer> {
    let body = json!({"scope": {"flag": flag}, "reason": "a test"});
    api.send(Method::POST, &api.path("kills"), Some(&body), &[("idempotency-key", call)]).await
}

/// Without the members that are looked up for each answer.
fn lasting(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("confirmation");
    }
    body
}

fn same(first: &Answer, again: &Answer) -> Outcome {
    ensure!(
        first.status == again.status,
        "first {} {}, then {} {}",
        first.status,
        first.body,
        again.status,
        again.body
    );
    ensure!(lasting(first) == lasting(again), "first {}, then {}", first.body, again.body);
    Ok(())
}

async fn a_repeat_returns_the_first_answer_and_changes_nothing(world: World) -> Outcome {
    let admin = world.admin();
    let first = put(&admin, "checkout", &flags::boolean("on"), "call-1").await?;
    first.clone().ok()?;
    put(&admin, "checkout", &flags::boolean("off"), "call-2").await?.ok()?;
    let again = put(&admin, "checkout", &flags::boolean("on"), "call-1").await?;
    same(&first, &again)?;
    ensure!(admin.flag("checkout").await?["flag"]["default"] == "off", "the repeat was applied");
    ensure!(admin.revision().await? == 2);
    Ok(())
}

async fn a_repeat_is_known_after_a_restart(mut world: World) -> Outcome {
    let admin = world.admin();
    let first = put(&admin, "checkout", &flags::boolean("on"), "call-1").await?;
    let killed = kill(&admin, "checkout", "call-2").await?;
    let id = ripcord_tests::api::id_of(&killed.body)?;
    admin.restore(&id).await?.ok()?;
    world.kill();
    world.restart().await?;
    same(&first, &put(&admin, "checkout", &flags::boolean("on"), "call-1").await?)?;
    same(&killed, &kill(&admin, "checkout", "call-2").await?)?;
    ensure!(admin.kills().await?.is_empty(), "a repeated kill of a restored kill killed again");
    ensure!(admin.revision().await? == 3);
    Ok(())
}

async fn another_body_under_the_same_key_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    put(&admin, "checkout", &flags::boolean("on"), "call-1").await?.ok()?;
    put(&admin, "checkout", &flags::boolean("off"), "call-1")
        .await?
        .problem(422, "IDEMPOTENCY_MISMATCH")?;
    ensure!(admin.revision().await? == 1);
    Ok(())
}

async fn another_caller_or_route_with_the_same_key_is_another_call(world: World) -> Outcome {
    let admin = world.admin();
    let editor = admin.role("editor").await?;
    put(&admin, "one", &flags::boolean("on"), "call-1").await?.ok()?;
    put(&admin, "two", &flags::boolean("on"), "call-1").await?.ok()?;
    put(&editor, "one", &flags::boolean("off"), "call-1").await?.ok()?;
    ensure!(admin.revision().await? == 3);
    ensure!(admin.flag("one").await?["flag"]["default"] == "off");
    Ok(())
}

async fn many_repeats_at_the_same_time_make_one_commit(world: World) -> Outcome {
    let admin = world.admin();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let admin = admin.clone();
            tokio::spawn(async move { put(&admin, "checkout", &flags::boolean("on"), "call-1").await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await??);
    }
    for answer in &answers {
        same(&answers[0], answer)?;
    }
    ensure!(admin.revision().await? == 1 && admin.log().await?.len() == 1, "{:?}", admin.log().await?);
    Ok(())
}

async fn a_refused_call_may_be_repeated_once_the_reason_is_gone(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let pipeline = admin.role("pipeline").await?;
    put(&pipeline, "checkout", &flags::boolean("off"), "call-1")
        .await?
        .problem(409, "FLAG_KILLED")?;
    admin.restore(&id).await?.ok()?;
    put(&pipeline, "checkout", &flags::boolean("off"), "call-1").await?.ok()?;
    ensure!(admin.flag("checkout").await?["flag"]["default"] == "off");
    Ok(())
}

async fn a_put_that_changes_nothing_makes_no_commit(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let again = admin.put_flag("checkout", &flags::boolean("on")).await?;
    ensure!(again.revision()? == 1 && again.body["changed"] == false, "{}", again.body);
    ensure!(admin.log().await?.len() == 1);
    Ok(())
}

async fn a_replayed_key_creation_returns_no_secret(world: World) -> Outcome {
    let admin = world.admin();
    let body = json!({"role": "viewer", "environment": "production", "name": "once"});
    let call = [("idempotency-key", "call-1")];
    let first = admin.send(Method::POST, "/v1/keys", Some(&body), &call).await?.ok()?;
    let again = admin.send(Method::POST, "/v1/keys", Some(&body), &call).await?.ok()?;
    ensure!(first["key"].is_string() && first["id"] == again["id"], "{first} then {again}");
    ensure!(again["key"].is_null(), "a secret was shown twice");
    let keys = admin.get_root("/v1/keys").await?.ok()?;
    let named = keys["items"].as_array().into_iter().flatten().filter(|key| key["name"] == "once").count();
    ensure!(named == 1, "{keys}");
    Ok(())
}

async fn the_confirmation_of_a_replayed_answer_is_live(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let app = ripcord_tests::App::start(&admin.role("sdk").await?, "app").await?;
    kill(&admin, "checkout", "call-1").await?.ok()?;
    app.reaches(2).await?;
    eventually(SOON, "the replay shows who has confirmed since", || async {
        let again = kill(&admin, "checkout", "call-1").await?;
        ensure!(again.body["confirmation"]["applied"]["confirmed"] == 1, "{}", again.body);
        Ok(())
    })
    .await?;
    Ok(())
}

on_both_stores!(
    a_repeat_returns_the_first_answer_and_changes_nothing,
    a_repeat_is_known_after_a_restart,
    another_body_under_the_same_key_is_refused,
    another_caller_or_route_with_the_same_key_is_another_call,
    many_repeats_at_the_same_time_make_one_commit,
    a_refused_call_may_be_repeated_once_the_reason_is_gone,
    a_put_that_changes_nothing_makes_no_commit,
    a_replayed_key_creation_returns_no_secret,
    the_confirmation_of_a_replayed_answer_is_live
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_at_the_other_node_returns_the_first_answer() -> Outcome {
    let cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let first = put(&a, "checkout", &flags::boolean("on"), "call-1").await?;
    cluster.agree().await?;
    same(&first, &put(&b, "checkout", &flags::boolean("on"), "call-1").await?)?;
    ensure!(cluster.agree().await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_provisional_kill_is_the_same_kill_before_and_after_its_merge() -> Outcome {
    let mut redis = Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.mirrored().await?;
    redis.kill();
    let first = kill(&admin, "checkout", "call-1").await?;
    ensure!(first.body["provisional"] == true, "{}", first.body);
    let again = kill(&admin, "checkout", "call-1").await?;
    ensure!(again.body["id"] == first.body["id"], "{} then {}", first.body, again.body);
    server.kill();
    server.restart().await?;
    let again = kill(&admin, "checkout", "call-1").await?;
    ensure!(again.body["id"] == first.body["id"], "after a restart {} then {}", first.body, again.body);
    redis.restart().await?;
    eventually(SOON, "merged", || async {
        let kills = admin.get("kills").await?.ok()?;
        ensure!(kills["items"][0]["revision"].is_u64(), "{kills}");
        Ok(())
    })
    .await?;
    let again = kill(&admin, "checkout", "call-1").await?;
    ensure!(
        again.body["id"] == first.body["id"] && admin.kills().await?.len() == 1,
        "after the merge {}",
        again.body
    );
    Ok(())
}
