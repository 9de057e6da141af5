//! What reporting an outcome costs an application, and how many aggregated counters a server takes.
//!
//! `cargo bench -p ripcord-benches --bench outcomes`. It starts this program again as `ripcord serve` on the embedded store, and
//! posts batches to it over real HTTP from two connections, on the same cores.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ripcord_benches::allocations::{Counting as Allocator, count};
use ripcord_benches::connection::Connection;
use ripcord_benches::interleaved::{batch, fastest};
use ripcord_benches::socket_client::SocketClient;
use ripcord_benches::subprocess::{ServerProcess, is_role};
use ripcord_benches::table::{Row, print};
use ripcord_benches::workload;
use ripcord_sdk::{Context, Outcome, Reporting};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const CALLS: usize = 10_000;
const ROUNDS: usize = 400;
/// Flags that are reported of, and counters of one batch: both variants of each, real and synthetic.
const FLAGS: usize = 500;
const COUNTERS: usize = FLAGS * 4;
const CONNECTIONS: usize = 2;
const SECONDS: u64 = 10;

fn main() -> anyhow::Result<()> {
    if is_role()? {
        return Ok(());
    }
    print("outcomes, in the application", &in_the_application()?);
    print("outcomes, on the server", &[rate(&plain())?, rate(&measured())?].concat());
    Ok(())
}

fn in_the_application() -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = SocketClient::start(&runtime, workload::snapshot(1_000)?, Reporting::Every(Duration::from_mins(10)))?;
    let answer = served.client.bool_detail(workload::PLAIN, &Context::new("user-1"), false);
    let outcomes = [
        ("Outcome::Success", Outcome::Success),
        ("Outcome::Error", Outcome::Error),
        ("Outcome::Latency", Outcome::Latency(Duration::from_micros(123_456))),
        ("Outcome::Number", Outcome::Number("basket", 31.5)),
    ];
    let report = |outcome: Outcome| {
        let (client, answer) = (served.client.clone(), &answer);
        batch(CALLS, move |_| {
            client.outcome(answer, black_box(outcome));
            true
        })
    };
    let batches: Vec<_> = outcomes.iter().map(|(_, outcome)| report(*outcome)).collect();
    let times = fastest(ROUNDS, CALLS, &batches);
    let mut rows = Vec::new();
    for (((name, _), batch), time) in outcomes.iter().zip(&batches).zip(times) {
        let made = count(batch);
        ensure!(made == 0, "{name}: {made} allocations in {CALLS} calls");
        rows.push(Row::new(format!("client.outcome(&answer, {name}), 0 allocations"), format!("{time:.1} ns")).limit("30 ns"));
    }
    Ok(rows)
}

fn plain() -> Value {
    json!({"evaluations": 120, "successes": 118, "errors": 2})
}

/// What an application reports that measures, too.
fn measured() -> Value {
    let latencies: Vec<[u64; 2]> = (0..20).map(|place| [1_000 * (20 + place), 6]).collect();
    json!({"evaluations": 120, "successes": 118, "errors": 2, "latencies_us": latencies,
        "numbers": {"basket": {"count": 120, "sum": 1200.0, "squares": 12_500.0}}})
}

fn counts(what: &Value) -> Vec<Value> {
    let of = |flag: usize, variant: &str, traffic: &str| {
        let mut count = what.clone();
        count["flag"] = json!(format!("flag-{flag}"));
        count["variant"] = json!(variant);
        count["traffic"] = json!(traffic);
        count
    };
    let kinds = [("on", "real"), ("off", "real"), ("on", "synthetic"), ("off", "synthetic")];
    (0..FLAGS).flat_map(|flag| kinds.map(|(variant, traffic)| of(flag, variant, traffic))).collect()
}

fn rate(what: &Value) -> anyhow::Result<Vec<Row>> {
    let server = ServerProcess::start()?;
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    let changes: Vec<Value> = (0..FLAGS)
        .map(|number| json!({"put_flag": {"key": format!("flag-{number}"), "flag": flag}}))
        .collect();
    Connection::open(server.address)?.call(
        "POST",
        "/v1/environments/production/commits",
        &json!({"changes": changes, "reason": "bench"}).to_string(),
    )?;
    let role = json!({"role": "sdk", "environment": "production", "name": "bench"});
    let key = Connection::open(server.address)?.call("POST", "/v1/keys", &role.to_string())?;
    let key = key["key"].as_str().unwrap_or_default();
    let counts = counts(what);
    let (cpu, began) = (server.cpu()?, Instant::now());
    let batches: anyhow::Result<Vec<usize>> = std::thread::scope(|scope| {
        let sender = |instance: usize| {
            let (counts, address) = (&counts, server.address);
            move || -> anyhow::Result<usize> {
                let mut connection = Connection::with_key(address, key)?;
                let mut sent = 0;
                // The bodies differ in their number alone: making them is the application's affair.
                let rest = format!("\"instance_id\": \"i{instance}\", \"counts\": {}", serde_json::to_string(counts)?);
                while began.elapsed() < Duration::from_secs(SECONDS) {
                    sent += 1;
                    let path = "/v1/outcomes?environment=production";
                    let taken = connection.call("POST", path, &format!("{{\"batch\": {sent}, {rest}}}"))?;
                    ensure!(taken["unknown"] == 0, "{taken}");
                }
                Ok(sent)
            }
        };
        let senders: Vec<_> = (0..CONNECTIONS).map(|instance| scope.spawn(sender(instance))).collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a sender panicked"))))
            .collect()
    });
    let (seconds, used) = (began.elapsed().as_secs_f64(), (server.cpu()? - cpu).as_secs_f64());
    let counters = (batches?.iter().sum::<usize>() * COUNTERS) as f64;
    let with = if what.get("latencies_us").is_some() {
        "each with 20 latencies and a number"
    } else {
        "evaluations, successes and errors"
    };
    Ok(vec![
        Row::new(
            format!("counters taken a second, {with}, batches of {COUNTERS} over HTTP"),
            format!("{:.0}", counters / seconds),
        )
        .at_least(counters / seconds / 100_000.0, 1.0),
        Row::new("processor time of the server for 100,000 of them", format!("{:.0} ms", used / counters * 1e8)),
    ])
}
