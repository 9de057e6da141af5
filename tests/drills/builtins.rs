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
    for check in ["release_reached_all", "errors_rose", "all_back", "no_torn_view"] {
        ensure!(verdict(&report, check)?["passed"] == true, "{report:#}");
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
                for check in VERDICTS {
                    anyhow::ensure!(super::verdict(&report, check)?["passed"] == true, "{report:#}");
                }
                Ok(())
            })+
        }
    )*};
}

builtins! {
    happy_path, "happy-path", [embedded, redis],
        ["plan_names_all", "ended_confirmed", "phases_agree", "check_asked"];
    a_straggler_is_named, "straggler", [embedded, redis],
        ["ended_partial", "missing_named"];
    a_failing_check_is_a_failure, "failing-check", [embedded, redis],
        ["ended_failed", "failed_check_named"];
    a_one_way_door_is_passed_only_when_named, "one-way-door", [embedded, redis],
        ["refused_one_way_door", "unchanged_by_one_way_door", "one_way_named"];
    edits_go_on_and_none_is_lost, "concurrent-edits", [embedded, redis],
        ["no_edit_lost", "last_word_holds", "plan_exact"];
    connections_are_lost_and_come_back, "lost-connections", [embedded, redis],
        ["ended_confirmed"];
    slow_readers_hold_up_nobody, "slow-readers", [embedded, redis],
        ["ended_confirmed"];
    a_node_is_killed_and_the_rollback_is_confirmed, "node-killed", [embedded, redis],
        ["node_killed", "ended_confirmed"];
    the_store_is_away_and_kills_make_it_safe, "store-outage", [redis],
        ["refused_store_unavailable", "refusal_names_commands", "killed_without_store",
            "safe_without_store", "kills_merged", "made_once", "ended_confirmed"];
}
