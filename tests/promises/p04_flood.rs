//! Promise 4, while the server is flooded with everything else: a kill and a restore take effect at once.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use ripcord_tests::flood::{self, Effect, Flood, Load};
use ripcord_tests::stream::{Reader as _, WebSocket};
use ripcord_tests::{Api, Outcome, SOON, Server, Setup, flags};
use serde_json::json;

/// How long the flood goes on.
const FLOODED: Duration = Duration::from_secs(12);
/// Within this a kill is answered, and in force.
const AT_ONCE: Duration = Duration::from_secs(1);
/// So few that the flood uses up all places but those that are kept.
const OPEN_FILES: u32 = 512;
/// The memory that the flood may take.
const MEMORY: u64 = 1 << 30;

/// All at once: evaluations with a public key, slow bodies and silent connections without any, scrapes, streams up to the limit of open
/// files, methods of 30,000 letters, plans, backups and edits, with a log that nobody reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_restores_and_rollbacks_take_effect_while_everything_else_is_flooded() -> Outcome {
    let setup = Setup::embedded()
        .open_files(OPEN_FILES)
        .unread()
        .variable("RUST_LOG", "ripcord_server=debug,info");
    let server = Server::start(setup).await?;
    let admin = server.admin();
    flood::prepare(&admin, &["checkout", "search"]).await?;
    let before = admin.revision().await?;
    admin.put_flag("search", &flags::rollout(50)).await?.ok()?;
    let oncall = admin.role("oncall").await?;
    let sdk = admin.role("sdk").await?;
    let flood = Flood::start(&admin).await?;
    // A thread of its own, so that the flood of this process does not delay what is measured.
    let slowest = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(kill_again_and_again(&oncall, &sdk, before))
    });
    let slowest = slowest.await.context("the killer's thread")??;
    for load in Load::ALL {
        ensure!(flood.done(load) > 0, "{load:?} was no part of the flood");
    }
    let resident = server.process()?.resident()?;
    ensure!(resident < MEMORY, "{} MiB resident", resident >> 20);
    drop(flood);
    server.readyz_until("it is ready after the flood", |answer| answer.status == 200).await?;
    eprintln!("the slowest of {} kills and restores: {:?}", slowest.count, slowest.effect);
    Ok(())
}

/// What took longest.
#[derive(Debug)]
struct Slowest {
    count: usize,
    effect: Effect,
}

impl Slowest {
    fn add(&mut self, what: &str, effect: Effect) -> Outcome {
        self.count += 1;
        self.effect.answered = self.effect.answered.max(effect.answered);
        self.effect.in_force = self.effect.in_force.max(effect.in_force);
        ensure!(effect.answered < AT_ONCE, "{what} {} was answered late: {effect:?}", self.count);
        ensure!(effect.in_force < AT_ONCE, "{what} {} was in force late: {effect:?}", self.count);
        Ok(())
    }
}

async fn kill_again_and_again(oncall: &Api, sdk: &Api, before: u64) -> anyhow::Result<Slowest> {
    // The flood has not taken all places yet, or this reader tries again, as every client does.
    let mut stream = ripcord_tests::eventually(SOON, "a place for the reader", || WebSocket::connect(sdk, "reader")).await?;
    stream.frame(SOON).await?;
    let mut slowest = Slowest {
        count: 0,
        effect: Effect {
            answered: Duration::ZERO,
            in_force: Duration::ZERO,
        },
    };
    let end = Instant::now() + FLOODED;
    while Instant::now() < end {
        let (id, effect) = flood::kill(oncall, &mut stream, "checkout").await?;
        slowest.add("kill", effect)?;
        slowest.add("restore", flood::restore(oncall, &mut stream, &id).await?)?;
    }
    let rollback = json!({"to": before, "flags": ["search"], "reason": "a test"});
    let (path, started) = (oncall.path("rollbacks"), Instant::now());
    oncall.send(Method::POST, &path, Some(&rollback), &[("connection", "close")]).await?.ok()?;
    ensure!(started.elapsed() < 2 * AT_ONCE, "the rollback was answered after {:?}", started.elapsed());
    Ok(slowest)
}
