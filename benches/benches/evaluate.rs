//! How long an evaluation takes, through the public call, and that it allocates nothing.
//!
//! `cargo bench -p ripcord-benches --bench evaluate`. The comparison with other engines is the bench
//! `peers`; counting and two threads at once are measured by the bench `client`.

use std::hint::black_box;

use anyhow::ensure;
use criterion::Criterion;
use ripcord_benches::allocations::{Counting, count};
use ripcord_benches::interleaved::{Batch, batch, fastest};
use ripcord_benches::table::{Row, print};
use ripcord_benches::workload::{self, FIVE_RULES, PLAIN, ROLLOUT, USERS};
use ripcord_sdk::{Client, Context};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 400;

fn main() -> anyhow::Result<()> {
    let users = workload::user_ids();
    let contexts: Vec<Context<'_>> = users.iter().map(|user| workload::context(user)).collect();
    let client = Client::offline(workload::snapshot(1000)?);
    check_allocations(&client, &users, &contexts)?;
    print("evaluation", &figures(&client, &users, &contexts));
    let mut criterion = Criterion::default().configure_from_args();
    for flag in [PLAIN, ROLLOUT, FIVE_RULES] {
        let mut users = contexts.iter().cycle();
        criterion.bench_function(flag, |bencher| {
            bencher.iter(|| users.next().is_some_and(|user| client.bool(black_box(flag), user, false)))
        });
    }
    let mut ids = users.iter().cycle();
    criterion.bench_function("context of five", |bencher| {
        bencher.iter(|| ids.next().map(|user| black_box(&workload::context(user)).traffic()))
    });
    criterion.final_summary();
    Ok(())
}

/// Fails the bench where anything is allocated that should not be.
fn check_allocations(client: &Client, users: &[String], contexts: &[Context<'_>]) -> anyhow::Result<()> {
    let view = client.view();
    for flag in [PLAIN, ROLLOUT, FIVE_RULES] {
        let made = count(|| contexts.iter().filter(|context| client.bool(flag, context, false)).count());
        ensure!(made == 0, "{flag}: {made} allocations in {USERS} evaluations");
        let made = count(|| {
            contexts
                .iter()
                .filter(|context| view.string(flag, context, "").is_empty() && view.number(flag, context, 0.0) == 0.0)
                .count()
        });
        ensure!(made == 0, "{flag}: {made} allocations in {USERS} evaluations as another type");
    }
    let made = count(|| users.iter().for_each(|user| drop(black_box(workload::context(user)))));
    ensure!(made == 0, "{made} allocations in {USERS} contexts");
    Ok(())
}

fn figures(client: &Client, users: &[String], contexts: &[Context<'_>]) -> Vec<Row> {
    let ask = |flag: &'static str| batch(USERS, move |number| client.bool(flag, &contexts[number % USERS], false));
    let pinned = |flag: &'static str| {
        let view = client.view();
        batch(USERS, move |number| view.bool(flag, &contexts[number % USERS], false))
    };
    let build: Batch<'_> = batch(USERS, |number| black_box(&workload::context(&users[number % USERS])).targeting_key().is_some());
    let batches = [
        ask(PLAIN),
        ask(ROLLOUT),
        ask(FIVE_RULES),
        pinned(PLAIN),
        pinned(ROLLOUT),
        pinned(FIVE_RULES),
        build,
    ];
    let times = fastest(ROUNDS, USERS, &batches);
    let what = [
        "boolean flag, no rules",
        "25 % rollout by user id",
        "five rules that miss, then 25 %",
        "boolean flag, through a view",
        "25 % rollout, through a view",
        "five rules, through a view",
    ];
    let mut rows: Vec<Row> = what
        .iter()
        .zip(&times)
        .map(|(what, time)| Row::new(format!("{what}, 0 allocations"), format!("{time:.1} ns")))
        .collect();
    rows.push(Row::new("building a context of five attributes, 0 allocations", format!("{:.1} ns", times[6])).limit("20 ns"));
    rows
}
