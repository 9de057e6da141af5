use anyhow::ensure;
use ripcord_tests::{Api, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

use super::{id, until};

/// How many of a hundred users get the feature.
async fn exposed(api: &Api, flag: &str) -> anyhow::Result<usize> {
    let mut on = 0;
    for user in 0..100 {
        on += usize::from(api.explain(flag, &format!("user-{user}")).await?["value"] == true);
    }
    Ok(on)
}

async fn step(api: &Api, id: &str, done: u64) -> anyhow::Result<Value> {
    eventually(SOON, &format!("step {done} is made"), || async {
        let rollback = api.get(&format!("rollbacks/{id}")).await?.ok()?;
        ensure!(rollback["ladder"]["done"] == done, "{rollback:#}");
        Ok(rollback)
    })
    .await
}

async fn begin(api: &Api, every: u64) -> anyhow::Result<String> {
    for key in ["checkout", "search"] {
        api.put_flag(key, &flags::rollout(0)).await?.ok()?;
    }
    for key in ["checkout", "search"] {
        api.put_flag(key, &flags::rollout(100)).await?.ok()?;
    }
    let body = json!({"to": 2, "flags": ["checkout", "search"], "steps": [50, 10], "every_seconds": every, "reason": "a test"});
    let answer = api.post("rollbacks", &body).await?;
    ensure!(answer.status == 201, "{:#}", answer.body);
    id(&answer.body)
}

async fn exposure_goes_down_step_by_step_to_the_target(world: World) -> Outcome {
    let admin = world.admin();
    let rollback = begin(&admin, 6).await?;
    step(&admin, &rollback, 1).await?;
    let half = exposed(&admin, "checkout").await?;
    ensure!((30..=70).contains(&half), "{half}");
    step(&admin, &rollback, 2).await?;
    let few = exposed(&admin, "checkout").await?;
    ensure!(few < half, "{few} of {half}");
    let confirmed = until(&admin, &rollback, "confirmed").await?;
    ensure!(confirmed["revision"] == 7, "{confirmed:#}");
    ensure!(exposed(&admin, "checkout").await? == 0);
    Ok(())
}

async fn it_can_be_stopped_and_hurried(world: World) -> Outcome {
    let admin = world.admin();
    let rollback = begin(&admin, 3_600).await?;
    let stopped = admin.post(&format!("rollbacks/{rollback}/stop"), &json!({"reason": "wait"})).await?.ok()?;
    ensure!(stopped["state"] == "stopped", "{stopped:#}");
    admin
        .post(&format!("rollbacks/{rollback}/stop"), &json!({"reason": "wait"}))
        .await?
        .problem(409, "WRONG_STATE")?;
    let done = admin
        .post(&format!("rollbacks/{rollback}/resume?wait=20s"), &json!({"now": true}))
        .await?
        .ok()?;
    ensure!(done["state"] == "confirmed" && done["revision"] == 6, "{done:#}");
    ensure!(exposed(&admin, "search").await? == 0);
    Ok(())
}

async fn a_kill_under_it_stands_and_the_rest_goes_on(world: World) -> Outcome {
    let admin = world.admin();
    let rollback = begin(&admin, 2).await?;
    step(&admin, &rollback, 1).await?;
    let kill = admin.kill_flag("search").await?;
    until(&admin, &rollback, "confirmed").await?;
    ensure!(admin.kills().await?.contains(&kill));
    ensure!(exposed(&admin, "checkout").await? == 0);
    admin.restore(&kill).await?.ok()?;
    ensure!(exposed(&admin, "search").await? <= 70, "never raised");
    Ok(())
}

on_both_stores!(
    exposure_goes_down_step_by_step_to_the_target,
    it_can_be_stopped_and_hurried,
    a_kill_under_it_stands_and_the_rest_goes_on
);
