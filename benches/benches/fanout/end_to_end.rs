//! All of `ripcord serve` in one process, on the embedded store: killed and restored over its REST interface.

use std::io::BufRead;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use ripcord_benches::connection::call;
use ripcord_benches::in_process_server::InProcessServer;
use ripcord_benches::process::now;

use crate::publisher::FLAG;

/// Serves; `kill` kills or restores in turn and says when the request was sent.
pub fn run(flags: usize) -> Result<()> {
    let server = InProcessServer::start()?;
    let address = server.address;
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
                call(address, "DELETE", &format!("environments/production/kills/{id}?reason=fixed"), "")?;
                None
            }
        };
        println!("killed {began}");
    }
    server.stop()
}

fn fill(address: SocketAddr, flags: usize) -> Result<()> {
    let flag: serde_json::Value = serde_json::from_str(FLAG)?;
    for number in 0..flags {
        call(
            address,
            "PUT",
            &format!("environments/production/flags/checkout-{number}?reason=bench"),
            &flag.to_string(),
        )?;
    }
    Ok(())
}

fn pull(address: SocketAddr) -> Result<String> {
    let body = r#"{"scope": {"flag": "checkout-0"}, "reason": "5xx spike"}"#;
    let answer = call(address, "POST", "environments/production/kills", body)?;
    let id = answer.pointer("/kill/id").or_else(|| answer.get("id")).and_then(serde_json::Value::as_str);
    Ok(id.with_context(|| format!("no id: {answer}"))?.to_owned())
}
