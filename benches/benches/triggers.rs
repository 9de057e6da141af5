//! Signal to kill: from the last byte of a webhook to the urgent frame on the first stream.
//!
//! `cargo bench -p ripcord-benches --bench triggers`. It starts this program again as `ripcord serve` on the embedded store, whose
//! folder lies where `TMPDIR` says: on a disk the figure has its fsync in it, in memory (`TMPDIR=/dev/shm`) it is what comes beyond.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_benches::connection::Connection;
use ripcord_benches::process::KEY;
use ripcord_benches::subprocess::{ServerProcess, is_role};
use ripcord_benches::table::{Row, print};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Incidents that are timed, after some that are not.
const INCIDENTS: usize = 600;
const WARM: usize = 50;
/// Flags beside the one that is killed.
const FLAGS: usize = 1_000;
/// What 99 in 100 may take beyond the fsync.
const MOST: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

fn main() -> anyhow::Result<()> {
    if is_role()? {
        return Ok(());
    }
    let server = ServerProcess::start()?;
    let mut admin = Connection::open(server.address)?;
    let hook = prepare(&mut admin)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = runtime.block_on(measure(server.address, &mut admin, &hook))?;
    times.sort_unstable();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1_000).copied().unwrap_or_default();
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
    let place = std::env::temp_dir();
    let rows = [
        Row::new(format!("p50, store in {}", place.display()), millis(at(500))),
        Row::new("p99", millis(at(990))).ratio(at(990).as_secs_f64() / MOST.as_secs_f64(), 1.0),
        Row::new("slowest", millis(times.last().copied().unwrap_or_default())),
    ];
    print(
        &format!("webhook's last byte to the urgent frame on a stream, {INCIDENTS} incidents, {FLAGS} flags"),
        &rows,
    );
    Ok(())
}

/// Flags, and a trigger that kills one of them by itself: where its signals go, and the token.
fn prepare(admin: &mut Connection) -> anyhow::Result<(String, String)> {
    let flag = json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off"});
    let changes: Vec<Value> = (0..FLAGS)
        .map(|number| json!({"put_flag": {"key": format!("flag-{number}"), "flag": flag}}))
        .collect();
    let commit = json!({"changes": changes, "reason": "bench"}).to_string();
    admin.call("POST", "/v1/environments/production/commits", &commit)?;
    admin.call("PUT", "/v1/environments/production/policy", r#"{"triggers": "automatic"}"#)?;
    let trigger = json!({"name": "bench", "source": "alertmanager", "action": {"kill": {"flags": ["flag-0"]}}, "cooldown": "0s", "max_per_hour": 1000});
    let made = admin.call("POST", "/v1/environments/production/triggers", &trigger.to_string())?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {made}"));
    Ok((text("hook")?, text("secret")?))
}

async fn measure(address: SocketAddr, admin: &mut Connection, (hook, token): &(String, String)) -> anyhow::Result<Vec<Duration>> {
    let mut stream = connect(address).await?;
    let mut hooks = BufReader::new(TcpStream::connect(address)?);
    hooks.get_ref().set_nodelay(true)?;
    let mut times = Vec::with_capacity(INCIDENTS);
    for incident in 0..WARM + INCIDENTS {
        let body = alert(incident).to_string();
        let head = format!(
            "POST {hook} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        hooks.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        let sent = Instant::now();
        urgent(&mut stream).await?;
        let took = sent.elapsed();
        let answer = answer(&mut hooks)?;
        ensure!(answer["outcome"] == "fired", "{answer}");
        let kill = answer["kills"][0].as_str().context("a kill")?;
        admin.call("DELETE", &format!("/v1/environments/production/kills/{kill}?reason=bench"), "")?;
        // A restore is urgent too.
        urgent(&mut stream).await?;
        if incident >= WARM {
            times.push(took);
        }
    }
    Ok(times)
}

async fn connect(address: SocketAddr) -> anyhow::Result<Stream> {
    let mut request = format!("ws://{address}/v1/stream?environment=production").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse()?);
    let (mut stream, _) = tokio_tungstenite::connect_async(request).await?;
    let hello = json!({"type": "hello", "sdk": "bench/1", "instance": "bench", "instance_id": "bench-1"});
    stream.send(Message::text(hello.to_string())).await?;
    frame(&mut stream, "\"snapshot\"").await?;
    Ok(stream)
}

/// Waits for the next frame that is urgent.
async fn urgent(stream: &mut Stream) -> anyhow::Result<()> {
    frame(stream, "\"urgent\":true").await
}

/// Waits for a frame with this text in it.
async fn frame(stream: &mut Stream, text: &str) -> anyhow::Result<()> {
    let wait = async {
        loop {
            match stream.next().await.context("the stream ended")?? {
                Message::Text(frame) if frame.contains(text) => return Ok(()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await?
}

/// An incident of its own.
fn alert(number: usize) -> Value {
    json!({"version": "4", "groupKey": format!("{{}}:{{alertname=\"HighErrorRate-{number}\"}}"), "status": "firing", "receiver": "ripcord",
        "alerts": [{"status": "firing", "labels": {"alertname": "HighErrorRate", "severity": "page"}, "annotations": {"summary": "5% of requests fail"},
            "startsAt": "2026-01-05T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c1a0b2"}]})
}

/// The body of an answer, which must be of success.
fn answer(connection: &mut BufReader<TcpStream>) -> anyhow::Result<Value> {
    let (mut status, mut length) = (String::new(), 0);
    connection.read_line(&mut status)?;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    ensure!(status.contains(" 200"), "{status}{}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}
