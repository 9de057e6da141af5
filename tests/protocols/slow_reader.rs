//! A reader that does not read costs bounded memory and delays no other.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::ensure;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Api, Outcome, SOON, Server, Setup, flags};

/// Readers that read nothing.
const STUCK: usize = 20;
/// Commits of 50 kB each while they do not.
const COMMITS: u32 = 400;
/// What the server may grow by: far less than 20 readers × 400 commits × 50 kB = 400 MB.
const GROWTH: u64 = 100 * 1024 * 1024;

/// Asks for an event stream and reads no more than its head.
fn stuck(api: &Api, n: usize) -> anyhow::Result<TcpStream> {
    let host = api.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(SOON))?;
    let query = format!("sdk=stuck/1.0&instance=stuck-{n}&instance_id=stuck-{n}");
    write!(
        stream,
        "GET /v1/stream?{query} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
        api.key()
    )?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    ensure!(&head == b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_cost_bounded_memory_and_delay_no_other() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let sdk = admin.role("sdk").await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let mut prompt = WebSocket::connect(&sdk, "prompt").await?;
    prompt.expect("snapshot", SOON).await?;
    // Once around, so that what is bought for good is not counted as growth.
    for n in 0..40_u32 {
        let fill = char::from(b'A' + u8::try_from(n % 26)?);
        admin.put_flag(&format!("large-{}", n % 10), &flags::large(50_000, fill)).await?.ok()?;
        prompt.expect("delta", SOON).await?;
    }
    let stuck: Vec<_> = (0..STUCK).map(|n| stuck(&sdk, n)).collect::<Result<_, _>>()?;
    let before = server.process()?.resident()?;
    for n in 0..COMMITS {
        let fill = char::from(b'a' + u8::try_from(n % 26)?);
        admin.put_flag(&format!("large-{}", n % 10), &flags::large(50_000, fill)).await?.ok()?;
        // One that had to wait for a stuck one would wait for as long as the server bears it: longer than this.
        prompt.expect("delta", SOON).await?;
    }
    let grown = server.process()?.resident()?.saturating_sub(before);
    ensure!(grown < GROWTH, "{STUCK} readers that do not read cost {} MiB", grown / 1024 / 1024);
    // A kill is not held up either.
    admin.kill_flag("checkout").await?;
    let kill = prompt.expect("delta", SOON).await?;
    ensure!(kill.data["urgent"] == true, "{}", kill.data);
    drop(stuck);
    Ok(())
}
