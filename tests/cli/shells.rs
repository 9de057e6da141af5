//! What shells and `man` make of what the program writes for them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use ripcord_tests::server::binary;
use ripcord_tests::{CommandOutput, Outcome, Server, Setup, flags};

/// Whether this machine has a program; with `CI=true` it must.
fn is_here(program: &str) -> anyhow::Result<bool> {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    if !is_here && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!("{program} is missing");
    }
    if !is_here {
        eprintln!("skipped: {program} is missing");
    }
    Ok(is_here)
}

/// A bash with the completions of `ripcord`, which completes `words` and prints one candidate per line.
async fn completed(server: &Server, words: &[&str]) -> anyhow::Result<Vec<String>> {
    let script = r#"
        source <(ripcord completions bash)
        function=$(complete -p ripcord | sed -E 's/.*-F ([^ ]+).*/\1/')
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        "$function" ripcord "${@: -1}" "${@: -2:1}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let folder = binary().parent().unwrap_or(Path::new(".")).to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let home = tempfile::tempdir()?;
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-c", script, "bash"]).args(words);
    shell.env("PATH", format!("{}:{path}", folder.display())).env("HOME", home.path());
    shell.env("RIPCORD_SERVER", server.url()).env("RIPCORD_KEY", server.admin().key());
    let ran = CommandOutput::of(shell).await?.expect(0)?;
    Ok(ran.out.lines().map(|line| line.trim().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bash_completes_commands_options_flags_and_closed_lists() -> Outcome {
    if !is_here("bash")? {
        return Ok(());
    }
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill_flag("checkout").await?;
    for (words, wanted) in [
        (&["ripcord", "ki"][..], "kill"),
        (&["ripcord", "kill", "--re"], "--reason"),
        (&["ripcord", "kill", "che"], "checkout"),
        (&["ripcord", "restore", "k_"], kill.as_str()),
        (&["ripcord", "keys", "create", "ci", "--role", "pi"], "pipeline"),
    ] {
        let found = completed(&server, words).await?;
        ensure!(found.iter().any(|candidate| candidate == wanted), "{words:?}: {found:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn man_shows_the_page_of_a_command() -> Outcome {
    if !is_here("man")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut write = Command::new(binary());
    write.args(["man", "--out"]).arg(folder.path());
    CommandOutput::of(write).await?.expect(0)?;
    for page in ["ripcord.1", "ripcord-kill.1", "ripcord-rollback-plan.1"] {
        let file = folder.path().join(page);
        ensure!(file.is_file(), "{page} is missing");
        let mut man = Command::new("man");
        man.arg("-l").arg(&file).env("MANPAGER", "cat").env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let shown = CommandOutput::of(man).await?;
        // A minimal system has a `man` that shows nothing.
        if shown.out.contains("has been minimized") || shown.code != 0 {
            eprintln!("skipped: man cannot show pages here");
            return Ok(());
        }
        let name = page.strip_suffix(".1").context("a page")?;
        ensure!(shown.out.contains(name) && shown.out.contains("SYNOPSIS"), "{page}:\n{}", shown.out);
    }
    Ok(())
}
