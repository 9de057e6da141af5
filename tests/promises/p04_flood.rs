//! Promise 4, while the server is flooded with everything else: a kill and a restore take effect at once.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use ripcord_tests::flood::{self, Effect, Flood, Load, Watcher};
use ripcord_tests::{Api, Outcome, SOON, Server, Setup, eventually, flags};
use serde_json::json;

/// How long the flood lasts.
const FLOODED: Duration = Duration::from_secs(12);
/// Within this a kill is answered, and in force.
const AT_ONCE: Duration = Duration::from_secs(1);
/// No kill takes longer.
const AT_LAST: Duration = Duration::from_secs(5);
/// A rollback reads the state that it goes back to from the log, which takes most of a second in a debug build without a flood.
const ROLLED_BACK: Duration = Duration::from_secs(15);
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
    let effects = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(kill_again_and_again(&oncall, &sdk, before))
    });
    effects.await.context("the killer's thread")??.were_at_once()?;
    for load in Load::ALL {
        ensure!(flood.sent(load) > 0, "{load:?} was no part of the flood");
    }
    let resident = server.process()?.resident()?;
    ensure!(resident < MEMORY, "{} MiB resident", resident >> 20);
    drop(flood);
    server.readyz_until("it is ready after the flood", |answer| answer.status == 200).await?;
    Ok(())
}

/// How long kills and restores took.
#[derive(Debug, Default)]
struct Effects(Vec<Effect>);

impl Effects {
    /// The server and the flood share the processors of this machine, so a few may be late, but none for long.
    fn were_at_once(&self) -> Outcome {
        let slowest = self.0.iter().max_by_key(|effect| effect.answered.max(effect.in_force));
        let slowest = slowest.context("nothing was killed")?;
        ensure!(slowest.answered < AT_LAST && slowest.in_force < AT_LAST, "the slowest: {slowest:?}");
        let is_late = |effect: &&Effect| effect.answered > AT_ONCE || effect.in_force > AT_ONCE;
        let late = self.0.iter().filter(is_late).count();
        ensure!(late <= self.0.len() / 10, "{late} of {} were late, the slowest: {slowest:?}", self.0.len());
        Ok(())
    }
}

async fn kill_again_and_again(oncall: &Api, sdk: &Api, before: u64) -> anyhow::Result<Effects> {
    let oncall = &oncall.alone();
    // The flood has not taken all places yet, or this reader tries again, as every client does.
    let mut watcher = eventually(SOON, "a place for the reader", || Watcher::connect(sdk)).await?;
    let mut effects = Effects::default();
    let end = Instant::now() + FLOODED;
    while Instant::now() < end {
        let (id, killed) = watcher.kill(oncall, "checkout").await?;
        let restored = watcher.restore(oncall, "checkout", &id).await?;
        effects.0.extend([killed, restored]);
    }
    let rollback = json!({"to": before, "flags": ["search"], "reason": "a test"});
    let (path, started) = (oncall.path("rollbacks"), Instant::now());
    oncall.send(Method::POST, &path, Some(&rollback), &[("connection", "close")]).await?.ok()?;
    ensure!(started.elapsed() < ROLLED_BACK, "the rollback was answered after {:?}", started.elapsed());
    Ok(effects)
}
