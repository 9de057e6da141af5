//! A pipeline script: it applies flags, starts a rollout, and waits for what becomes of it.

use std::process::Stdio;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, SOON, World, eventually, on_both_stores};
use serde_json::Value;

use super::users::Users;
use super::{newest, shell};

const FLAGS: &str = "\
environment: production
flags:
  checkout-v2:
    description: The new checkout
    owner: payments
    variants: {on: true, off: false}
    default: off
    safe: off
";

const PLAN: &str = "\
flag: checkout-v2
variant: on
steps:
  - {to: 5%, hold: 2s}
  - {to: 10%, hold: 4s}
  - {to: 100%, hold: 1s}
gates:
  - {name: errors, outcome: error, compare: control, worse_by: 1%, confidence: 99%, min_samples: 300, on_fail: rollback}
";

/// The recipe that is shipped, as a pipeline calls it.
const SCRIPT: &str = "\
set -eu
export RIPCORD_FLAGS=flags.yaml RIPCORD_REASON='checkout 2.14' RIPCORD_TIMEOUT=2m RIPCORD_ON_CANCEL=rollback
sh \"$RECIPE\" plan
sh \"$RECIPE\" apply
exec sh \"$RECIPE\" rollout
";

/// Runs the script beside users; `at` is called with each view of the rollout.
async fn run(world: &World, users: &Users, at: impl Fn(&Value, &Users)) -> anyhow::Result<(i32, String)> {
    let mut command = shell(world, SCRIPT);
    command.env("RECIPE", concat!(env!("CARGO_MANIFEST_DIR"), "/../server/pipelines/ripcord.sh"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pipeline = tokio::task::spawn_blocking(move || child.wait_with_output());
    while !pipeline.is_finished() {
        if let Ok(rollout) = newest(world).await {
            at(&rollout, users);
        }
        ripcord_tests::waiting::breathe().await;
    }
    let output = pipeline.await??;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    Ok((output.status.code().context("it was ended by a signal")?, text))
}

async fn prepared(world: &World) -> anyhow::Result<Users> {
    std::fs::write(world.scratch().join("flags.yaml"), FLAGS)?;
    std::fs::write(world.scratch().join("rollout.yaml"), PLAN)?;
    Users::come(&world.admin().role("sdk").await?, "checkout-v2").await
}

async fn a_fault_at_ten_percent_is_found_and_exposure_goes_back(world: World) -> Outcome {
    let users = prepared(&world).await?;
    let (code, text) = run(&world, &users, |rollout, users| {
        if rollout["step"] == 2 {
            users.faults.broken.store(true, Ordering::Relaxed);
        }
    })
    .await?;
    ensure!(code == 3, "the pipeline ended with {code}:\n{text}");
    let rollout = newest(&world).await?;
    ensure!(rollout["state"] == "rolled_back" && rollout["step"] == 2, "{rollout}");
    ensure!(rollout["past"][0]["gates"][0]["verdict"] == "pass", "it passed before: {rollout}");
    let gate = &rollout["gates"][0];
    ensure!(gate["name"] == "errors" && gate["verdict"] == "fail", "{rollout}");
    let rollback = rollout["rollback"].as_str().unwrap_or_default();
    eventually(SOON, "the rollback is confirmed", || async {
        let rollback = world.admin().get(&format!("rollbacks/{rollback}")).await?.ok()?;
        ensure!(rollback["state"] == "confirmed" && rollback["scope"]["rollout"] == rollout["id"], "{rollback}");
        Ok(())
    })
    .await?;
    let served = rollout["gates"][0]["figures"]["treatment"]["errors"].as_u64().unwrap_or_default();
    ensure!(served > 0, "{rollout}");
    eventually(SOON, "no user is exposed any more", || async {
        ensure!(users.exposed("checkout-v2") == 0, "{} of 1000 are", users.exposed("checkout-v2"));
        Ok(())
    })
    .await?;
    let flag = world.admin().flag("checkout-v2").await?;
    ensure!(flag["flag"]["rules"].as_array().is_none_or(Vec::is_empty), "{flag}");
    let log = world.admin().log().await?;
    ensure!(log[0]["reason"].is_string(), "the log does not tell why: {}", log[0]);
    Ok(())
}

async fn without_a_fault_it_runs_to_a_hundred_percent(world: World) -> Outcome {
    let users = prepared(&world).await?;
    let (code, text) = run(&world, &users, |_, _| {}).await?;
    ensure!(code == 0, "the pipeline ended with {code}:\n{text}");
    eventually(SOON, "every user is exposed", || async {
        ensure!(users.exposed("checkout-v2") == 1_000, "{} of 1000 are", users.exposed("checkout-v2"));
        Ok(())
    })
    .await?;
    let rollout = newest(&world).await?;
    ensure!(
        rollout["state"] == "completed" && rollout["past"].as_array().is_some_and(|past| past.len() == 3),
        "{rollout}"
    );
    let frozen = &rollout["past"][2]["gates"][0]["figures"]["frozen"];
    ensure!(frozen == true, "the last step has no control of its own: {rollout}");
    Ok(())
}

async fn latencies_and_numbers_of_real_clients_are_judged(world: World) -> Outcome {
    let users = prepared(&world).await?;
    for (fault, name, gate) in [
        (&users.faults.slow, "slow", "outcome: latency, below: 500ms, worse_by: 5%"),
        (&users.faults.slow, "limit", "outcome: latency, below: 500ms, share: 95%"),
        (&users.faults.dear, "basket", "outcome: number basket, worse: lower, worse_by: 5%"),
    ] {
        let plan = format!(
            "flag: checkout-v2\nvariant: on\nsteps: [{{to: 20%, hold: 2s}}, {{to: 50%, hold: 30s}}]\n\
                 gates: [{{name: {name}, {gate}, confidence: 99%, min_samples: 300, on_fail: rollback}}]\n"
        );
        std::fs::write(world.scratch().join("rollout.yaml"), plan)?;
        let (code, text) = run(&world, &users, |rollout, _| fault.store(rollout["step"] == 2, Ordering::Relaxed)).await?;
        let rollout = newest(&world).await?;
        ensure!(
            code == 3 && rollout["state"] == "rolled_back" && rollout["step"] == 2,
            "{code}:\n{text}\n{rollout}"
        );
        ensure!(rollout["gates"][0]["name"] == name && rollout["gates"][0]["verdict"] == "fail", "{rollout}");
        ensure!(rollout["past"][0]["gates"][0]["verdict"] == "pass", "it passed before: {rollout}");
        fault.store(false, Ordering::Relaxed);
    }
    Ok(())
}

async fn a_pipeline_that_is_cancelled_takes_its_rollout_back(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout-v2", &ripcord_tests::flags::boolean("off")).await?.ok()?;
    let plan = serde_json::json!({"flag": "checkout-v2", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}], "no_gates": true});
    let started = admin.post("rollouts", &plan).await?.ok()?;
    let id = started["id"].as_str().context("an id")?.to_owned();
    eventually(SOON, "the step is taken", || async {
        ensure!(newest(&world).await?["step"] == 1, "not yet");
        Ok(())
    })
    .await?;
    // The signal goes to the command itself, as a CI runner sends it.
    let script = format!("ripcord rollout wait {id} --on-cancel rollback & waiting=$!; sleep 1; kill -TERM $waiting; wait $waiting");
    let mut command = shell(&world, &script);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(3), "{:?}: {text}", output.status);
    let rollout = newest(&world).await?;
    ensure!(rollout["state"] == "rolled_back", "{rollout}");
    ensure!(admin.value("checkout-v2").await? == false);
    Ok(())
}

on_both_stores!(
    a_fault_at_ten_percent_is_found_and_exposure_goes_back,
    without_a_fault_it_runs_to_a_hundred_percent,
    latencies_and_numbers_of_real_clients_are_judged,
    a_pipeline_that_is_cancelled_takes_its_rollout_back
);
