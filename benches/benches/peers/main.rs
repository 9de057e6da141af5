//! The engine against other engines, at equal work, in one run: flags of the same meaning, contexts made beforehand, answers checked
//! to give about equal shares. Each engine is called the way its users call it; Ripcord through `client.bool`.
//!
//! `cargo bench -p ripcord-benches --features peers --bench peers`

mod datalogic;
mod engine;
mod eppo;
mod launchdarkly;
mod yggdrasil;

use anyhow::ensure;
use ripcord_benches::interleaved::{Batch, batch, fastest};
use ripcord_benches::table::{Row, print};
use ripcord_benches::workload::{self, FIVE_RULES, PLAIN, ROLLOUT, USERS};
use ripcord_sdk::{Client, Context};

use self::engine::Engine;

/// Rounds in which every engine is timed once for each flag.
const ROUNDS: usize = 400;

fn main() -> anyhow::Result<()> {
    let users = workload::user_ids();
    let contexts: Vec<Context<'_>> = users.iter().map(|user| workload::context(user)).collect();
    let client = Client::offline(workload::snapshot(1000)?);
    let ask = |flag: &'static str| {
        let (client, contexts) = (client.clone(), &contexts);
        batch(USERS, move |number| client.bool(flag, &contexts[number % USERS], false))
    };
    let arenas = datalogic::Arenas::default();
    let engines = [
        Engine {
            name: "ripcord",
            batches: [ask(PLAIN), ask(ROLLOUT), ask(FIVE_RULES)],
        },
        datalogic::engine(&users, &arenas)?,
        yggdrasil::engine(&users)?,
        eppo::engine(&users)?,
        launchdarkly::engine(&users)?,
    ];
    check_shares(&engines)?;

    let mut rows = Vec::new();
    let flags = [
        ("boolean flag, no rules", 0, 0.6),
        ("25 % rollout by user id", 1, 0.35),
        ("five rules that miss, then 25 %", 2, 0.25),
    ];
    for (what, place, limit) in flags {
        let names = engines.iter().map(|engine| engine.name);
        let batches: Vec<Batch<'_>> = engines.iter().map(|engine| Box::new(&engine.batches[place]) as Batch<'_>).collect();
        let times = fastest(ROUNDS, USERS, &batches);
        let against = names.clone().zip(&times).skip(1).filter(|(name, _)| place > 0 || *name == "unleash-yggdrasil");
        let peer = against.map(|(_, time)| *time).fold(f64::MAX, f64::min);
        for (name, time) in names.zip(&times) {
            let row = Row::new(format!("{what}: {name}"), format!("{time:.1} ns"));
            rows.push(if name == "ripcord" { row.ratio(time / peer, limit) } else { row });
        }
        if place == 0 {
            rows.push(Row::new("boolean flag, against a bare datalogic-rs rule", "").ratio(times[0] / times[1], 1.0));
        }
    }
    print("engines", &rows);
    Ok(())
}

/// Engines hash differently, so shares differ a little; beyond that they were not given the same work.
fn check_shares(engines: &[Engine<'_>]) -> anyhow::Result<()> {
    for engine in engines {
        let [plain, rollout, five] = engine.batches.each_ref().map(|batch| batch());
        ensure!(
            plain == USERS as u64,
            "{}: the flag without rules serves true to {plain} of {USERS}",
            engine.name
        );
        for (flag, share) in [(ROLLOUT, rollout), (FIVE_RULES, five)] {
            ensure!(
                (USERS as u64 / 5..=USERS as u64 / 10 * 3).contains(&share),
                "{}: {flag} serves true to {share} of {USERS}",
                engine.name
            );
        }
    }
    Ok(())
}
