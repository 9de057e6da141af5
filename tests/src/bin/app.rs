//! An application as a whole-system test needs one: evaluates one flag all the time and prints a line of JSON for each change.
//!
//! `ripcord-test-app SERVER INSTANCE FLAG`, with the key in `RIPCORD_KEY`. Ends with a goodbye on SIGTERM.

use std::time::Duration;

use anyhow::Context as _;
use ripcord_sdk::{Client, Context};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Between two evaluations.
const PAUSE: Duration = Duration::from_millis(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, instance, flag] = arguments.as_slice() else {
        anyhow::bail!("usage: ripcord-test-app SERVER INSTANCE FLAG")
    };
    let key = std::env::var("RIPCORD_KEY").context("RIPCORD_KEY")?;
    let client = Client::builder(server, &key).instance(instance).start()?;
    client.ready().await?;
    let mut term = signal(SignalKind::terminate())?;
    let mut last = String::new();
    loop {
        let answer = client.bool_detail(flag, &Context::new("user-1"), false);
        let now = json!({"value": answer.value, "reason": answer.reason.to_string(), "at": answer.position.map(|at| at.to_string())}).to_string();
        if now != last {
            println!("{now}");
            last = now;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = term.recv() => break,
        }
    }
    client.close().await;
    Ok(())
}
