//! What an application pays for its client: an evaluation through the public call, counted and not, with one thread and two; and
//! how soon a change is in force.
//!
//! `cargo bench -p ripcord-benches --bench client`

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use ripcord_benches::interleaved::{fastest_together, shared_batch};
use ripcord_benches::socket_client::SocketClient;
use ripcord_benches::table::{Row, print};
use ripcord_benches::workload::{self, USERS};
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::frame::encode_delta;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot};
use ripcord_sdk::{Client, Context, Reporting};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;

/// Flags of the environment.
const FLAGS: usize = 1_000;
/// Evaluations in one measurement: so few that the fastest was not interrupted.
const CALLS: usize = 16 * USERS;
/// Measurements, of which the fastest counts.
const ROUNDS: usize = 400;
/// Changes that are timed.
const CHANGES: usize = 400;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut served = SocketClient::start(&runtime, environment()?, Reporting::Off)?;
    let counted = SocketClient::start(&runtime, environment()?, Reporting::Every(Duration::from_secs(10)))?;
    let mut rows = evaluations(&served.client, &counted.client);
    rows.extend(changes(&runtime, &mut served)?);
    print("client", &rows);
    Ok(())
}

fn environment() -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production")?);
    snapshot.position = Position::new(1, 1);
    for number in 0..FLAGS {
        put(&mut snapshot, number, number % 2 == 0)?;
    }
    let entry = Entry::new(FlagKey::new(workload::PLAIN)?, Flag::from_value(&workload::plain())?, snapshot.position)?;
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

/// The very loop of the peers' bench: the flag's name and the users' contexts as they come, made beforehand.
fn evaluations(plain: &Client, counted: &Client) -> Vec<Row> {
    let users = workload::user_ids();
    let contexts: Vec<Context<'_>> = users.iter().map(|user| workload::context(user)).collect();
    let ask = |client: &Client| {
        let (client, contexts) = (client.clone(), &contexts);
        shared_batch(CALLS, move |number| client.bool(workload::PLAIN, &contexts[number % USERS], false))
    };
    let batches = [ask(plain), ask(counted), shared_batch(CALLS, |number| number < CALLS)];
    let alone = fastest_together(1, ROUNDS, CALLS, &batches);
    let both = fastest_together(2, ROUNDS, CALLS, &batches);
    let gains: Vec<f64> = alone.iter().zip(&both).map(|(alone, both)| alone / both).collect();
    vec![
        Row::new("client.bool, a flag without rules, not counted", nanos(alone[0])),
        Row::new("the same, counted", nanos(alone[1])),
        Row::new("what counting adds", nanos(alone[1] - alone[0])).limit("5 ns"),
        Row::new("two threads against one, not counted", format!("{:.2}", gains[0])).at_least(gains[0] / gains[2], 0.95),
        Row::new("two threads against one, counted", format!("{:.2}", gains[1])).at_least(gains[1] / gains[2], 0.95),
        Row::new("two threads against one, an empty loop", format!("{:.2}", gains[2])),
    ]
}

/// From the moment that a frame of one changed flag is handed to the socket to the moment that evaluations answer from it.
fn changes(runtime: &Runtime, served: &mut SocketClient) -> anyhow::Result<Vec<Row>> {
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

fn nanos(nanos: f64) -> String {
    format!("{nanos:.1} ns")
}

fn micros(seconds: f64) -> String {
    format!("{:.0} us", seconds * 1e6)
}
