//! Who may write to a killed flag, and how.

use anyhow::ensure;
use ripcord_tests::{Answer, Api, Outcome, World, flags, on_both_stores};
use serde_json::{Value, json};

use super::{assert_killed, named_kill};

/// The same flag with another description: an edit that does not change what is served.
fn described() -> Value {
    let mut flag = flags::boolean("on");
    flag["description"] = json!("fixed");
    flag
}

async fn commit_knowingly(api: &Api, changes: &[Value]) -> anyhow::Result<Answer> {
    api.post("commits", &json!({"reason": "a test", "changes": changes, "allow_killed_edit": true}))
        .await
}

async fn a_pipelines_write_that_changes_a_killed_flag_is_refused_naming_the_kill(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let pipeline = admin.role("pipeline").await?;
    let before = admin.revision().await?;
    let attempts = [
        pipeline.put_flag("checkout", &described()).await?,
        pipeline.delete("flags/checkout?reason=a+test").await?,
        pipeline
            .send(reqwest::Method::PATCH, &pipeline.path("flags/checkout"), Some(&json!({"enabled": false})), &[])
            .await?,
        pipeline
            .commit(&[flags::put("other", &flags::boolean("off")), flags::put("checkout", &described())])
            .await?,
        commit_knowingly(&pipeline, &[flags::put("checkout", &described())]).await?,
    ];
    for attempt in attempts {
        let problem = attempt.problem(409, "FLAG_KILLED")?;
        ensure!(named_kill(&problem) == &json!(id), "the kill is not named: {problem}");
    }
    ensure!(admin.revision().await? == before, "a refused write changed something");
    Ok(())
}

async fn a_pipelines_apply_that_leaves_a_killed_flag_as_it_is_goes_through(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("checkout").await?;
    let pipeline = admin.role("pipeline").await?;
    let changes = [flags::put("checkout", &flags::boolean("on")), flags::put("other", &flags::boolean("on"))];
    pipeline.commit(&changes).await?.ok()?;
    ensure!(admin.value("other").await? == true);
    assert_killed(&admin, "checkout").await?;
    Ok(())
}

async fn a_persons_mend_is_accepted_and_changes_nothing_of_what_is_served(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("checkout").await?;
    let editor = admin.role("editor").await?;
    editor.put_flag("checkout", &described()).await?.ok()?;
    let answer = admin.explain("checkout", "user-1").await?;
    ensure!(answer["value"] == false && answer["reason"] == "KILLED", "{answer}");
    Ok(())
}

async fn an_edit_that_would_change_what_a_killed_flag_serves_is_refused_unless_it_says_so(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let editor = admin.role("editor").await?;
    let other_safe = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "on"});
    let other_value = json!({"variants": {"on": false, "off": true}, "default": "on", "safe": "off"});
    for flag in [&other_safe, &other_value] {
        let problem = editor.commit(&[flags::put("checkout", flag)]).await?.problem(409, "FLAG_KILLED")?;
        ensure!(named_kill(&problem) == &json!(id), "{problem}");
        editor.put_flag("checkout", flag).await?.problem(409, "FLAG_KILLED")?;
    }
    ensure!(admin.value("checkout").await? == false);
    commit_knowingly(&editor, &[flags::put("checkout", &other_safe)]).await?.ok()?;
    let answer = admin.explain("checkout", "user-1").await?;
    ensure!(answer["value"] == true && answer["reason"] == "KILLED", "{answer}");
    Ok(())
}

async fn who_may_kill_and_who_may_restore(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    for role in ["pipeline", "oncall", "editor", "admin"] {
        let api = admin.role(role).await?;
        let id = api.kill_flag("checkout").await?;
        if role == "pipeline" {
            api.restore(&id).await?.problem(403, "FORBIDDEN")?;
            admin.restore(&id).await?.ok()?;
        } else {
            api.restore(&id).await?.ok()?;
        }
    }
    for role in ["sdk", "viewer"] {
        admin.role(role).await?.kill(&json!({"flag": "checkout"})).await?.problem(403, "FORBIDDEN")?;
    }
    Ok(())
}

on_both_stores!(
    a_pipelines_write_that_changes_a_killed_flag_is_refused_naming_the_kill,
    a_pipelines_apply_that_leaves_a_killed_flag_as_it_is_goes_through,
    a_persons_mend_is_accepted_and_changes_nothing_of_what_is_served,
    an_edit_that_would_change_what_a_killed_flag_serves_is_refused_unless_it_says_so,
    who_may_kill_and_who_may_restore
);
