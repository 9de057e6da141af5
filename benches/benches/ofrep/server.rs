//! The server: all of `ripcord serve` with its logs as they are by default, and 100 flags of every kind.

use std::io::BufRead as _;

use anyhow::{Context as _, Result};
use ripcord_benches::connection::call;
use ripcord_benches::in_process_server::InProcessServer;
use ripcord_server::{LogConfig, start_logs};
use serde_json::{Value, json};

/// Flags of the environment.
pub const FLAGS: usize = 100;

/// Serves until its input ends; says where, and with which key.
pub fn run() -> Result<()> {
    let _log = start_logs(&LogConfig::default(), None)?;
    let server = InProcessServer::start()?;
    let changes: Vec<Value> = (0..FLAGS)
        .map(|number| json!({"put_flag": {"key": key(number), "flag": flag(number)}}))
        .collect();
    let commit = json!({"reason": "bench", "changes": changes});
    call(server.address, "POST", "environments/production/commits", &commit.to_string())?;
    let request = json!({"role": "sdk", "environment": "production", "name": "bench"});
    let made = call(server.address, "POST", "keys", &request.to_string())?;
    println!("{} {}", server.address, made["key"].as_str().context("no key")?);
    for line in std::io::stdin().lock().lines() {
        line?;
    }
    server.stop()
}

/// The key of a flag; all are equally long.
pub fn key(number: usize) -> String {
    format!("checkout-{number:03}")
}

/// In turn: one that is the same for every user, a split, a rule on an attribute, and one on a version that requires another flag.
fn flag(number: usize) -> Value {
    let mut flag = json!({
        "owner": "payments", "tags": ["checkout"], "variants": {"yes": true, "not": false}, "default": "not", "safe": "not",
    });
    match number % 4 {
        0 => {}
        1 => flag["rules"] = json!([{"serve": {"split": [{"variant": "yes", "weight": 25}, {"variant": "not", "weight": 75}]}}]),
        2 => flag["rules"] = json!([{"when": {"attribute": "country", "one_of": ["DE", "FR", "NL"]}, "serve": "yes"}]),
        _ => {
            flag["requires"] = json!([{"flag": key(number - 1), "variant": "yes"}]);
            flag["rules"] = json!([{"when": {"attribute": "version", "semver_gte": "2.3.0"}, "serve": "yes"}]);
        }
    }
    flag
}
