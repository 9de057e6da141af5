//! Every command once, as its help says it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ripcord_tests::server::binary;
use ripcord_tests::{Outcome, Server, Setup, World, flags, on_both_stores};
use serde_json::{Value, json};

use super::{ripcord, ripcord_as};

async fn flags_are_set_shown_explained_switched_and_deleted(world: World) -> Outcome {
    let file = world.scratch().join("checkout.json");
    std::fs::write(&file, flags::rollout(25).to_string())?;
    let file = file.display().to_string();
    ripcord(&world, &["flags", "set", "checkout", "-f", &file, "--reason", "x"]).await?.expect(0)?;
    ripcord(&world, &["flags", "list"]).await?.expect(0)?.names(&["checkout"])?;
    ripcord(&world, &["flags", "show", "checkout"]).await?.expect(0)?.names(&["25"])?;
    ripcord(&world, &["flags", "explain", "checkout", "--user", "user-1"])
        .await?
        .expect(0)?
        .names(&["SPLIT"])?;
    ripcord(&world, &["flags", "disable", "checkout", "--reason", "x"]).await?.expect(0)?;
    ensure!(world.admin().explain("checkout", "u").await?["reason"] == "DISABLED");
    ripcord(&world, &["flags", "enable", "checkout", "--reason", "x"]).await?.expect(0)?;
    ripcord(&world, &["flags", "delete", "checkout", "--reason", "x"]).await?.expect(0)?;
    world.admin().get("flags/checkout").await?.problem(404, "FLAG_NOT_FOUND")?;
    Ok(())
}

async fn keys_are_created_listed_and_revoked(world: World) -> Outcome {
    let made = ripcord(&world, &["keys", "create", "shop", "--role", "viewer", "--json"])
        .await?
        .expect(0)?
        .json()?;
    let (id, key) = (made["id"].as_str().context("id")?, made["key"].as_str().context("key")?);
    ripcord_as(&world, key, &["flags", "list"]).await?.expect(0)?;
    ripcord(&world, &["keys", "list"]).await?.expect(0)?.names(&[id, "shop", "viewer"])?;
    ripcord(&world, &["keys", "revoke", id]).await?.expect(0)?;
    ripcord_as(&world, key, &["flags", "list"]).await?.expect(1)?;
    Ok(())
}

async fn environments_are_created_copied_and_deleted(world: World) -> Outcome {
    world.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    ripcord(&world, &["env", "create", "dev"]).await?.expect(0)?;
    ripcord(&world, &["env", "copy", "production", "staging"]).await?.expect(0)?;
    ripcord(&world, &["env", "list"]).await?.expect(0)?.names(&["production", "dev", "staging"])?;
    ripcord(&world, &["flags", "list", "--env", "staging"]).await?.expect(0)?.names(&["checkout"])?;
    let once = ripcord(&world, &["env", "delete", "staging"]).await?;
    ensure!(once.code == 2 || once.code == 1, "naming it once was enough: {once:?}");
    ripcord(&world, &["env", "delete", "staging", "--confirm", "staging"]).await?.expect(0)?;
    world.admin().environment("staging").get("flags").await?.problem(404, "ENVIRONMENT_NOT_FOUND")?;
    Ok(())
}

async fn segments_are_set_listed_and_deleted(world: World) -> Outcome {
    let file = world.scratch().join("beta.json");
    std::fs::write(&file, json!({"attribute": "plan", "equals": "beta"}).to_string())?;
    ripcord(&world, &["segments", "set", "beta", "-f", &file.display().to_string(), "--reason", "x"])
        .await?
        .expect(0)?;
    ripcord(&world, &["segments", "list"]).await?.expect(0)?.names(&["beta"])?;
    ripcord(&world, &["segments", "delete", "beta", "--reason", "x"]).await?.expect(0)?;
    Ok(())
}

async fn killing_again_changes_nothing_and_records_the_reason(world: World) -> Outcome {
    world.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let first = ripcord(&world, &["kill", "checkout", "--json"]).await?.expect(0)?.json()?;
    ensure!(first["reason"].is_null(), "{first}");
    let second = ripcord(&world, &["kill", "checkout", "--reason", "5xx", "--json"]).await?.expect(0)?.json()?;
    ensure!(second["id"] == first["id"], "{second}");
    let kills = world.admin().get("kills").await?.ok()?;
    let kills = kills["items"].as_array().context("items")?;
    ensure!(kills.len() == 1 && kills[0]["reason"] == "5xx", "{kills:?}");
    Ok(())
}

on_both_stores!(
    flags_are_set_shown_explained_switched_and_deleted,
    keys_are_created_listed_and_revoked,
    environments_are_created_copied_and_deleted,
    segments_are_set_listed_and_deleted,
    killing_again_changes_nothing_and_records_the_reason
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_prints_what_happens_while_it_happens() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut watching = server.ripcord(&["watch", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let output = watching.stdout.take().context("output")?;
    let (found, finding) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let seen = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .any(|frame| frame["changed"]["kills"].as_object().is_some_and(|kills| !kills.is_empty()));
        let _ = found.send(seen);
    });
    let started = Instant::now();
    let mut killed = tokio::time::interval(Duration::from_millis(500));
    let mut finding = finding;
    let seen = loop {
        tokio::select! {
            seen = &mut finding => break seen?,
            _ = killed.tick() => {
                ensure!(started.elapsed() < Duration::from_secs(15), "watch never printed the kill");
                let id = admin.kill_flag("checkout").await?;
                admin.restore(&id).await?.ok()?;
            }
        }
    };
    watching.kill()?;
    watching.wait()?;
    ensure!(seen, "watch ended");
    Ok(())
}

#[test]
fn help_of_every_command_shows_an_example() -> Outcome {
    let help = |arguments: &[&str]| -> anyhow::Result<String> {
        let output = Command::new(binary()).args(arguments).arg("--help").output()?;
        ensure!(output.status.success(), "{arguments:?} --help fails");
        Ok(String::from_utf8(output.stdout)?)
    };
    help(&[])?;
    for command in [
        "serve", "env", "flags", "segments", "apply", "plan", "kill", "restore", "watch", "audit", "keys", "export", "doctor", "demo",
    ] {
        let text = help(&[command])?;
        ensure!(text.contains(&format!("ripcord {command}")), "{command} shows no example:\n{text}");
    }
    Ok(())
}

#[test]
fn completions_and_version_are_printed() -> Outcome {
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(binary()).args(["completions", shell]).output()?;
        ensure!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("ripcord"),
            "{shell}: {output:?}"
        );
    }
    let version = Command::new(binary()).arg("--version").output()?;
    ensure!(String::from_utf8_lossy(&version.stdout).starts_with("ripcord "), "{version:?}");
    Ok(())
}
