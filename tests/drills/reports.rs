//! Reports of drills, scenarios that users write, drills in pipelines, and drills that are interrupted.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, SOON, eventually};
use serde_json::json;

use super::{Ground, verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_printed_kept_listed_shown_and_compared_with_the_one_before() -> Outcome {
    let ground = Ground::prepare().await?;
    ground
        .run(&["drill", "list"])
        .await?
        .expect(0)?
        .names(&["ripcord drill run --builtin happy-path"])?;
    let first = ground.drill(&["--builtin", "happy-path"]).await?.expect(0)?;
    first.names(&["production", "1:1", "d_"])?;
    let three = ["--builtin", "happy-path", "--applications", "3", "--json"];
    let second = ground.drill(&three).await?.expect(0)?.json()?;
    ensure!(second["applications"] == 3 && second["passed"] == true, "{second:#}");
    ground.drill(&["--builtin", "happy-path", "--store", "redis"]).await?.expect(0)?;
    let list = ground.run(&["drill", "list", "--json"]).await?.expect(0)?.json()?;
    let items = list["items"].as_array().context("items")?;
    ensure!(items.len() == 3 && items[0]["store"] == "redis", "{list:#}");
    let id = items[1]["id"].as_str().context("id")?;
    ground.run(&["drill", "show", id]).await?.expect(0)?.names(&["happy-path", id])?;
    // A list shows as much of an id as tells it from the others.
    let shown = id.get(..14).context("an id is longer")?;
    ground.run(&["drill", "list"]).await?.expect(0)?.names(&["happy-path", shown])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_on_call_key_may_drill_and_a_viewer_may_only_look() -> Outcome {
    let ground = Ground::prepare().await?;
    let as_role = async |role: &str, arguments: &[&str]| -> anyhow::Result<super::CommandOutput> {
        let key = ground.server.admin().role(role).await?.key().to_owned();
        let mut command = ground.command(arguments);
        command.env("RIPCORD_KEY", key);
        super::CommandOutput::of(command).await
    };
    as_role("oncall", &["drill", "run", "--builtin", "happy-path"]).await?.expect(0)?;
    as_role("viewer", &["drill", "list"]).await?.expect(0)?.names(&["happy-path"])?;
    as_role("viewer", &["drill", "run", "--builtin", "happy-path", "--keep=false"])
        .await?
        .expect(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_fails_is_a_failed_step_of_a_pipeline() -> Outcome {
    let ground = Ground::prepare().await?;
    let (scenario, junit) = (ground.file("own.yaml"), ground.file("junit.xml"));
    std::fs::write(&scenario, "{name: too-good, expect: {state: failed}}")?;
    let (scenario, junit) = (scenario.display().to_string(), junit.display().to_string());
    let ran = ground.drill(&["--scenario", &scenario, "--junit", &junit, "--keep=false"]).await?.expect(1)?;
    ran.names(&["too-good"])?;
    ensure!(!ran.out.contains("d_"), "a drill that is not kept has no id: {}", ran.out);
    let document = std::fs::read_to_string(&junit)?;
    let count = |what: &str| document.matches(what).count();
    ensure!(document.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), "{document}");
    ensure!(count("<failure ") == 1 && count("<testcase ") == count("</testcase>"), "{document}");
    ensure!(document.contains(&format!("tests=\"{}\" failures=\"1\"", count("<testcase "))), "{document}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scenario_of_ones_own_rehearses_a_release_in_its_own_scope() -> Outcome {
    let ground = Ground::prepare().await?;
    let file = ground.file("own.yaml").display().to_string();
    let cart = json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off"});
    for (scope, to) in [
        (json!("release"), "baseline"),
        (json!({"flags": ["cart-v2"]}), "checkpoint"),
        (json!("environment"), "revision"),
    ] {
        let scenario = json!({"name": "own", "applications": 2, "scope": scope, "to": to, "change": [super::put("cart-v2", &cart)]});
        std::fs::write(&file, scenario.to_string())?;
        let report = ground.drill(&["--scenario", &file, "--json"]).await?.expect(0)?.json()?;
        ensure!(report["applications"] == 2, "{report:#}");
        let plan = verdict(&report, "plan_names_all")?;
        ensure!(plan["passed"] == true, "{plan}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_rollback_is_rehearsed_step_by_step() -> Outcome {
    let ground = Ground::prepare().await?;
    let file = ground.file("own.yaml").display().to_string();
    let wide = ripcord_tests::flags::rollout(100);
    let scenario = json!({"name": "staged", "scope": {"flags": ["gradual"]}, "steps": [50, 0], "every_seconds": 1, "change": [super::put("gradual", &wide)]});
    std::fs::write(&file, scenario.to_string())?;
    ground.drill(&["--scenario", &file, "--json"]).await?.expect(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_fails_beforehand_refuses_and_one_at_a_step_stops() -> Outcome {
    let ground = Ground::prepare().await?;
    let file = ground.file("own.yaml").display().to_string();
    let before = json!({"name": "before", "faults": [{"failing-check": {"when": "before"}}]});
    std::fs::write(&file, before.to_string())?;
    let report = ground.drill(&["--scenario", &file, "--json"]).await?.expect(0)?.json()?;
    for check in ["refused_check_failed", "unchanged_by_check_failed", "ended_confirmed"] {
        ensure!(verdict(&report, check)?["passed"] == true, "{report:#}");
    }
    let wide = ripcord_tests::flags::rollout(100);
    let step = json!({"name": "step", "scope": {"flags": ["gradual"]}, "steps": [50, 0], "change": [super::put("gradual", &wide)],
        "faults": [{"failing-check": {"when": "step"}}]});
    std::fs::write(&file, step.to_string())?;
    let report = ground.drill(&["--scenario", &file, "--json"]).await?.expect(0)?.json()?;
    ensure!(verdict(&report, "ended_failed")?["passed"] == true, "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_killed_comes_back_with_what_it_had() -> Outcome {
    let ground = Ground::prepare().await?;
    let file = ground.file("own.yaml").display().to_string();
    std::fs::write(&file, "{name: store-killed, store: redis, faults: [{store-away: {how: killed}}]}")?;
    let report = ground.drill(&["--scenario", &file, "--json"]).await?.expect(0)?.json()?;
    ensure!(verdict(&report, "made_once")?["passed"] == true, "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_the_environment_are_forked_and_stay() -> Outcome {
    let ground = Ground::prepare().await?;
    ground.server.admin().kill_flag("ranking").await?;
    ground.drill(&["--builtin", "happy-path"]).await?.expect(0)?;
    ensure!(ground.server.admin().kills().await?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_environment_or_in_an_empty_one_other_flags_are_taken() -> Outcome {
    let ground = Ground::prepare().await?;
    ground
        .server
        .admin()
        .send(reqwest::Method::POST, "/v1/environments", Some(&json!({"key": "empty"})), &[])
        .await?
        .ok()?;
    ground.drill(&["--builtin", "happy-path", "--env", "empty"]).await?.expect(0)?;
    let file = ground.file("flags.yaml").display().to_string();
    ground.run(&["export", "--portable", "-o", &file]).await?.expect(0)?;
    // Nobody listens on port 1.
    let nowhere = ["--server", "http://127.0.0.1:1"];
    let alone = ["--builtin", "happy-path", "--file", &file];
    ground.drill(&[&alone[..], &nowhere, &["--keep=false"]].concat()).await?.expect(0)?;
    let ran = ground.drill(&[&alone[..], &nowhere].concat()).await?.expect(1)?;
    ran.error_names(&["127.0.0.1:1"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_rehearsed_says_why_before_anything_is_started() -> Outcome {
    let ground = Ground::prepare().await?;
    let file = ground.file("bad.yaml").display().to_string();
    std::fs::write(&file, "{applications: 0, faults: [stragler], sped: 1}")?;
    let ran = ground.drill(&["--scenario", &file]).await?.expect(1)?;
    ran.error_names(&["name:", "applications:", "straggler", "sped"])?;
    ground.drill(&["--builtin", "nonsense"]).await?.expect(2)?.error_names(&["happy-path"])?;
    ground
        .drill(&["--builtin", "store-outage", "--store", "embedded"])
        .await?
        .expect(2)?
        .error_names(&["--store redis"])?;
    ground.drill(&[]).await?.expect(2)?;
    let mut command = ground.command(&["drill", "run", "--builtin", "happy-path", "--store", "redis"]);
    command.env("PATH", "/nowhere");
    let ran = super::CommandOutput::of(command).await?.expect(1)?;
    ran.error_names(&["redis-server", "--store embedded"])?;
    std::fs::write(&file, "{name: none, scope: {tags: [nobody-has-this]}}")?;
    ground.drill(&["--scenario", &file]).await?.expect(1)?.error_names(&["production"])?;
    ground.nothing_is_left()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_is_interrupted_leaves_nothing_behind() -> Outcome {
    let ground = Ground::prepare().await?;
    for signal in ["-INT", "-TERM"] {
        let mut command = ground.command(&["drill", "run", "--builtin", "straggler", "--store", "redis"]);
        let mut drill = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        eventually(SOON, "the drill's processes run", || async {
            ensure!(ground.processes().len() >= 3, "{:?}", ground.processes());
            Ok(())
        })
        .await?;
        let sent = Command::new("kill").args([signal, &drill.id().to_string()]).status()?;
        ensure!(sent.success());
        eventually(Duration::from_secs(20), "the drill ends", || {
            let ended = drill.try_wait();
            async move {
                let status = ended?.context("it runs")?;
                ensure!(status.code() == Some(1), "{status}");
                Ok(())
            }
        })
        .await?;
        eventually(SOON, "nothing of it is left", || async { ground.nothing_is_left() }).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_builtins_are_listed_and_can_be_begun_with() -> Outcome {
    let ground = Ground::prepare().await?;
    ground
        .run(&["drill", "builtins"])
        .await?
        .expect(0)?
        .names(&["happy-path", "store-outage", "straggler"])?;
    let list = ground.run(&["drill", "builtins", "--json"]).await?.expect(0)?.json()?;
    for item in list["items"].as_array().context("items")? {
        let name = item["name"].as_str().context("name")?;
        ground
            .run(&["drill", "builtins", name])
            .await?
            .expect(0)?
            .names(&[&format!("name: {name}"), "about: "])?;
    }
    Ok(())
}
