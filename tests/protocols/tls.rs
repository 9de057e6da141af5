//! TLS with `--tls-cert` and `--tls-key`.

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, Setup};

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
        let (status, said) = Server::prepare(setup)?.refused()?;
        ensure!(
            !status.success() && said.contains("tls") || said.contains("TLS") || said.contains(".pem"),
            "{status}: {said}"
        );
        ensure!(!said.contains("panicked"), "{said}");
    }
    Ok(())
}
