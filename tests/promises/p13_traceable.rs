//! Promise 13: every change names who, when, why and from where, and the log proves itself whole.

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, Setup, World, flags, on_both_stores};
use serde_json::json;

async fn every_commit_names_who_when_why_and_from_where(world: World) -> Outcome {
    let admin = world.admin();
    let (editor, id) = admin.role_with_id("editor").await?;
    let path = editor.path("flags/checkout?reason=launch+day");
    let answer = editor.send(reqwest::Method::PUT, &path, Some(&flags::boolean("on")), &[]).await?;
    let request = answer.header("x-request-id").map(str::to_owned);
    answer.ok()?;
    editor.kill(&json!({"flag": "checkout"})).await?.ok()?;
    let log = admin.log().await?;
    ensure!(log.len() == 2, "{log:?}");
    let put = log.iter().find(|entry| entry["revision"] == 1).cloned().unwrap_or_default();
    ensure!(put["actor"]["key"] == json!(id) && put["actor"]["role"] == "editor", "{put}");
    ensure!(put["reason"] == "launch day" && put["at"].is_string(), "{put}");
    ensure!(
        put["origin"]["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1")),
        "{put}"
    );
    ensure!(
        put["origin"]["request"].as_str().map(str::to_owned) == request,
        "the answer's request id is {request:?}, the log has {put}"
    );
    ensure!(
        put["changes"][0] == json!({"change": "put_flag", "subject": "checkout", "key": "checkout"}),
        "{put}"
    );
    let kill = log.iter().find(|entry| entry["revision"] == 2).cloned().unwrap_or_default();
    ensure!(kill["urgent"] == true, "{kill}");
    Ok(())
}

async fn keys_have_a_log_of_their_own_without_a_secret(world: World) -> Outcome {
    let admin = world.admin();
    let (viewer, id) = admin.role_with_id("viewer").await?;
    admin
        .send(reqwest::Method::DELETE, &format!("/v1/keys/{id}?reason=over"), None, &[])
        .await?
        .ok()?;
    let log = admin.get_root("/v1/audit?log=system").await?.ok()?.to_string();
    ensure!(log.contains(&id) && log.contains("revoke_key"), "{log}");
    let keys = admin.get_root("/v1/keys").await?.ok()?.to_string();
    ensure!(!log.contains(viewer.key()) && !keys.contains(viewer.key()), "a secret is shown");
    ensure!(!world.output().contains(viewer.key()), "a secret is in the server's output");
    Ok(())
}

async fn the_chain_verifies_and_each_entry_can_be_proven_with_sha_256_alone(world: World) -> Outcome {
    let admin = world.admin();
    for n in 0..5 {
        admin.put_flag("counter", &flags::number(n)).await?.ok()?;
    }
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    let mut previous = "0".repeat(64);
    for revision in 1..=5 {
        let text = admin
            .request(reqwest::Method::GET, &admin.path(&format!("revisions/{revision}")))
            .send()
            .await?
            .text()
            .await?;
        let entry: serde_json::Value = serde_json::from_str(&text)?;
        ensure!(
            entry["previous"] == json!(previous),
            "revision {revision} follows {}, not {previous}",
            entry["previous"]
        );
        entry["digest"].as_str().unwrap_or_default().clone_into(&mut previous);
    }
    let head = report["logs"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|log| log["log"] == "production")
        .cloned()
        .unwrap_or_default();
    ensure!(head["head"] == json!(previous) && head["entries"] == 5, "{head}");
    Ok(())
}

async fn what_differs_between_two_revisions_can_be_asked(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let diff = admin.get("diff?from=1&to=3").await?.ok()?;
    ensure!(
        diff["flags"][0]["from"]["default"] == "on" && diff["flags"][0]["to"]["default"] == "off",
        "{diff}"
    );
    ensure!(diff["killed"][0]["id"] == json!(id), "{diff}");
    Ok(())
}

async fn a_change_without_a_reason_is_refused_where_one_is_needed(world: World) -> Outcome {
    let admin = world.admin();
    admin.put("flags/checkout", &flags::boolean("on")).await?.problem(422, "REASON_REQUIRED")?;
    admin
        .post("commits", &json!({"changes": [flags::put("checkout", &flags::boolean("on"))]}))
        .await?
        .problem(422, "REASON_REQUIRED")?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.delete("flags/checkout").await?.problem(422, "REASON_REQUIRED")?;
    ensure!(admin.revision().await? == 1);
    Ok(())
}

on_both_stores!(
    every_commit_names_who_when_why_and_from_where,
    keys_have_a_log_of_their_own_without_a_secret,
    the_chain_verifies_and_each_entry_can_be_proven_with_sha_256_alone,
    what_differs_between_two_revisions_can_be_asked,
    a_change_without_a_reason_is_refused_where_one_is_needed
);

/// Somebody edits what the store holds: another reason, as many letters long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_tampered_with_does_not_verify() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let reason = "the-truth-about-this-change";
    for n in 0..5 {
        admin.put(&format!("flags/counter?reason={reason}-{n}"), &flags::number(n)).await?.ok()?;
    }
    server.stop()?;
    let forged = replace_everywhere(&server.data(), format!("{reason}-2").as_bytes(), b"a-lie-about-this-change-----2")?;
    ensure!(forged > 0, "the reason stands nowhere in the data directory");
    if server.starts_or_refuses().await? {
        return Ok(());
    }
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == false, "a forged log verifies: {report}");
    Ok(())
}

/// The same in Redis' append-only file, while no node is looking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_tampered_with_is_noticed() -> Outcome {
    let mut redis = ripcord_tests::Redis::start().await?;
    let mut server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    for n in 0..5 {
        admin
            .put(&format!("flags/counter?reason=the-truth-about-this-change-{n}"), &flags::number(n))
            .await?
            .ok()?;
    }
    server.stop()?;
    redis.kill();
    let forged = replace_everywhere(redis.directory(), b"the-truth-about-this-change-2", b"a-lie-about-this-change-----2")?;
    ensure!(forged > 0, "the reason stands nowhere in Redis' files");
    redis.restart().await?;
    // Without a mirror the node believes what the store says, if the chain lets it.
    std::fs::remove_dir_all(server.data())?;
    std::fs::create_dir(server.data())?;
    if server.starts_or_refuses().await? {
        return Ok(());
    }
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == false, "a forged log verifies: {report}");
    Ok(())
}

fn replace_everywhere(directory: &std::path::Path, from: &[u8], to: &[u8]) -> anyhow::Result<usize> {
    assert_eq!(from.len(), to.len());
    let mut count = 0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            count += replace_everywhere(&path, from, to)?;
            continue;
        }
        let mut bytes = std::fs::read(&path)?;
        let places: Vec<_> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, window)| *window == from)
            .map(|(at, _)| at)
            .collect();
        for &at in &places {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        if !places.is_empty() {
            std::fs::write(&path, bytes)?;
        }
        count += places.len();
    }
    Ok(count)
}
