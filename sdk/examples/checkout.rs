//! A shop's checkout: prints what it serves once a second, and each change of the client's status.
//!
//! ```sh
//! RIPCORD_KEY=rc_sdk_… cargo run -p ripcord-sdk --example checkout
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use ripcord_sdk::{Client, Context};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::var("RIPCORD_SERVER").unwrap_or_else(|_| "http://127.0.0.1:8016".to_owned());
    let key = std::env::var("RIPCORD_KEY").map_err(|_| "set RIPCORD_KEY to an sdk key; `ripcord keys create --role sdk` makes one")?;
    let environment = std::env::var("RIPCORD_ENV").unwrap_or_else(|_| "production".to_owned());
    let client = Client::builder(&server, &key).environment(&environment).instance("checkout-1").start()?;

    // Evaluations answer from the first moment on; this only lets the first line be the server's answer.
    if let Err(late) = client.ready_within(Duration::from_secs(2)).await {
        println!("-- {late}");
    }
    let mut status = client.watch_status();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut state = client.status().state;
    let customer = Context::new("customer-42").with("email", "ada@example.com").with("app.version", "2.3.0");
    loop {
        tokio::select! {
            _ = second.tick() => {
                let answer = client.bool_detail("checkout-v2", &customer, false);
                let variant = answer.variant.as_ref().map_or("the default", |variant| variant.as_str());
                let revision = answer.position.map_or_else(|| "-".to_owned(), |position| position.revision.to_string());
                println!("checkout-v2 serves {variant:<11} {reason:<16} revision {revision}", reason = answer.reason.as_str());
            }
            Some(now) = status.next() => {
                if now.state != state {
                    let why = now.error.map(|error| format!(": {error}")).unwrap_or_default();
                    println!("-- {state} -> {}{why}", now.state);
                    state = now.state;
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    client.close().await;
    Ok(())
}
