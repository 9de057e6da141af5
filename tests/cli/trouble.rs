//! What is in the way of a command: a full disk behind its output, an empty variable, a proxy, a server that hangs, a second server, a
//! stranger on the port of a stopped one, a file of another format, a check that is broken itself.

use std::collections::BTreeSet;
use std::fs::File;

use anyhow::ensure;
use ripcord_tests::process::Signal;
use ripcord_tests::{CommandOutput, Outcome, Server, Setup, flags};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::ripcord;

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
        let mut full = server.ripcord(arguments);
        full.stdout(File::options().write(true).open("/dev/full")?);
        CommandOutput::of(full).await?.expect(1)?;
        let (read_end, output) = std::io::pipe()?;
        drop(read_end);
        let mut closed = server.ripcord(arguments);
        closed.stdout(output);
        CommandOutput::of(closed).await?.expect(0)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_never_sees_calls_to_this_machine_and_is_named_where_it_is_in_the_way() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let proxied = |arguments: &[&str]| {
        let mut command = server.ripcord(arguments);
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
    let mut kill = other.ripcord(&["kill", "checkout", "--reason", "x", "--wait", "0"]);
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
    refused.error_names(&["flags.json", "ripcord apply"])?;
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
        let mut command = server.ripcord(&arguments);
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

/// The environment variables that the help of a command names.
async fn variables(server: &Server, arguments: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let help = CommandOutput::of(server.ripcord(arguments)).await?.expect(0)?.out;
    let mut words = help.split(|character: char| !character.is_ascii_uppercase() && character != '_');
    let names: BTreeSet<String> = words.by_ref().filter(|word| word.starts_with("RIPCORD_")).map(str::to_owned).collect();
    ensure!(!names.is_empty(), "{help}");
    Ok(names)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_variable_is_an_unset_one_for_a_kill_and_for_a_server() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut kill = server.ripcord(&["kill", "checkout", "--server", &server.url(), "--key", server.admin().key()]);
    for name in variables(&server, &["kill", "--help"]).await? {
        kill.env(name, "");
    }
    kill.env("RIPCORD_CA_CERT", "");
    CommandOutput::of(kill).await?.expect(0)?;
    ensure!(server.admin().value("checkout").await? == false, "nothing was killed");
    let mut setup = Setup::embedded();
    for name in variables(&server, &["serve", "--help"]).await? {
        // The tests ask with this key whether it is ready.
        if name != "RIPCORD_ADMIN_KEY" {
            setup = setup.variable(&name, "");
        }
    }
    Server::start(setup).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_stopped_server_is_not_sent_to_what_took_its_port() -> Outcome {
    let mut server = Server::start(Setup::embedded().without("RIPCORD_ADMIN_KEY")).await?;
    let found = |arguments: &[&str]| {
        let mut command = server.command();
        command.env("NO_COLOR", "1").args(arguments);
        command
    };
    CommandOutput::of(found(&["keys", "list"])).await?.expect(0)?;
    let commands = [found(&["keys", "list"]), found(&["kill", "checkout", "--reason", "x"]), found(&["doctor"])];
    server.stop()?;
    let stranger = TcpListener::bind(("127.0.0.1", server.port())).await?;
    let listening = tokio::spawn(async move {
        let mut heard = String::new();
        // Whatever comes is kept, and answered as by something that is no Ripcord.
        while let Ok((mut socket, _)) = stranger.accept().await {
            let mut bytes = vec![0; 16 * 1024];
            let read = socket.read(&mut bytes).await.unwrap_or_default();
            heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            if heard.contains("rc_admin_") || heard.contains("GET /the-end") {
                break;
            }
        }
        heard
    });
    for command in commands {
        CommandOutput::of(command).await?;
    }
    let _ = server.admin().with_key(None).get_root("/the-end").await;
    let heard = listening.await?;
    ensure!(!heard.contains("rc_admin_"), "a stranger was sent the admin key:\n{heard}");
    Ok(())
}

/// What on-call staff must know first. What waits for a person is in `tests/rollouts/triggers/asking.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_the_kills_in_force_and_that_there_is_nothing_to_go_back_to() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let found = async |check: &str| {
        let doctor = ripcord(&server, &["doctor", "--json"]).await?.expect(0)?.json()?;
        let finding = doctor["checks"].as_array().and_then(|all| all.iter().find(|finding| finding["check"] == check));
        anyhow::Ok(finding.cloned().unwrap_or_default())
    };
    ensure!(found("known good").await?["state"] == "warning" && found("kills").await?.is_null());
    let id = admin.kill_flag("checkout").await?;
    let kills = found("kills").await?;
    let named = kills["found"].as_str().unwrap_or_default();
    ensure!(kills["state"] == "warning" && named.contains(&id) && named.contains("checkout"), "{kills}");
    admin.post("checkpoints", &json!({"name": "quiet"})).await?.ok()?;
    admin.post("checkpoints/quiet/vouch", &json!({"evidence": "seen"})).await?.ok()?;
    ensure!(found("known good").await?["state"] == "well");
    Ok(())
}
