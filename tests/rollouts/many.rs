//! A thousand rollouts at once on one node: how late their steps are, and what holding them costs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use ripcord_tests::{Outcome, SOON, Server, Setup, eventually, flags};
use serde_json::{Value, json};

const MANY: usize = 1_000;
const HOLD_SECONDS: f64 = 60.0;
const STATED_LATENESS: f64 = 1.0;
const STATED_SHARE: f64 = 0.10;

/// Processor seconds that a process has used.
fn used(pid: u32) -> anyhow::Result<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').context("a stat line")?.1;
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_A_SECOND)
}

fn seconds(text: &Value) -> anyhow::Result<f64> {
    let at: jiff::Timestamp = text.as_str().context("a moment")?.parse()?;
    Ok(at.duration_since(jiff::Timestamp::UNIX_EPOCH).as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement on an idle machine: --ignored --nocapture, with RIPCORD_BIN a release build"]
async fn a_thousand_rollouts_step_within_a_second_and_hold_for_a_tenth_of_a_core() -> Outcome {
    let server = Server::start(Setup::embedded().quiet()).await?;
    let admin = server.admin();
    let puts: Vec<Value> = (0..MANY).map(|number| flags::put(&format!("flag-{number}"), &flags::boolean("off"))).collect();
    admin.commit(&puts).await?.ok()?;
    let start = |number: usize| {
        let admin = admin.clone();
        async move {
            let gate = json!({"name": "errors", "outcome": "error", "worse_by": "1%", "on_fail": "rollback"});
            let steps = json!([{"to": "1%", "hold": format!("{HOLD_SECONDS}s")}, {"to": "10%", "hold": "1h"}]);
            let plan = json!({"flag": format!("flag-{number}"), "variant": "on", "steps": steps, "gates": [gate.clone()]});
            // Without traffic a gate would wait for samples: it says what it would do, and is read every second all the same.
            let mut plan = plan;
            plan["gates"][0]["dry_run"] = json!(true);
            plan["unjudged"] = json!(true);
            admin.post("rollouts", &plan).await?.ok()
        }
    };
    futures_util::stream::iter(0..MANY)
        .map(start)
        .buffer_unordered(32)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let all_at = async |step: u64| {
        eventually(SOON + Duration::from_mins(1), "all rollouts have taken the step", || async {
            let rollouts = admin.pages("rollouts").await?;
            let there = rollouts.iter().filter(|rollout| rollout["step"] == step).count();
            ensure!(there == MANY, "{there} of {MANY}");
            Ok(rollouts)
        })
        .await
    };
    all_at(1).await?;
    let (pid, began, before) = (server.process()?.id(), Instant::now(), used(server.process()?.id())?);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let share = (used(pid)? - before) / began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(45)).await;
    let rollouts = all_at(2).await?;
    let mut late = Vec::new();
    for rollout in &rollouts {
        late.push(seconds(&rollout["entered"])? - seconds(&rollout["past"][0]["entered"])? - HOLD_SECONDS);
    }
    late.sort_by(f64::total_cmp);
    let (median, most) = (late[late.len() / 2], late[late.len() - 1]);
    println!(
        "{MANY} rollouts: steps late by {median:.3} s in the median, {most:.3} s at most; {:.1} % of a core while they hold",
        share * 100.0
    );
    ensure!(most <= STATED_LATENESS, "a step was {most:.3} s late");
    ensure!(share <= STATED_SHARE, "holding them took {:.1} % of a core", share * 100.0);
    Ok(())
}
