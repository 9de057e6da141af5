//! A shop's checkout: prints what a flag serves once a second, and each change of the client's status.
//!
//! ```sh
//! RIPCORD_KEY=rc_sdk_… cargo run -p ripcord-sdk --example checkout
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use ripcord_sdk::{ClientBuilder, Context};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // RIPCORD_SERVER, RIPCORD_KEY, RIPCORD_ENV: `ripcord keys create --role sdk` makes a key.
    let client = ClientBuilder::from_env().map_err(|error| error.to_string())?.instance("checkout-1").start()?;

    // Not needed: evaluations work from the first moment. It makes the first line the server's value.
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
                let detail = client.bool_detail("checkout-v2", &customer, false);
                let variant = detail.variant.as_ref().map_or("the default", |variant| variant.as_str());
                let revision = detail.position.map_or_else(|| "-".to_owned(), |position| position.revision.to_string());
                println!("checkout-v2 serves {variant:<11} {reason:<16} revision {revision}", reason = detail.reason.as_str());
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
