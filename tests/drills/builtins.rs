//! Each built-in scenario, on both stores.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Ground, verdict};

/// What a drill may take, on a machine that does other things too.
const SOON: Duration = Duration::from_mins(1);

/// Runs a built-in, which must pass; its report.
async fn passes(name: &str, store: &str) -> anyhow::Result<Value> {
    let ground = Ground::prepare().await?;
    let before = ground.server.admin().snapshot().await?;
    let began = Instant::now();
    let report = ground.drill(&["--builtin", name, "--store", store, "--json"]).await?.expect(0)?.json()?;
    ensure!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    ensure!(report["passed"] == true && report["scenario"] == name && report["store"] == store, "{report:#}");
    for everywhere in [
        "the bad release reached",
        "error outcomes rose",
        "every application is back",
        "no view was torn",
    ] {
        ensure!(verdict(&report, everywhere)?["passed"] == true, "{report:#}");
    }
    ensure!(report["figures"]["evaluations"].as_f64().context("evaluations")? > 0.0);
    let after = ground.server.admin().snapshot().await?;
    ensure!(before == after, "the environment was touched");
    let kept = ground.server.admin().get("drills").await?.ok()?;
    ensure!(kept["items"][0]["id"] == report["id"], "it was not kept: {kept:#}");
    Ok(report)
}

macro_rules! builtins {
    ($($(#[$doc:meta])* $test:ident, $name:literal, [$($store:ident),+], [$($verdict:literal),*];)*) => {$(
        $(#[$doc])*
        mod $test {
            const VERDICTS: &[&str] = &[$($verdict),*];

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $store() -> ripcord_tests::Outcome {
                let report = super::passes($name, stringify!($store)).await?;
                for name in VERDICTS {
                    anyhow::ensure!(super::verdict(&report, name)?["passed"] == true, "{report:#}");
                }
                Ok(())
            })+
        }
    )*};
}

builtins! {
    happy_path, "happy-path", [embedded, redis],
        ["the plan named every flag", "the rollback ended as confirmed", "the reported phases agree", "the check was asked"];
    a_straggler_is_named, "straggler", [embedded, redis],
        ["the rollback ended as partial", "the record names exactly those who never confirmed"];
    a_failing_check_is_a_failure, "failing-check", [embedded, redis],
        ["the rollback ended as failed", "the record names the check that failed"];
    a_one_way_door_is_passed_only_when_named, "one-way-door", [embedded, redis],
        ["the rollback was refused first with ONE_WAY_DOOR", "the refusal ONE_WAY_DOOR changed nothing", "the record says which one-way door"];
    edits_go_on_and_none_is_lost, "concurrent-edits", [embedded, redis],
        ["no acknowledged edit was lost", "every flag is what the last word", "the plan was done exactly, or refused"];
    connections_are_lost_and_come_back, "lost-connections", [embedded, redis],
        ["the rollback ended as confirmed"];
    slow_readers_hold_up_nobody, "slow-readers", [embedded, redis],
        ["the rollback ended as confirmed"];
    a_node_is_killed_and_the_rollback_is_confirmed, "node-killed", [embedded, redis],
        ["a node was really killed", "the rollback ended as confirmed"];
    the_store_is_away_and_kills_make_it_safe, "store-outage", [redis],
        ["the rollback was refused while the store was away", "the refusal printed the commands", "the kills took effect without the store",
            "every application was safe without the store", "the kills came into the log", "the rollback was made exactly once", "the rollback ended as confirmed"];
}
