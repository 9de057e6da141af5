//! What an application pays for its client: an evaluation through the public call, counted and not, with one thread and two; and
//! how soon a change is in force.
//!
//! `cargo bench -p ripcord-benches --bench client`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_benches::table::{Row, print};
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::{Overlay, encode_delta, encode_snapshot};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot};
use ripcord_sdk::{Client, Context, Counting};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Flags of the environment.
const FLAGS: usize = 1_000;
/// Evaluations in one measurement.
const EVALUATIONS: u32 = 5_000_000;
/// Measurements, of which the best counts: whatever disturbs only slows down.
const ROUNDS: usize = 7;
/// Changes that are timed.
const CHANGES: usize = 400;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut served = Served::start(&runtime, Counting::Off)?;
    let counted = Served::start(&runtime, Counting::Every(Duration::from_secs(10)))?;
    let mut rows = evaluations(&served.client, &counted.client);
    rows.extend(changes(&runtime, &mut served)?);
    print("client", &rows);
    Ok(())
}

/// A client that is in sync with this end of its stream.
struct Served {
    client: Client,
    stream: WebSocketStream<TcpStream>,
    snapshot: Snapshot,
}

impl Served {
    fn start(runtime: &Runtime, counting: Counting) -> anyhow::Result<Self> {
        let snapshot = environment()?;
        let frame = encode_snapshot(&snapshot, &snapshot.content_hash(), &Overlay::default())?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("http://{}", listener.local_addr()?);
            let client = Client::builder(&address, "rc_sdk_bench").environment("production").counting(counting).start()?;
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let mut stream = tokio_tungstenite::accept_async(socket).await?;
            stream.send(Message::text(frame)).await?;
            client.ready_within(Duration::from_secs(20)).await?;
            Ok(Self { client, stream, snapshot })
        })
    }
}

fn environment() -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production")?);
    snapshot.position = Position::new(1, 1);
    for number in 0..FLAGS {
        put(&mut snapshot, number, number % 2 == 0)?;
    }
    let plain = json!({"enabled": true, "variants": {"on": true, "off": false}, "default": "on", "safe": "off"});
    let entry = Entry::new(FlagKey::new("plain")?, Flag::from_value(&plain)?, snapshot.position)?;
    snapshot.flags.insert(Arc::new(entry));
    Ok(snapshot)
}

/// A flag as they are: a rule for some, a share of the others.
fn put(snapshot: &mut Snapshot, number: usize, staff: bool) -> anyhow::Result<()> {
    let flag = json!({
        "enabled": true, "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "description": "A flag among many", "owner": "payments", "tags": ["checkout"],
        "rules": [
            {"id": "staff", "when": {"attribute": "email", "ends_with": "@example.com"}, "serve": if staff { "on" } else { "off" }},
            {"id": "gradual", "serve": {"split": [{"variant": "on", "weight": 25}, {"variant": "off", "weight": 75}]}}
        ]
    });
    let entry = Entry::new(FlagKey::new(&format!("flag-{number}"))?, Flag::from_value(&flag)?, snapshot.position)?;
    snapshot.flags.insert(Arc::new(entry));
    Ok(())
}

fn evaluations(plain: &Client, counted: &Client) -> Vec<Row> {
    let user = Context::new("user-42");
    let uncounted = || black_box(plain.bool(black_box("plain"), &user, false));
    let counting = || black_box(counted.bool(black_box("plain"), &user, false));
    let empty = || black_box(black_box(7_u32) < 9);
    let (alone, with_counts) = (best(1, &uncounted), best(1, &counting));
    let gain = |work: &(dyn Fn() -> bool + Sync)| best(1, work) / best(2, work);
    let (ideal, shared, shared_counting) = (gain(&empty), gain(&uncounted), gain(&counting));
    vec![
        Row::new("client.bool, a flag without rules, not counted", nanos(alone)),
        Row::new("the same, counted", nanos(with_counts)),
        Row::new("what counting adds", nanos(with_counts - alone)).limit("5 ns"),
        Row::new("two threads against one, not counted", format!("{shared:.2}")).at_least(shared / ideal, 0.95),
        Row::new("two threads against one, counted", format!("{shared_counting:.2}")).at_least(shared_counting / ideal, 0.95),
        Row::new("two threads against one, an empty loop", format!("{ideal:.2}")),
    ]
}

/// Seconds that one evaluation takes, seen from all of `threads` together: the best of some rounds.
fn best(threads: u32, work: &(dyn Fn() -> bool + Sync)) -> f64 {
    let round = || {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..EVALUATIONS {
                        work();
                    }
                });
            }
        });
        started.elapsed().as_secs_f64() / f64::from(EVALUATIONS * threads)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// From the moment that a frame of one changed flag is handed to the socket to the moment that evaluations answer from it.
fn changes(runtime: &Runtime, served: &mut Served) -> anyhow::Result<Vec<Row>> {
    let mut times = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let before = served.snapshot.clone();
        served.snapshot.position.revision = before.position.revision.next();
        put(&mut served.snapshot, change % FLAGS, change % 3 == 0)?;
        let delta = Delta::between(&before, &served.snapshot, served.snapshot.content_hash(), Urgency::Urgent);
        let (frame, at) = (encode_delta(&delta)?, served.snapshot.position);
        let started = Instant::now();
        runtime.block_on(served.stream.send(Message::text(frame)))?;
        while served.client.view().position() != Some(at) {
            std::hint::spin_loop();
        }
        times.push(started.elapsed());
        // The acknowledgement, so that the next change finds the client at rest.
        runtime.block_on(served.stream.next());
    }
    times.sort();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).map_or(0.0, Duration::as_secs_f64);
    Ok(vec![
        Row::new("one flag of 1,000 changes: into the socket → in force, p50", micros(at(0.5))).limit("200 us"),
        Row::new("the same, p99", micros(at(0.99))),
    ])
}

fn nanos(seconds: f64) -> String {
    format!("{:.1} ns", seconds * 1e9)
}

fn micros(seconds: f64) -> String {
    format!("{:.0} us", seconds * 1e6)
}
