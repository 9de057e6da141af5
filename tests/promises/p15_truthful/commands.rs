//! Commands do not end well, nor say that they did, on the strength of what they could not find out.

use anyhow::{Context as _, ensure};
use ripcord_tests::app::Process;
use ripcord_tests::{Cluster, CommandOutput, Outcome, Redis, SOON, Server, Setup, eventually, flags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::ripcord;
use crate::p06_kill_without_the_store::provisional;

/// The address of a proxy of `server` that answers a path with this end with an error.
async fn breaking(server: &Server, end: &'static str) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (address, port) = (format!("http://{}", listener.local_addr()?), server.port());
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(pass_or_break(caller, port, end));
        }
    });
    Ok(address)
}

async fn pass_or_break(mut caller: TcpStream, port: u16, end: &str) -> Outcome {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let (line, headers) = head.split_once("\r\n").context("a request")?;
    let path = line.split([' ', '?']).nth(1).context("a path")?;
    if path.ends_with(end) {
        let broken = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return Ok(caller.write_all(broken).await?);
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    // One request for each connection, so that each one is looked at.
    server.write_all(format!("{line}\r\nconnection: close\r\n{headers}").as_bytes()).await?;
    copy_bidirectional(&mut caller, &mut server).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_that_cannot_look_does_not_call_it_well() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let well = ripcord(&server, &["doctor", "--json"]).await?.expect(0)?.json()?;
    ensure!(well["well"] == true, "{well}");
    for (end, check) in [
        ("/kills", "kills"),
        ("/firings", "triggers"),
        ("/orphans", "log"),
        ("/connections", "applications"),
    ] {
        let mut command = server.ripcord(&["doctor", "--json"]);
        command.env("RIPCORD_SERVER", breaking(&server, end).await?);
        let told = CommandOutput::of(command).await?.expect(1)?.json()?;
        let mut checks = told["checks"].as_array().context("checks")?.iter();
        ensure!(checks.any(|found| found["check"] == check && found["state"] == "wrong"), "{told}");
        ensure!(told["well"] == false, "{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_mended_or_could_not_be_compared_is_not_called_verified() -> Outcome {
    let mut redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    server.admin().put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let verify = ["audit", "verify", "--json"];
    ripcord(&server, &verify).await?.expect(0)?;
    // One command, so that the node never sees the wrong number of entries.
    let stream = "ripcord:{production}:log";
    let forge = format!("redis.call('DEL','{stream}') redis.call('XADD','{stream}','1-0','digest','x','body','y') return 1");
    ensure!(redis.command(&format!("EVAL \"{forge}\" 1 {stream}"))? == ":1");
    let mended = ripcord(&server, &verify).await?.expect(1)?.json()?;
    let logs = mended["logs"].as_array().context("logs")?;
    ensure!(logs.iter().any(|log| log["log"] == "production" && log["mended"] == true), "{mended}");
    ripcord(&server, &verify).await?.expect(0)?;
    redis.kill();
    let alone = ripcord(&server, &verify).await?.expect(1)?.json()?;
    let logs = alone["logs"].as_array().context("logs")?;
    ensure!(logs.iter().all(|log| log["fault"].is_null() && log["not_compared"].is_string()), "{alone}");
    Ok(())
}

/// The applications that confirmed the kill by its id have not confirmed its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_is_not_confirmed_by_those_who_confirmed_the_kill() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let admin = cluster.a.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    let _app = Process::start(&admin.role("sdk").await?, "app", "checkout").await?;
    cluster.redis.kill();
    let id = provisional(&admin, "checkout").await?;
    eventually(SOON, "the application confirms the kill", || async {
        let confirmation = admin.get(&format!("confirmations/{id}")).await?.ok()?;
        ensure!(confirmation["complete"] == true, "{confirmation}");
        Ok(())
    })
    .await?;
    let restore = ["restore", id.as_str(), "--reason", "a mistake", "--wait", "1s", "--json"];
    let withdrawn = ripcord(&cluster.a, &restore).await?.expect(4)?.json()?;
    ensure!(withdrawn["withdrawn"] == true && withdrawn["confirmation"].is_null(), "{withdrawn}");
    ensure!(withdrawn["restored"][0] == "checkout", "{withdrawn}");
    Ok(())
}
