//! Many clients that come back at the same time.

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket, hello_having};
use ripcord_tests::{Outcome, SOON, Server, Setup, flags};

const CLIENTS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_clients_of_a_reconnect_storm_get_in_and_have_the_kill() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let first = WebSocket::connect(&sdk, "first").await?.expect("snapshot", SOON).await?;
    let id = admin.kill_flag("checkout").await?;
    server.restart().await?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (sdk, first, id) = (sdk.clone(), first.clone(), id.clone());
            tokio::spawn(async move {
                let mut stream = WebSocket::resume(&sdk, &hello_having(&format!("client-{n}"), &first)).await?;
                loop {
                    let frame = stream.frame(SOON).await?;
                    let kills = if frame.kind == "snapshot" {
                        &frame.data["kills"]
                    } else {
                        &frame.data["changed"]["kills"]
                    };
                    if !kills[&id].is_null() {
                        stream.ack(&frame).await?;
                        return anyhow::Ok(stream);
                    }
                }
            })
        })
        .collect();
    let mut streams = Vec::new();
    for client in clients {
        streams.push(client.await??);
    }
    let revision = admin.put_flag("other", &flags::boolean("on")).await?.revision()?;
    let confirmation = admin.get(&format!("confirmations/{revision}")).await?.ok()?;
    ensure!(confirmation["applied"]["connected"] == CLIENTS, "{confirmation}");
    Ok(())
}
