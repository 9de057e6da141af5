//! A terminal of 80 columns: nothing collapses, and the short ids of lists are accepted.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_tests::server::binary;
use ripcord_tests::{CommandOutput, Outcome, Server, Setup, flags};
use serde_json::json;

use super::ripcord;

const WIDTH: usize = 80;

async fn narrow(server: &Server, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    let mut command = server.ripcord(arguments);
    command
        .env("RIPCORD_ACTOR", "somebody with a rather long name")
        .env("COLUMNS", WIDTH.to_string());
    CommandOutput::of(command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_fit_on_80_columns() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let reason = "the payment provider answers with server errors since the failover at noon";
    let names = ["checkout-in-two-steps", "gift-cards", "one-click-pay", "search-ranking"];
    for name in names {
        server.admin().put_flag(name, &flags::rollout(25)).await?.ok()?;
    }
    narrow(&server, &["checkpoint", "create", "before-the-big-sale", "--note", reason])
        .await?
        .expect(0)?;
    narrow(&server, &["release", "begin", "web-2026.11.29", "--artifact", "web 2026.11.29"])
        .await?
        .expect(0)?;
    for name in names {
        let set = ["flags", "set", name, "--percent", "50", "--release", "web-2026.11.29", "--reason", reason];
        narrow(&server, &set).await?.expect(0)?;
    }
    narrow(&server, &["kill", "gift-cards", "--reason", reason]).await?.expect(0)?;
    for list in [
        &["audit"][..],
        &["audit", "--all"],
        &["kill", "list"],
        &["flags", "list"],
        &["checkpoint", "list"],
        &["release", "list"],
        &["keys", "list"],
        &["env", "list"],
    ] {
        let shown = narrow(&server, list).await?.expect(0)?;
        for line in shown.out.lines() {
            ensure!(line.chars().count() <= WIDTH, "{list:?}: {line}\n{}", shown.out);
        }
    }
    // These have sentences and commands to copy, which a terminal wraps; their tables must not collapse.
    for detail in [
        &["release", "show", "web-2026.11.29"][..],
        &["rollback", "plan", "--release", "web-2026.11.29"],
        &["drill", "builtins"],
    ] {
        let shown = narrow(&server, detail).await?.expect(0)?;
        let is_collapsed = |line: &&str| (1..3).contains(&line.trim().chars().count());
        ensure!(shown.out.lines().filter(is_collapsed).count() < 3, "{detail:?} collapses:\n{}", shown.out);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_changed_comes_before_what_the_server_recorded() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    ripcord(&server, &["ping"]).await?.expect(0)?;
    let people = ripcord(&server, &["audit"]).await?.expect(0)?;
    let all = ripcord(&server, &["audit", "--all"]).await?.expect(0)?;
    ensure!(people.out.lines().count() < all.out.lines().count(), "{}\n{}", people.out, all.out);
    people.names(&["checkout"])?;
    let entries = ripcord(&server, &["audit", "--limit", "1", "--json"]).await?.expect(0)?.json()?;
    ensure!(entries["items"].as_array().is_some_and(|items| items.len() == 1), "{entries}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_is_lifted_by_the_beginning_of_its_id_or_by_what_it_covers() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for name in ["checkout", "refunds"] {
        admin
            .put_flag(
                name,
                &json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off", "tags": ["payments"]}),
            )
            .await?
            .ok()?;
    }
    let id = admin.kill_flag("checkout").await?;
    let list = ripcord(&server, &["kill", "list"]).await?.expect(0)?;
    let short = list.out.split_whitespace().find(|word| word.starts_with("k_")).context("an id")?;
    ensure!(short.len() < id.len() && id.starts_with(short), "{short} of {id}");
    ripcord(&server, &["restore", short, "--reason", "x"])
        .await?
        .expect(0)?
        .names(&[&id, "checkout"])?;
    // The log knows who lifted it.
    ripcord(&server, &["restore", &id, "--reason", "x"]).await?.expect(1)?.error_names(&[&id])?;
    ripcord(&server, &["restore", short, "--reason", "x"]).await?.expect(1)?;
    ripcord(&server, &["kill", "--tag", "payments", "--reason", "x"]).await?.expect(0)?;
    let wrong = ripcord(&server, &["restore", "--flag", "checkout", "--reason", "x"]).await?.expect(1)?;
    wrong.error_names(&["tag payments"])?;
    let wrong = ripcord(&server, &["restore", "checkout", "--reason", "x"]).await?.expect(2)?;
    wrong.error_names(&["tag payments"])?;
    let lifted = ripcord(&server, &["restore", "--tag", "payments", "--reason", "x", "--json"])
        .await?
        .expect(0)?
        .json()?;
    ensure!(
        lifted["restored"] == json!(["checkout", "refunds"]) && lifted["scope"]["tag"] == "payments",
        "{lifted}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_of_a_tag_that_no_flag_has_fails_unless_the_future_is_meant() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin
        .put_flag(
            "checkout",
            &json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off", "tags": ["payments"]}),
        )
        .await?
        .ok()?;
    let wrong = ripcord(&server, &["kill", "--tag", "paymnets", "--reason", "x"]).await?.expect(1)?;
    wrong.error_names(&["\"payments\"", "--future"])?;
    ensure!(admin.get("kills").await?.ok()?["items"] == json!([]), "a kill is left");
    ripcord(&server, &["kill", "--tag", "paymnets", "--future", "--reason", "x"]).await?.expect(0)?;
    let kills = admin.get("kills").await?.ok()?;
    ensure!(kills["items"][0]["scope"]["tag"] == "paymnets", "{kills}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_key_and_where_it_is_from() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let viewer = server.admin().role("viewer").await?;
    let refused = super::ripcord_as(&server, viewer.key(), &["kill", "checkout"]).await?.expect(3)?;
    refused.error_names(&["RIPCORD_KEY", "viewer", "oncall"])?;
    let problem = super::ripcord_as(&server, viewer.key(), &["kill", "checkout", "--json"]).await?.expect(3)?;
    ensure!(problem.problem("FORBIDDEN")?["role"] == "viewer");
    Ok(())
}

/// The frames that a program draws on a terminal of 80 columns and 24 lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_does_not_tear_on_80_columns_and_24_lines() -> Outcome {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: script is missing");
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    let mut terminal = Command::new("script");
    let demo = format!("stty rows 24 cols 80; exec {} demo --seconds 2", binary().display());
    terminal.args(["--quiet", "--return", "--command", &demo, "/dev/null"]);
    terminal
        .env("HOME", home.path())
        .env_remove("XDG_STATE_HOME")
        .env_remove("COLUMNS")
        .env_remove("LINES");
    terminal.stdin(std::process::Stdio::null());
    let ran = tokio::time::timeout(Duration::from_mins(1), CommandOutput::of(terminal)).await??.expect(0)?;
    let frames: Vec<&str> = ran.out.split("\u{1b}[H").skip(1).collect();
    ensure!(frames.len() > 2, "{} frames: {}", frames.len(), ran.out);
    for frame in &frames {
        let frame = frame.split("\u{1b}[?1049l").next().unwrap_or_default();
        let lines: Vec<String> = frame.lines().map(without_codes).collect();
        ensure!(lines.len() <= 24, "{} lines:\n{frame}", lines.len());
        ensure!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
    }
    let last = frames.last().context("a frame")?;
    for part in ["checkout-v2", "ripcord restore", "Ctrl-C"] {
        ensure!(last.contains(part), "{part} is missing:\n{last}");
    }
    Ok(())
}

/// A line without the codes that move the cursor and set colours.
fn without_codes(line: &str) -> String {
    let (mut text, mut in_code) = (String::new(), false);
    for character in line.chars() {
        match (in_code, character) {
            (false, '\u{1b}') => in_code = true,
            (true, end) => in_code = !end.is_ascii_alphabetic(),
            (false, '\r') => {}
            (false, shown) => text.push(shown),
        }
    }
    text
}
