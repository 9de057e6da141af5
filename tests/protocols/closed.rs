//! What others must not see: passwords in output, files of the data folder, names in metrics; and signals that must not end a server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use ripcord_tests::process::Signal;
use ripcord_tests::{Outcome, SOON, Server, Setup, eventually, flags, ports, server};
use serde_json::json;

/// A word that stands in every password here.
const PASSWORD: &str = "hunter2";

fn with_passwords(command: &mut Command) -> &mut Command {
    command
        .env("RIPCORD_STORE", format!("redis://:{PASSWORD}@127.0.0.1:1"))
        .env("RIPCORD_PEERS", format!("http://user:{PASSWORD}@127.0.0.1:2"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://user:{PASSWORD}@127.0.0.1:3"))
        .env("RIPCORD_PEER_SECRET", format!("{PASSWORD}-and-more-characters-than-it-needs"))
        .env("RIPCORD_ADMIN_KEY", format!("rc_admin_{PASSWORD}"))
}

#[test]
fn no_help_and_no_refusal_shows_a_password() -> Outcome {
    for arguments in [&["serve", "--help"][..], &["serve"]] {
        let scratch = tempfile::tempdir()?;
        let mut command = Command::new(server::binary());
        let ran = with_passwords(&mut command)
            .args(arguments)
            .env("HOME", scratch.path())
            .env("XDG_DATA_HOME", scratch.path())
            .output()?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        ensure!(!said.is_empty() && !said.contains(PASSWORD), "{arguments:?}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_s_password_is_in_no_log_line() -> Outcome {
    let endpoint = format!("http://user:{PASSWORD}@127.0.0.1:9");
    let setup = Setup::embedded().argument("--otlp-endpoint").argument(endpoint).variable("RUST_LOG", "debug");
    let mut server = Server::start(setup).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.stop()?;
    ensure!(!server.output().contains(PASSWORD), "{}", server.output());
    Ok(())
}

fn open_to_others(path: &Path, found: &mut Vec<String>) -> Outcome {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        found.push(format!("{} is {mode:o}", path.display()));
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            open_to_others(&entry?.path(), found)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_reads_the_data_folder_even_if_it_was_open_before() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    server.stop()?;
    std::fs::set_permissions(server.data(), std::fs::Permissions::from_mode(0o755))?;
    for entry in std::fs::read_dir(server.data())? {
        let path = entry?.path();
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    server.restart().await?;
    server.admin().put_flag("other", &flags::boolean("on")).await?.ok()?;
    let mut found = Vec::new();
    open_to_others(&server.data(), &mut found)?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_have_a_listener_of_their_own_if_they_are_given_one() -> Outcome {
    let port = ports::free();
    let server = Server::start(Setup::embedded().argument("--metrics-listen").argument(format!("127.0.0.1:{port}"))).await?;
    let admin = server.admin();
    ensure!(admin.get_root("/metrics").await?.status == 404, "they are on the public listener too");
    let own = admin.with_key(None).at(&format!("http://127.0.0.1:{port}"));
    let metrics = own.get_root("/metrics").await?;
    ensure!(
        metrics.status == 200 && metrics.body.as_str().context("text")?.contains("ripcord_revision"),
        "{metrics:?}"
    );
    ensure!(own.get_root("/v1/environments").await?.status == 404, "nothing else is there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hup_ends_nothing() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    for _ in 0..3 {
        server.process()?.signal(Signal::Hup)?;
    }
    eventually(SOON, "it says that it heard", || async {
        ensure!(server.output().contains("HUP"), "{}", server.output());
        Ok(())
    })
    .await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

/// The list of the settings file holds, for what is configured and for what is called, and the environment variable wins over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_call_only_what_the_operator_listed() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let (listener, settings) = (std::net::TcpListener::bind("127.0.0.1:0")?, scratch.path().join("ripcord.toml"));
    let port = listener.local_addr()?.port();
    listener.set_nonblocking(true)?;
    std::fs::write(&settings, "outbound_allow = [\"prometheus\", \"127.0.0.0/8\"]\n")?;
    let setup = |setup: Setup| setup.argument("--config").argument(settings.display().to_string());
    let mut server = Server::start(setup(Setup::embedded())).await?;
    let admin = server.admin();
    let policy = |url: String| json!({"checks": [{"name": "health", "url": url, "timeout_ms": 500}]});
    for refused in [
        format!("http://[::1]:{port}/"),
        "http://10.0.0.1/".to_owned(),
        "http://elsewhere@[::1]/".to_owned(),
    ] {
        let answer = admin.put("policy", &policy(refused.clone())).await?.problem(422, "INVALID")?;
        ensure!(answer["errors"][0]["path"] == "checks[0].url", "{refused}: {answer}");
    }
    admin.put("policy", &policy(format!("http://localhost:{port}/"))).await?.ok()?;
    // What was allowed when it was configured may not be so any more.
    server.kill();
    server
        .restart_as(setup(Setup::embedded()).variable("RIPCORD_OUTBOUND_ALLOW", "prometheus"))
        .await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut flag = flags::boolean("off");
    flag["description"] = json!("bad");
    let before = admin.revision().await?;
    admin.put_flag("checkout", &flag).await?.ok()?;
    let rolled = admin.post("rollbacks", &json!({"to": before})).await?.ok()?;
    let id = ripcord_tests::api::id_of(&rolled)?;
    eventually(SOON, "the check has failed", || async {
        let rollback = admin.get(&format!("rollbacks/{id}")).await?.ok()?;
        ensure!(
            rollback["checks"]
                .as_array()
                .is_some_and(|checks| checks.iter().any(|check| check["passed"] == false)),
            "{rollback}"
        );
        Ok(())
    })
    .await?;
    ensure!(listener.accept().is_err(), "it was called");
    Ok(())
}

#[test]
fn a_list_that_cannot_be_meant_stops_the_start_and_so_does_a_collector_that_is_not_on_it() -> Outcome {
    let refused = |variables: &[(&str, &str)]| -> Outcome {
        let scratch = tempfile::tempdir()?;
        let mut command = Command::new(server::binary());
        command
            .envs(variables.iter().copied())
            .env("HOME", scratch.path())
            .env("XDG_DATA_HOME", scratch.path());
        let ran = command.args(["serve", "--listen", "127.0.0.1:0"]).output()?;
        ensure!(ran.status.code() == Some(2), "{variables:?}: {ran:?}");
        Ok(())
    };
    refused(&[("RIPCORD_OUTBOUND_ALLOW", "http://prometheus:9090")])?;
    refused(&[
        ("RIPCORD_OUTBOUND_ALLOW", "prometheus"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ])
}
