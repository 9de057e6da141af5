//! Releases: what one deployment changes, and what a protected environment asks of it.

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, World, on_both_stores};

use super::{CommandOutput, ripcord};

async fn percent(server: &Server, percent: &str, more: &[&str]) -> anyhow::Result<CommandOutput> {
    let mut line = vec!["flags", "set", "checkout", "--boolean", "--percent", percent, "--reason", "a test"];
    line.extend(more);
    ripcord(server, &line).await
}

/// Runs the command that an error tells, word for word, its example values and all.
async fn as_told(server: &Server, error: &str) -> Outcome {
    let command = error.split('`').find(|part| part.starts_with("ripcord release set"));
    let command = command.map(|command| command.replace("commander=NAME", "commander=ana"));
    let words = command.as_deref().map(words).unwrap_or_default();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    ripcord(server, &words).await?.expect(0)?;
    Ok(())
}

/// Splits as a shell does: quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words
}

async fn a_release_collects_what_it_changed_and_tells_whose_hands_were_in_it(world: World) -> Outcome {
    percent(&world, "0", &[]).await?.expect(0)?;
    let begun = ripcord(&world, &["release", "begin", "web-12", "--artifact", "web 12", "--window", "2h"])
        .await?
        .expect(0)?;
    begun.names(&["before-web-12", "--release web-12"])?;
    percent(&world, "25", &["--release", "web-12"]).await?.expect(0)?;
    let file = world.scratch().join("flags.yaml");
    std::fs::write(
        &file,
        "flags:\n  search:\n    variants: {on: true, off: false}\n    default: off\n    safe: off\n",
    )?;
    let file = file.display().to_string();
    ripcord(&world, &["apply", "-f", &file, "--release", "web-12", "--reason", "web 12"])
        .await?
        .expect(0)?;
    percent(&world, "30", &[]).await?.expect(0)?;
    let shown = ripcord(&world, &["release", "show", "web-12"]).await?.expect(0)?;
    shown.names(&["web 12", "checkout", "search", "rollback plan --release web-12"])?;
    let shown = ripcord(&world, &["release", "show", "web-12", "--json"]).await?.expect(0)?.json()?;
    ensure!(shown["diff"]["foreign_flags"]["checkout"][0]["revision"] == 4, "{shown}");
    ripcord(&world, &["release", "list"]).await?.expect(0)?.names(&["web-12"])?;
    ripcord(&world, &["release", "finish", "web-12"]).await?.expect(0)?;
    percent(&world, "40", &["--release", "web-12"]).await?.expect(3)?;
    let kept = ripcord(&world, &["checkpoint", "delete", "before-web-12", "--json"]).await?.expect(1)?;
    kept.problem("IN_USE")?;
    Ok(())
}

async fn a_protected_environment_is_satisfied_by_doing_what_it_says(world: World) -> Outcome {
    percent(&world, "10", &[]).await?.expect(0)?;
    ripcord(&world, &["env", "policy", "set", "--protected"]).await?.expect(0)?;
    percent(&world, "50", &["--json"]).await?.expect(3)?.problem("PROTECTED")?;
    ripcord(&world, &["release", "begin", "web-12"]).await?.expect(0)?;
    for _ in 0..10 {
        let refused = percent(&world, "50", &["--release", "web-12"]).await?;
        if refused.code == 0 {
            break;
        }
        let refused = refused.expect(3)?;
        let told = refused.err.lines().find(|line| line.contains("`ripcord release set")).unwrap_or_default();
        as_told(&world, told).await?;
    }
    ensure!(
        world.admin().revision().await? == 2,
        "the release could not be completed by what the errors say"
    );
    percent(&world, "20", &[]).await?.expect(0)?;
    ripcord(&world, &["flags", "disable", "checkout", "--reason", "a test"]).await?.expect(0)?;
    ripcord(&world, &["flags", "enable", "checkout", "--reason", "a test"]).await?.expect(3)?;
    ripcord(&world, &["kill", "checkout", "--reason", "a test"]).await?.expect(0)?;
    let list = ripcord(&world, &["env", "list", "--json"]).await?.expect(0)?.json()?;
    ensure!(list["items"][0]["protection"] == "protected", "{list}");
    Ok(())
}

on_both_stores!(
    a_release_collects_what_it_changed_and_tells_whose_hands_were_in_it,
    a_protected_environment_is_satisfied_by_doing_what_it_says
);
