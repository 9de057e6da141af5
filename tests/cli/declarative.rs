//! Folders of flags files, what a set owns, promotion, and flags that may go.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ripcord_tests::{App, Outcome, SOON, Server, Setup, eventually, flags};
use serde_json::{Value, json};

use super::{CommandOutput, ripcord};

/// Writes files into a folder of the server's scratch and tells its path.
fn folder(server: &Server, files: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
    let folder = server.scratch().join("flags");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().context("no folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(folder)
}

fn rollout(key: &str, percent: u32, owner: &str) -> String {
    let rest = 100 - percent;
    format!(
        "  {key}:\n    owner: {owner}\n    variants: {{on: true, off: false}}\n    default: off\n    safe: off\n    rules:\n      - id: gradual\n        \
         serve: {{split: [{{variant: on, weight: {percent}%}}, {{variant: off, weight: {rest}%}}]}}\n"
    )
}

async fn run(server: &Server, command: &str, folder: &Path, more: &[&str]) -> anyhow::Result<CommandOutput> {
    let folder = folder.display().to_string();
    let mut arguments = vec![command, "-f", &folder];
    arguments.extend(more);
    ripcord(server, &arguments).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_planned_and_applied_as_one_commit_and_its_plan_holds_it_to_that() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let checkout = format!("set: payments\nflags:\n{}", rollout("checkout", 10, "payments"));
    let files = [
        ("checkout.yaml", checkout.as_str()),
        (
            "search/ranking.yaml",
            "flags:\n  ranking:\n    variants: {new: 2, old: 1}\n    default: old\n    safe: old\n",
        ),
        ("segments.yml", "segments:\n  beta: {attribute: plan, equals: beta}\nflags: {}\n"),
    ];
    let folder = folder(&server, &files)?;
    ripcord(&server, &["lint", &folder.display().to_string()]).await?.expect(0)?;
    let shown = run(&server, "plan", &folder, &[]).await?.expect(0)?;
    shown.names(&["checkout", "ranking", "beta", "--plan "])?;
    let plan = run(&server, "plan", &folder, &["--json"]).await?.expect(0)?.json()?;
    let hash = plan["hash"].as_str().context("no hash")?.to_owned();
    let apply = ["--plan", &hash, "--reason", "first"];
    run(&server, "apply", &folder, &apply).await?.expect(0)?;
    ensure!(admin.revision().await? == 1, "a folder is one commit");
    run(&server, "apply", &folder, &apply).await?.expect(3)?;
    run(&server, "apply", &folder, &["--reason", "again"]).await?.expect(0)?;
    ensure!(admin.revision().await? == 1, "what is unchanged makes no revision");

    std::fs::write(folder.join("twice.yaml"), "flags:\n  ranking: {variants: {new: 2}, default: new, safe: new}\n")?;
    let twice = run(&server, "plan", &folder, &[]).await?.expect(1)?;
    for name in ["flags.ranking", "twice.yaml", "search/ranking.yaml"] {
        ensure!(twice.err.contains(name), "{name}: {}", twice.err);
    }
    ensure!(admin.revision().await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_apply_leaves_what_people_changed_by_hand_and_says_who() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let write = |percent, owner: &str| {
        folder(
            &server,
            &[("a.yaml", &format!("set: payments\nflags:\n{}", rollout("checkout", percent, owner)))],
        )
    };
    let folder = write(10, "a")?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    let mut raised: Value = admin.flag("checkout").await?["flag"].clone();
    raised["rules"][0]["serve"]["split"] = json!([{"variant": "on", "weight": "50%"}, {"variant": "off", "weight": "50%"}]);
    admin.put_flag("checkout", &raised).await?.ok()?;
    let kill = admin.kill_flag("checkout").await?;
    write(10, "b")?;
    let planned = run(&server, "plan", &folder, &[]).await?.expect(0)?;
    planned.names(&["flags.checkout.rules[gradual].serve.split", &kill])?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    let now = admin.flag("checkout").await?;
    ensure!(now["flag"]["rules"] == raised["rules"] && now["flag"]["owner"] == "b", "{now}");
    ensure!(admin.kills().await? == [kill], "no file lifts a kill");
    run(&server, "apply", &folder, &["--reason", "r", "--adopt"]).await?.expect(0)?;
    ensure!(admin.flag("checkout").await?["flag"]["rules"][0]["serve"]["split"][0]["weight"] == "10%");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_live_rollout_moves_is_left_alone_and_named_even_where_the_files_changed_it() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let write = |percent, owner: &str| folder(&server, &[("a.yaml", &format!("flags:\n{}", rollout("checkout", percent, owner)))]);
    let folder = write(10, "a")?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "30%", "hold": "1h"}], "no_gates": true});
    let id = admin.post("rollouts", &plan).await?.ok()?["id"].as_str().context("an id")?.to_owned();
    eventually(SOON, "the step is taken", || async {
        ensure!(admin.get(&format!("rollouts/{id}")).await?.ok()?["step"] == 1, "not yet");
        Ok(())
    })
    .await?;
    write(20, "b")?;
    let planned = run(&server, "plan", &folder, &[]).await?.expect(0)?;
    planned.names(&["flags.checkout.rules[gradual]", &id])?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    let now = admin.flag("checkout").await?["flag"].clone();
    ensure!(now["owner"] == "b" && now["rules"][0]["serve"]["split"][0]["weight"] == "30%", "{now}");
    ensure!(admin.get(&format!("rollouts/{id}")).await?.ok()?["state"] == "holding", "an apply ended it");
    let adopted = run(&server, "plan", &folder, &["--adopt"]).await?.expect(0)?;
    adopted.names(&["checkout", &id])?;
    run(&server, "apply", &folder, &["--reason", "r", "--adopt"]).await?.expect(0)?;
    eventually(SOON, "who says --adopt takes the split over, and the rollout ends", || async {
        ensure!(admin.get(&format!("rollouts/{id}")).await?.ok()?["state"] == "aborted", "not yet");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_makes_the_folder_that_is_not_there_and_writes_the_same_bytes_each_time() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let text = format!("flags:\n{}{}", rollout("zebra", 5, "a"), rollout("ant", 7, "a"));
    let folder = folder(&server, &[("a.yaml", &text)])?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    let new = server.scratch().join("new/");
    let path = format!("{}/", new.display());
    ripcord(&server, &["export", "-o", &path]).await?.expect(0)?;
    let first = std::fs::read(new.join("flags.yaml"))?;
    ripcord(&server, &["export", "-o", &path]).await?.expect(0)?;
    ensure!(std::fs::read(new.join("flags.yaml"))? == first);
    let (one, two) = (
        ripcord(&server, &["export"]).await?.expect(0)?.out,
        ripcord(&server, &["export"]).await?.expect(0)?.out,
    );
    ensure!(one == two && one.find("ant") < one.find("zebra"), "{one}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_into_a_folder_applies_without_a_change() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let text = format!("# ours\nset: payments\nflags:\n{}{}", rollout("zebra", 5, "a"), rollout("ant", 7, "a"));
    let folder = folder(&server, &[("payments.yaml", &text)])?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    admin.put_flag("by-hand", &flags::boolean("on")).await?.ok()?;
    let path = folder.display().to_string();
    let export = ["export", "--set", "payments", "-o", &path];
    ripcord(&server, &export).await?.expect(0)?;
    let kept = std::fs::read_to_string(folder.join("payments.yaml"))?;
    ensure!(kept == text, "a file in which nothing changed was touched: {kept}");
    let mut changed = admin.flag("zebra").await?["flag"].clone();
    changed["enabled"] = json!(false);
    admin.put_flag("zebra", &changed).await?.ok()?;
    ripcord(&server, &export).await?.expect(0)?;
    let first = std::fs::read_to_string(folder.join("payments.yaml"))?;
    ensure!(first.contains("enabled: false") && !first.contains("by-hand"), "{first}");
    ensure!(first.find("zebra") < first.find("ant"), "the order of the file stays");
    ripcord(&server, &export).await?.expect(0)?;
    ensure!(std::fs::read_to_string(folder.join("payments.yaml"))? == first, "an export is stable");
    let before = admin.revision().await?;
    run(&server, "apply", &folder, &["--reason", "r"]).await?.expect(0)?;
    ensure!(admin.revision().await? == before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sets_flags_are_refused_by_name_until_they_are_taken_over() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let folder = folder(&server, &[("a.yaml", &format!("flags:\n{}", rollout("checkout", 10, "a")))])?;
    run(&server, "apply", &folder, &["--set", "payments", "--reason", "r"]).await?.expect(0)?;
    std::fs::write(folder.join("a.yaml"), format!("flags:\n{}", rollout("checkout", 20, "a")))?;
    let refused = run(&server, "apply", &folder, &["--set", "search", "--reason", "r"]).await?.expect(3)?;
    for name in ["flags.checkout", "payments", "--adopt"] {
        ensure!(refused.err.contains(name), "{name}: {}", refused.err);
    }
    let taken = run(&server, "apply", &folder, &["--set", "search", "--reason", "r", "--adopt"])
        .await?
        .expect(0)?;
    taken.names(&["flags.checkout", "payments"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_is_planned_and_then_does_exactly_that() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let (admin, staging) = (server.admin(), server.admin().environment("staging"));
    ripcord(&server, &["env", "create", "staging"]).await?.expect(0)?;
    staging
        .put("segments/beta?reason=r", &json!({"attribute": "plan", "equals": "beta"}))
        .await?
        .ok()?;
    let mut flag = flags::boolean("off");
    flag["rules"] = json!([{"when": {"segment": "beta"}, "serve": "on"}]);
    staging.put_flag("checkout", &flag).await?.ok()?;
    let line = ["promote", "--from", "staging", "--to", "production", "--flag", "checkout"];
    let plan = ripcord(&server, &[&line[..], &["--json"]].concat()).await?.expect(0)?.json()?;
    ensure!(plan["segments"][0]["key"] == "beta" && plan["flags"][0]["key"] == "checkout", "{plan}");
    ensure!(admin.revision().await? == 0, "a plan changes nothing");
    let hash = plan["hash"].as_str().context("no hash")?.to_owned();
    let execute = [&line[..], &["--plan", &hash, "--reason", "launch"]].concat();
    flag["enabled"] = json!(false);
    staging.put_flag("checkout", &flag).await?.ok()?;
    ripcord(&server, &execute).await?.expect(3)?;
    flag["enabled"] = json!(true);
    staging.put_flag("checkout", &flag).await?.ok()?;
    ripcord(&server, &execute).await?.expect(0)?;
    ensure!(admin.revision().await? == 1, "a promotion is one commit");
    let log = admin.log().await?;
    ensure!(
        log.iter().any(|entry| entry["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("launch") && reason.contains("staging"))),
        "{log:?}"
    );
    let unknown = ripcord(&server, &["promote", "--from", "staging", "--to", "production", "--flag", "nothing"])
        .await?
        .expect(1)?;
    ensure!(unknown.err.contains("nothing"), "{}", unknown.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_may_go_are_listed_with_the_evidence_and_found_in_the_source() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let mut expired = flags::boolean("on");
    expired["expires_at"] = json!("2020-01-01T00:00:00Z");
    for (key, flag) in [("won", flags::boolean("on")), ("never", flags::boolean("on")), ("old", expired)] {
        admin.put_flag(key, &flag).await?.ok()?;
    }
    let app = App::counting(&admin.role("sdk").await?, "app")?;
    app.ready().await?;
    for _ in 0..200 {
        ensure!(app.on("won"));
    }
    eventually(SOON, "it is counted", || async {
        let stale = ripcord(&server, &["flags", "stale", "--json"]).await?.json()?;
        let won = stale["items"]
            .as_array()
            .and_then(|items| items.iter().find(|item| item["key"] == "won").cloned());
        ensure!(won.is_some_and(|won| won["reasons"] == json!([{"one_variant": "on"}])), "{stale}");
        Ok(())
    })
    .await?;
    let told = ripcord(&server, &["flags", "stale"]).await?.expect(0)?;
    told.names(&["won", "never", "old", "2020-01-01"])?;
    let source = server.scratch().join("source");
    std::fs::create_dir_all(&source)?;
    std::fs::write(source.join("main.rs"), "fn main() {\n    client.boolean(\"won\");\n}\n")?;
    let found = ripcord(&server, &["flags", "usages", &source.display().to_string()]).await?.expect(0)?;
    found.names(&["main.rs:2", "never", "old"])?;
    Ok(())
}
