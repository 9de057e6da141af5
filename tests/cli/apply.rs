//! Flags files.

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, Setup, flags};

use super::{CommandOutput, ripcord};

async fn apply(server: &Server, text: &str, more: &[&str]) -> anyhow::Result<CommandOutput> {
    let file = server.scratch().join("flags.yaml");
    std::fs::write(&file, text)?;
    let file = file.display().to_string();
    let mut arguments = vec!["apply", "-f", &file, "--reason", "a test"];
    arguments.extend(more);
    ripcord(server, &arguments).await
}

fn many(bad: &[(usize, &str)]) -> String {
    let flag = |n: usize| {
        let wrong = bad
            .iter()
            .find(|(at, _)| *at == n)
            .map_or_else(String::new, |(_, line)| format!("    {line}\n"));
        format!("  flag-{n}:\n    variants: {{on: true, off: false}}\n    default: on\n    safe: off\n{wrong}")
    };
    let flags: String = (0..100).map(flag).collect();
    format!("flags:\n{flags}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_flag_of_many_applies_nothing_and_every_problem_is_listed() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let ran = apply(&server, &many(&[(17, "enabeld: true"), (63, "lease: {seconds: 1}")]), &[])
        .await?
        .expect(1)?;
    for word in ["flag-17", "enabeld", "enabled", "flag-63", "lease", "flags.yaml"] {
        ensure!(ran.err.contains(word), "{word} is not named:\n{}", ran.err);
    }
    ensure!(server.admin().revision().await? == 0, "something was applied");
    apply(&server, &many(&[]), &[]).await?.expect(0)?;
    ensure!(server.admin().revision().await? == 1, "a hundred flags are one commit");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_yaml_is_refused_saying_where() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    for text in [
        "flags: [",
        "flags:\n  a: {variants",
        "\tflags:",
        "flags: 7",
        "flagz: {}",
        "",
        "flags:\n  a: &x\n    <<: *x\n",
    ] {
        let ran = apply(&server, text, &[]).await?;
        ensure!(
            [1, 2].contains(&ran.code) && !ran.err.is_empty() && !ran.err.contains("panicked"),
            "{text:?}: {ran:?}"
        );
    }
    let file = server.scratch().join("flags.yaml");
    std::fs::write(&file, b"flags: \xff\xfe")?;
    let ran = ripcord(&server, &["apply", "-f", &file.display().to_string(), "--reason", "x"]).await?;
    ensure!([1, 2].contains(&ran.code), "{ran:?}");
    let missing = ripcord(&server, &["apply", "-f", "/nowhere/flags.yaml", "--reason", "x"]).await?;
    ensure!([1, 2].contains(&missing.code) && missing.err.contains("/nowhere/flags.yaml"), "{missing:?}");
    ensure!(server.admin().revision().await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_the_file_does_not_name_stay_unless_pruned() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("by-hand", &flags::boolean("on")).await?.ok()?;
    let file = "flags:\n  mine:\n    variants: {on: true, off: false}\n    default: on\n    safe: off\n";
    apply(&server, file, &[]).await?.expect(0)?;
    admin.flag("by-hand").await?;
    apply(&server, file, &["--prune"]).await?.expect(0)?;
    admin.get("flags/by-hand").await?.problem(404, "FLAG_NOT_FOUND")?;
    admin.flag("mine").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_applies_as_it_is() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin
        .put("segments/beta?reason=x", &serde_json::json!({"attribute": "plan", "equals": "beta"}))
        .await?
        .ok()?;
    admin.put_flag("rollout", &flags::rollout(30)).await?.ok()?;
    admin.put_flag("number", &flags::number(7)).await?.ok()?;
    let before = admin.snapshot().await?;
    let exported = ripcord(&server, &["export"]).await?.expect(0)?;
    let other = Server::start(Setup::embedded()).await?;
    let file = other.scratch().join("exported.yaml");
    std::fs::write(&file, &exported.out)?;
    ripcord(&other, &["apply", "-f", &file.display().to_string(), "--reason", "moved"])
        .await?
        .expect(0)?;
    let after = other.admin().snapshot().await?;
    ensure!(after["flags"] == before["flags"] && after["segments"] == before["segments"], "{after}");
    Ok(())
}
