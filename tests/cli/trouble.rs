//! What is in the way of a command: a full disk behind its output, a proxy, a server that hangs, a second server, a file of another
//! format, a check that is broken itself.

use std::fs::File;
use std::process::Command;

use anyhow::ensure;
use ripcord_tests::process::Signal;
use ripcord_tests::{CommandOutput, Outcome, Server, Setup, flags};
use serde_json::json;

use super::ripcord;

/// `ripcord ARGUMENTS` against `server`, to be set further.
fn command(server: &Server, arguments: &[&str]) -> Command {
    let mut command = server.command();
    command
        .env("RIPCORD_SERVER", server.url())
        .env("RIPCORD_KEY", server.admin().key())
        .env("NO_COLOR", "1")
        .args(arguments);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_is_lost_is_a_failure_unless_nobody_reads_it() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let writes: [&[&str]; 6] = [
        &["export"],
        &["keys", "create", "lost", "--role", "viewer"],
        &["schema"],
        &["completions", "bash"],
        &["flags", "list", "--json"],
        &["--help"],
    ];
    for arguments in writes {
        let mut full = command(&server, arguments);
        full.stdout(File::options().write(true).open("/dev/full")?);
        CommandOutput::of(full).await?.expect(1)?;
        let (read_end, output) = std::io::pipe()?;
        drop(read_end);
        let mut closed = command(&server, arguments);
        closed.stdout(output);
        CommandOutput::of(closed).await?.expect(0)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_never_sees_calls_to_this_machine_and_is_named_where_it_is_in_the_way() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let proxied = |arguments: &[&str]| {
        let mut command = command(&server, arguments);
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
            command.env(name, "http://somebody:hidden@127.0.0.1:1");
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        command
    };
    CommandOutput::of(proxied(&["flags", "list"])).await?.expect(0)?;
    for arguments in [["flags", "list"].as_slice(), &["doctor"]] {
        let mut far = proxied(arguments);
        far.env("RIPCORD_SERVER", "http://flags.example.invalid:8016");
        let refused = CommandOutput::of(far).await?.expect(1)?;
        let told = format!("{}{}", refused.out, refused.err);
        ensure!(told.contains("http://127.0.0.1:1") && told.contains("NO_PROXY"), "{told}");
        ensure!(!told.contains("hidden"), "the proxy's password is shown: {told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_told_of_and_a_kill_goes_to_the_next() -> Outcome {
    let (stuck, other) = (Server::start(Setup::embedded()).await?, Server::start(Setup::embedded()).await?);
    other.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    stuck.process()?.signal(Signal::Stop)?;
    let read = ripcord(&stuck, &["flags", "list"]).await?.expect(1)?;
    read.error_names(&["waiting for", &stuck.url(), "--server"])?;
    let doctor = ripcord(&stuck, &["doctor"]).await?.expect(1)?;
    doctor.names(&[&stuck.url()])?;
    let mut kill = command(&other, &["kill", "checkout", "--reason", "x", "--wait", "0"]);
    kill.env("RIPCORD_SERVER", format!("{},{}", stuck.url(), other.url()));
    let killed = CommandOutput::of(kill).await?;
    stuck.process()?.signal(Signal::Cont)?;
    killed.expect(0)?.names(&[&other.url()])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_on_one_machine_a_kill_takes_the_older_and_everything_else_asks_for_a_name() -> Outcome {
    let own = || Setup::embedded().without("RIPCORD_ADMIN_KEY");
    let older = Server::start(own()).await?;
    let found = |arguments: &[&str]| {
        let mut command = older.command();
        command.env("NO_COLOR", "1").args(arguments);
        CommandOutput::of(command)
    };
    let set = ["flags", "set", "checkout", "--boolean", "--reason", "x"];
    found(&set).await?.expect(0)?.names(&[&older.url()])?;
    found(&["keys", "create", "other", "--role", "viewer"])
        .await?
        .expect(0)?
        .error_names(&[&older.url()])?;
    let home = older.scratch().to_string_lossy().into_owned();
    let newer = Server::start(own().variable("HOME", &home)).await?;
    for arguments in [set.as_slice(), &["flags", "list"], &["restore", "checkout", "--reason", "x"]] {
        found(arguments).await?.expect(2)?.error_names(&[&older.url(), &newer.url(), "--server"])?;
    }
    let killed = found(&["kill", "checkout", "--reason", "x", "--wait", "0"]).await?.expect(0)?;
    killed.names(&[&older.url()])?.error_names(&[&newer.url()])?;
    found(&["flags", "list", "--server", &newer.url()]).await?.expect(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_ripcord_is_not_imported_as_flagds() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let before = admin.flag("checkout").await?;
    let file = server.scratch().join("flags.json");
    std::fs::write(&file, json!({"flags": {"checkout": flags::boolean("off")}}).to_string())?;
    let refused = ripcord(&server, &["import", "flagd", "-f", &file.to_string_lossy()]).await?.expect(1)?;
    refused.error_names(&["checkout", "ripcord apply"])?;
    ensure!(admin.flag("checkout").await? == before, "it was imported all the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_call_rolls_back_past_a_check_that_is_broken_itself() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let mut checked = flags::boolean("on");
    checked["checks"] = json!([{"name": "backup", "url": "http://127.0.0.1:1/", "when": "before"}]);
    admin.put_flag("checkout", &checked).await?.ok()?;
    checked["default"] = json!("off");
    admin.put_flag("checkout", &checked).await?.ok()?;
    let oncall = admin.role("oncall").await?;
    let back = |more: &[&str]| {
        let mut arguments = vec!["rollback", "--to", "1", "--reason", "x", "--json"];
        arguments.extend(more);
        let mut command = command(&server, &arguments);
        command.env("RIPCORD_KEY", oncall.key());
        CommandOutput::of(command)
    };
    let refused = back(&[]).await?.expect(3)?;
    let problem = refused.problem("CHECK_FAILED")?;
    ensure!(problem["checks"][0]["name"] == "backup", "{problem}");
    let done = back(&["--acknowledge-check", "backup"]).await?.expect(0)?.json()?;
    ensure!(done["acknowledged_checks"] == json!(["backup"]), "{done}");
    Ok(())
}
