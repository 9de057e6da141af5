//! Connections, limits and shutdown.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ripcord_tests::{Outcome, SOON, Server, Setup, flags};

/// What requests in progress are given at a shutdown; connections without one are closed much earlier.
const DRAIN: Duration = Duration::from_secs(8);

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

/// Reads the head of one answer, and its body.
fn answered(connection: &mut TcpStream) -> anyhow::Result<String> {
    connection.set_read_timeout(Some(SOON))?;
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        ensure!(connection.read(&mut byte)? == 1, "the connection is closed");
        read.extend_from_slice(&byte);
    }
    let head = String::from_utf8(read)?.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    connection.read_exact(&mut vec![0; length.parse()?])?;
    Ok(head)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_connections_are_told_to_close_and_do_not_hold_up_the_shutdown() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let connect = || TcpStream::connect(("127.0.0.1", server.port()));
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (mut used, mut idle) = (connect()?, connect()?);
    for connection in [&mut used, &mut idle] {
        connection.write_all(ask)?;
        let head = answered(connection)?;
        ensure!(!head.contains("connection: close"), "{head}");
    }
    let began = Instant::now();
    let telling = std::thread::spawn(move || {
        loop {
            used.write_all(ask)?;
            if answered(&mut used)?.contains("connection: close") {
                return anyhow::Ok(used);
            }
        }
    });
    let status = tokio::task::block_in_place(|| server.stop())?;
    ensure!(status.success(), "{status}");
    ensure!(began.elapsed() < DRAIN, "an idle connection held it up for {:?}", began.elapsed());
    let mut used = telling.join().map_err(|_| anyhow::anyhow!("the client has panicked"))??;
    ensure!(used.read(&mut [0])? == 0 && idle.read(&mut [0])? == 0, "both are closed");
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
