//! All of `ripcord serve` in one process, on the embedded store: killed and restored over its REST interface.

use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ripcord_server::secret::Secret;
use ripcord_server::serve::config::{Config, StoreChoice};
use ripcord_server::telemetry::LogFormat;
use tokio_util::sync::CancellationToken;

use crate::process::{KEY, now};
use crate::publisher::FLAG;

/// Serves; `kill` kills or restores in turn and says when the request was sent.
pub fn run(flags: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: folder.path().to_owned(),
        store: StoreChoice::Embedded,
        node: Some("bench".to_owned()),
        peers: Vec::new(),
        peer_secret: None,
        admin_key: Some(Secret::new(KEY)),
        stale_after: Duration::from_secs(600),
        tls: None,
        restore_backup: None,
        workers: 2,
        heartbeat: Duration::from_secs(15),
        flagd: ripcord_server::flagd::Config {
            sync: SocketAddr::from(([127, 0, 0, 1], 0)),
            evaluation: SocketAddr::from(([127, 0, 0, 1], 0)),
            key: None,
            tls: None,
        },
        log_format: LogFormat::Pretty,
    };
    let stop = CancellationToken::new();
    let (started, address) = std::sync::mpsc::channel();
    let serving = stop.clone();
    let server = std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let told = |server: &ripcord_server::serve::Started| {
            // The other end waits for nothing else.
            let _ = started.send(server.address);
        };
        Ok(runtime.block_on(ripcord_server::serve::run(config, told, serving))?)
    });
    let address = address.recv().context("the server did not start")?;
    fill(address, flags)?;
    println!("{address}");
    let mut kill = None;
    for line in std::io::stdin().lock().lines() {
        if line? != "kill" {
            break;
        }
        let began = now();
        kill = match kill {
            None => Some(pull(address)?),
            Some(id) => {
                call(address, "DELETE", &format!("kills/{id}?reason=mended"), "")?;
                None
            }
        };
        println!("killed {began}");
    }
    stop.cancel();
    server.join().map_err(|_| anyhow::anyhow!("the server panicked"))?
}

fn fill(address: SocketAddr, flags: usize) -> Result<()> {
    let flag: serde_json::Value = serde_json::from_str(FLAG)?;
    for number in 0..flags {
        call(address, "PUT", &format!("flags/checkout-{number}?reason=bench"), &flag.to_string())?;
    }
    Ok(())
}

fn pull(address: SocketAddr) -> Result<String> {
    let body = r#"{"scope": {"flag": "checkout-0"}, "reason": "5xx spike"}"#;
    let answer: serde_json::Value = serde_json::from_str(&call(address, "POST", "kills", body)?)?;
    let id = answer.pointer("/kill/id").or_else(|| answer.get("id")).and_then(serde_json::Value::as_str);
    Ok(id.with_context(|| format!("no id: {answer}"))?.to_owned())
}

/// One request; the body of the answer.
fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let head = format!(
        "{method} /v1/environments/production/{path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
