//! A thousand rollouts at once on one node: how late their steps are, and what holding them costs.
//!
//! `cargo bench -p ripcord-benches --bench rollouts`. It starts this program again as `ripcord serve` on the embedded store. All
//! first steps are due at one moment; each rollout has a gate over outcomes that is read every second while it is held. A step is late
//! by the time from when it was due to the moment that its commit says.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use ripcord_benches::connection::Connection;
use ripcord_benches::subprocess::{ServerProcess, is_role};
use ripcord_benches::table::{Row, print};
use serde_json::{Value, json};

const MANY: usize = 1_000;
const STARTERS: usize = 8;
/// Until all first steps are due: by then all must have been started.
const AHEAD: SignedDuration = SignedDuration::from_secs(20);
const HOLD: Duration = Duration::from_secs(60);
/// While they hold, processor time is taken over so long.
const HELD: Duration = Duration::from_secs(40);

fn main() -> anyhow::Result<()> {
    if is_role()? {
        return Ok(());
    }
    let server = ServerProcess::start()?;
    let mut connection = Connection::open(server.address)?;
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    let changes: Vec<Value> = (0..MANY)
        .map(|number| json!({"put_flag": {"key": format!("flag-{number}"), "flag": flag}}))
        .collect();
    let commit = json!({"changes": changes, "reason": "bench"}).to_string();
    connection.call("POST", "/v1/environments/production/commits", &commit)?;
    let due = Timestamp::now() + AHEAD;
    start(&server, due)?;
    ensure!(Timestamp::now() < due, "starting them took longer than {AHEAD}");
    let first = until_all(&mut connection, 1)?;
    // What the steps themselves cost is over.
    std::thread::sleep(Duration::from_secs(5));
    let (cpu, began) = (server.cpu()?, Instant::now());
    std::thread::sleep(HELD);
    let share = (server.cpu()? - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    let second = until_all(&mut connection, 2)?;
    let first_late = first.iter().map(|rollout| late(&rollout["entered"], due));
    let second_late = second.iter().map(|rollout| {
        let due = moment(&rollout["past"][0]["entered"])? + SignedDuration::try_from(HOLD)?;
        late(&rollout["entered"], due)
    });
    let mut rows = lateness("first steps, all due at one moment", first_late.collect::<anyhow::Result<_>>()?);
    rows.extend(lateness(
        "second steps, each due a minute after its first",
        second_late.collect::<anyhow::Result<_>>()?,
    ));
    rows.push(
        Row::new(
            "of one core while they hold, a gate of each read every second",
            format!("{:.1} %", share * 100.0),
        )
        .ratio(share / 0.1, 1.0),
    );
    print(&format!("{MANY} rollouts on one node"), &rows);
    Ok(())
}

fn start(server: &ServerProcess, due: Timestamp) -> anyhow::Result<()> {
    let gate = json!({"name": "errors", "outcome": "error", "worse_by": "1%", "min_samples": 1, "on_fail": "rollback", "dry_run": true});
    let hold = format!("{}s", HOLD.as_secs());
    let started: anyhow::Result<Vec<()>> = std::thread::scope(|scope| {
        let starter = |own: usize| {
            let (gate, hold) = (&gate, &hold);
            move || -> anyhow::Result<()> {
                let mut connection = Connection::open(server.address)?;
                for number in (own..MANY).step_by(STARTERS) {
                    let plan = json!({
                        "flag": format!("flag-{number}"), "variant": "on", "start_at": due.to_string(), "no_gates": true,
                        "steps": [{"to": "1%", "hold": hold}, {"to": "10%", "hold": "1h"}], "gates": [gate],
                    });
                    connection.call("POST", "/v1/environments/production/rollouts", &plan.to_string())?;
                }
                Ok(())
            }
        };
        let starters: Vec<_> = (0..STARTERS).map(|own| scope.spawn(starter(own))).collect();
        starters
            .into_iter()
            .map(|starter| starter.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a starter panicked"))))
            .collect()
    });
    started.map(drop)
}

/// All rollouts, once they have taken the step.
fn until_all(connection: &mut Connection, step: u64) -> anyhow::Result<Vec<Value>> {
    let deadline = Instant::now() + Duration::from_mins(2);
    while Instant::now() < deadline {
        let mut rollouts: Vec<Value> = Vec::new();
        let mut after = String::new();
        loop {
            let page = connection.call("GET", &format!("/v1/environments/production/rollouts?limit=500{after}"), "")?;
            rollouts.extend(page["items"].as_array().context("items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        if rollouts.len() == MANY && rollouts.iter().all(|rollout| rollout["step"] == step) {
            return Ok(rollouts);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("not all rollouts took step {step}")
}

fn moment(text: &Value) -> anyhow::Result<Timestamp> {
    Ok(text.as_str().context("a moment")?.parse()?)
}

fn late(entered: &Value, due: Timestamp) -> anyhow::Result<f64> {
    Ok(moment(entered)?.duration_since(due).as_secs_f64())
}

fn lateness(what: &str, mut late: Vec<f64>) -> Vec<Row> {
    late.sort_by(f64::total_cmp);
    let at = |part: usize| late.get(late.len() * part / 100).or(late.last()).copied().unwrap_or_default();
    vec![
        Row::new(
            format!("{what}: late by, median and 99 in 100"),
            format!("{:.0}, {:.0} ms", at(50) * 1e3, at(99) * 1e3),
        ),
        Row::new(format!("{what}: late by, at most"), format!("{:.0} ms", at(100) * 1e3)).ratio(at(100), 1.0),
    ]
}
