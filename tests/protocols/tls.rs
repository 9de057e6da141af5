//! TLS with `--tls-cert` and `--tls-key`.

use std::path::PathBuf;

use anyhow::ensure;
use ripcord_sdk::{Client, Context};
use ripcord_tests::process::Signal;
use ripcord_tests::{Outcome, SOON, Server, Setup, eventually, flags};
use tempfile::TempDir;

/// A certificate for 127.0.0.1 and its key, as files.
fn certificate(scratch: &TempDir) -> anyhow::Result<(PathBuf, PathBuf, String)> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let (certificate, key) = (scratch.path().join("cert.pem"), scratch.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    Ok((certificate, key, made.cert.pem()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_streams_the_sdk_and_commands_work_over_tls() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let (certificate, key, pem) = certificate(&scratch)?;
    let server = Server::start(Setup::embedded().tls(&certificate, &key)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let client = Client::builder(sdk.url(), sdk.key()).root_certificate(&pem).start()?;
    client.ready_within(SOON).await?;
    ensure!(client.bool("checkout", &Context::new("user-1"), false));
    let mut command = server.command();
    command.env("RIPCORD_SERVER", server.url()).env("RIPCORD_KEY", admin.key());
    let killed = command.args(["kill", "checkout", "--reason", "x", "--ca-cert"]).arg(&certificate).output()?;
    ensure!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    eventually(SOON, "the SDK serves safe", || async {
        ensure!(!client.bool("checkout", &Context::new("user-1"), false), "{:?}", client.status());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_served_after_a_hup() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let (chain, key, first) = certificate(&scratch)?;
    let server = Server::start(Setup::embedded().tls(&chain, &key)).await?;
    let health = async |trusted: &str| {
        let root = reqwest::Certificate::from_pem(trusted.as_bytes())?;
        let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build()?;
        anyhow::Ok(client.get(format!("{}/healthz", server.url())).send().await?.status())
    };
    ensure!(health(&first).await?.is_success());
    let (_, _, second) = certificate(&scratch)?;
    server.process()?.signal(Signal::Hup)?;
    eventually(SOON, "the new certificate is served", || async {
        ensure!(health(&second).await?.is_success());
        Ok(())
    })
    .await?;
    ensure!(health(&first).await.is_err(), "the old one is served, too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_does_not_trust_a_certificate_that_it_was_not_given() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let (certificate, key, _) = certificate(&scratch)?;
    let server = Server::start(Setup::embedded().tls(&certificate, &key)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let client = Client::builder(admin.url(), admin.role("sdk").await?.key()).start()?;
    eventually(SOON, "the client says what is wrong", || async {
        ensure!(client.status().error.is_some(), "{:?}", client.status());
        Ok(())
    })
    .await?;
    ensure!(!client.bool("checkout", &Context::new("user-1"), false) && client.status().position.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_without_its_key_or_a_file_that_is_none_is_a_clear_refusal() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let nonsense = scratch.path().join("cert.pem");
    std::fs::write(&nonsense, "no certificate")?;
    let file = nonsense.display().to_string();
    for setup in [
        Setup::embedded().argument("--tls-cert").argument(&file),
        Setup::embedded().argument("--tls-cert").argument(&file).argument("--tls-key").argument(&file),
        Setup::embedded()
            .argument("--tls-cert")
            .argument("/nowhere/cert.pem")
            .argument("--tls-key")
            .argument("/nowhere/key.pem"),
    ] {
        Server::prepare(setup)?.refuses()?;
    }
    Ok(())
}
