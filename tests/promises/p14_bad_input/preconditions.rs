//! `If-Match`, and things that have moved.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::{Answer, Api, Outcome, World, flags, on_both_stores};
use serde_json::json;

async fn put_if(api: &Api, header: (&str, &str), variant: &str) -> anyhow::Result<Answer> {
    let path = api.path("flags/checkout?reason=a+test");
    api.send(Method::PUT, &path, Some(&flags::boolean(variant)), &[header]).await
}

fn etag(answer: &Answer) -> anyhow::Result<String> {
    Ok(answer.header("etag").context("no ETag")?.to_owned())
}

async fn a_stale_if_match_is_refused_with_the_current_revision(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let first = etag(&admin.get("flags/checkout").await?)?;
    ensure!(first == "\"1:1\"", "{first}");
    put_if(&admin, ("if-match", &first), "off").await?.ok()?;
    let problem = put_if(&admin, ("if-match", &first), "on").await?.problem(409, "STALE_REVISION")?;
    ensure!(problem["current"] == "1:2", "{problem}");
    ensure!(admin.flag("checkout").await?["flag"]["default"] == "off");
    for nonsense in ["1:1", "\"one\"", "\"1\"", "W/\"1:2\""] {
        let answer = put_if(&admin, ("if-match", nonsense), "on").await?;
        ensure!([400, 409].contains(&answer.status), "{nonsense}: {} {}", answer.status, answer.body);
    }
    Ok(())
}

async fn a_flags_own_etag_does_not_move_with_other_flags(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let own = etag(&admin.get("flags/checkout").await?)?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    put_if(&admin, ("if-match", &own), "off").await?.ok()?;
    Ok(())
}

async fn any_state_is_enough_for_an_asterisk_but_there_must_be_one(world: World) -> Outcome {
    let admin = world.admin();
    put_if(&admin, ("if-match", "*"), "on").await?.problem(409, "STALE_REVISION")?;
    ensure!(admin.revision().await? == 0, "what must exist was made");
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    put_if(&admin, ("if-match", "*"), "off").await?.ok()?;
    let condition = json!({"attribute": "plan", "equals": "beta"});
    let segment = admin.path("segments/beta?reason=a+test");
    let any = &[("if-match", "*")];
    admin.send(Method::PUT, &segment, Some(&condition), any).await?.problem(409, "STALE_REVISION")?;
    let body = json!({"reason": "a test", "changes": [flags::put("other", &flags::boolean("on"))]});
    admin.send(Method::POST, &admin.path("commits"), Some(&body), any).await?.ok()?;
    admin.send(Method::PUT, &admin.path("policy"), Some(&json!({})), any).await?.ok()?;
    Ok(())
}

async fn commits_take_the_etag_of_the_environment(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let body = json!({"reason": "a test", "changes": [flags::put("other", &flags::boolean("on"))]});
    let commit = |tag: &'static str| {
        let (admin, body) = (admin.clone(), body.clone());
        async move { admin.send(Method::POST, &admin.path("commits"), Some(&body), &[("if-match", tag)]).await }
    };
    commit("\"1:0\"").await?.problem(409, "STALE_REVISION")?;
    commit("\"1:1\"").await?.ok()?;
    Ok(())
}

async fn a_flag_that_must_not_exist_yet_is_not_overwritten(world: World) -> Outcome {
    let admin = world.admin();
    put_if(&admin, ("if-none-match", "*"), "on").await?.ok()?;
    let answer = put_if(&admin, ("if-none-match", "*"), "off").await?;
    ensure!(answer.status == 409 || answer.status == 412, "{} {}", answer.status, answer.body);
    ensure!(admin.flag("checkout").await?["flag"]["default"] == "on");
    Ok(())
}

async fn of_two_editors_who_read_the_same_one_is_refused(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let tag = etag(&admin.get("flags/checkout").await?)?;
    let mut numbers = Vec::new();
    for n in 0..8 {
        let (admin, tag) = (admin.clone(), tag.clone());
        numbers.push(tokio::spawn(async move {
            let path = admin.path("flags/checkout?reason=a+test");
            admin.send(Method::PUT, &path, Some(&flags::number(n)), &[("if-match", &tag)]).await
        }));
    }
    let mut done = 0;
    for attempt in numbers {
        let answer = attempt.await??;
        ensure!(answer.status == 200 || answer.status == 409, "{} {}", answer.status, answer.body);
        done += usize::from(answer.status == 200);
    }
    ensure!(done == 1, "{done} of eight who read the same were let through");
    Ok(())
}

async fn environments_are_made_copied_and_deleted_only_by_naming_them_twice(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("checkout").await?;
    let copy = json!({"key": "staging", "copy_of": "production", "reason": "a test"});
    let made = admin.send(Method::POST, "/v1/environments", Some(&copy), &[]).await?;
    ensure!(made.status == 201, "{} {}", made.status, made.body);
    let staging = admin.environment("staging");
    ensure!(staging.value("checkout").await? == true, "kills are not copied");
    staging.put_flag("only-here", &flags::boolean("on")).await?.ok()?;
    admin.get("flags/only-here").await?.problem(404, "FLAG_NOT_FOUND")?;
    admin
        .send(Method::POST, "/v1/environments", Some(&copy), &[])
        .await?
        .problem(409, "ALREADY_EXISTS")?;
    let once = admin.send(Method::DELETE, "/v1/environments/staging?reason=a+test", None, &[]).await?;
    ensure!([400, 422].contains(&once.status), "{} {}", once.status, once.body);
    let wrong = admin
        .send(Method::DELETE, "/v1/environments/staging?confirm=production&reason=a+test", None, &[])
        .await?;
    ensure!([400, 422].contains(&wrong.status), "{} {}", wrong.status, wrong.body);
    admin
        .send(Method::DELETE, "/v1/environments/staging?confirm=staging&reason=a+test", None, &[])
        .await?
        .ok()?;
    staging.get("flags").await?.problem(404, "ENVIRONMENT_NOT_FOUND")?;
    let bad = admin.send(Method::POST, "/v1/environments", Some(&json!({"key": "system"})), &[]).await?;
    ensure!(bad.status == 422, "an environment named like the system log: {} {}", bad.status, bad.body);
    Ok(())
}

on_both_stores!(
    a_stale_if_match_is_refused_with_the_current_revision,
    a_flags_own_etag_does_not_move_with_other_flags,
    any_state_is_enough_for_an_asterisk_but_there_must_be_one,
    commits_take_the_etag_of_the_environment,
    a_flag_that_must_not_exist_yet_is_not_overwritten,
    of_two_editors_who_read_the_same_one_is_refused,
    environments_are_made_copied_and_deleted_only_by_naming_them_twice
);
