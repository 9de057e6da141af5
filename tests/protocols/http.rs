//! Connections, limits and shutdown.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, Setup, flags};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_request_holds_up_nobody_and_not_the_shutdown() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut half = TcpStream::connect(("127.0.0.1", server.port()))?;
        half.write_all(b"POST /v1/environments/production/commits HTTP/1.1\r\nContent-Length: 100\r\n")?;
        halves.push(half);
    }
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let status = server.stop()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_frees_its_port_and_starts_again() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    for _ in 0..3 {
        server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
        ensure!(server.stop()?.success());
        server.restart().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_a_clear_refusal() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let mut second = Server::prepare(Setup::embedded().port(server.port()))?;
    second.refuses()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_hangs_up_is_whole_or_not_there() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for n in 0..50 {
        let flag = flags::number(n);
        let write = admin.put_flag("counter", &flag);
        let _ = tokio::time::timeout(Duration::from_micros(200 * n), write).await;
    }
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    admin.put_flag("counter", &flags::number(1_000)).await?.ok()?;
    Ok(())
}
