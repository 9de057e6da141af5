//! Runs a drill: the known-good state, the bad release, the faults, the rollback.
//!
//! ```text
//! harness -> seed -> check -> applications, traffic -> checkpoint, vouch -> bad release -> faults -> attempts -> follow -> look
//! ```

mod attempt;
mod end;
mod outage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::check::CheckPhase;
use ripcord_proto::drill::DrillStore;
use ripcord_proto::one_way::OneWay;
use ripcord_proto::scenario::{DrillFault, FaultTime, Scenario};
use ripcord_proto::{FlagKey, KillId};
use serde_json::json;

use super::actors::Actors;
use super::applications::Applications;
use super::expected::Expected;
use super::fork::Fork;
use super::harness::Harness;
use super::observations::Observations;
use super::probe::{CHECK, Health, Probe};
use super::progress::Progress;
use super::release::{BadRelease, bad_variant};
use super::traffic::Traffic;
use crate::confirm::in_milliseconds;
use crate::exit::Failure;
use crate::output::count;

/// How long the bad release may take to reach all applications.
const SPREAD: Duration = Duration::from_secs(30);
/// Interval between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// The specification of a drill.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) scenario: Scenario,
    pub(super) fork: Fork,
    pub(super) store: DrillStore,
    /// Number of applications.
    pub(super) applications: usize,
}

impl Spec {
    /// The deadline for confirming the rollback, in seconds.
    pub(super) fn confirm_within(&self) -> Duration {
        Duration::from_secs(self.scenario.confirm_within_seconds.unwrap_or(self.fork.confirm_within_seconds))
    }

    /// The total duration of a staged rollback's holds.
    pub(super) fn ladder(&self) -> Duration {
        let steps = self.scenario.steps.as_ref();
        steps.map_or(Duration::ZERO, |steps| {
            Duration::from_secs(steps.every_seconds) * u32::try_from(steps.percentages.len()).unwrap_or(u32::MAX)
        })
    }

    /// The time limit of the whole drill.
    pub(super) fn limit(&self) -> Duration {
        2 * self.confirm_within() + self.ladder() + Duration::from_mins(2)
    }
}

/// A running drill.
struct Runner<'a> {
    spec: &'a Spec,
    progress: &'a Progress,
    harness: &'a mut Harness,
    actors: Arc<Actors>,
    probe: Probe,
    applications: Applications,
    traffic: Traffic,
    expected: Arc<Expected>,
    /// Kills made during the drill, lifted at the end.
    kills: Vec<KillId>,
    observations: Observations,
}

/// Runs the drill and ends all its processes, however it ends.
pub(super) async fn runner(spec: &Spec, progress: &Progress) -> Result<Observations, Failure> {
    let began = Instant::now();
    let mut harness = Harness::start(spec.store).await?;
    progress.done(&format!("started {}", nodes(spec.store)));
    let played = tokio::time::timeout(spec.limit(), on(&mut harness, spec, progress)).await;
    harness.strike().await;
    let late = |_| Failure::Local(format!("The drill did not finish within {} s and was stopped.", spec.limit().as_secs()));
    let mut observations = played.map_err(late)??;
    observations.took = began.elapsed();
    Ok(observations)
}

const fn nodes(store: DrillStore) -> &'static str {
    match store {
        DrillStore::Embedded => "one node with the embedded store",
        DrillStore::Redis => "two nodes with Redis",
    }
}

async fn on(harness: &mut Harness, spec: &Spec, progress: &Progress) -> Result<Observations, Failure> {
    let mut runner = Runner::prepare(harness, spec, progress).await?;
    runner.go_bad().await?;
    runner.strike(FaultTime::BeforeRollback).await?;
    if runner.roll_back().await? {
        runner.strike(FaultTime::AfterCommit).await?;
        runner.follow().await?;
    }
    runner.look().await
}

impl<'a> Runner<'a> {
    /// Runs until every application serves the known-good state.
    async fn prepare(harness: &'a mut Harness, spec: &'a Spec, progress: &'a Progress) -> Result<Self, Failure> {
        let actors = Arc::new(Actors::hire(harness).await?);
        let fork = with_door(spec)?;
        actors.seed(&fork).await?;
        let good = actors.snapshot().await?;
        let release = BadRelease::of(&spec.scenario, &fork)?;
        let expected = Arc::new(Expected::new(&good, &release.after(&good)?));
        if expected.watched() == 0 {
            return Err(Failure::Local(
                "The scenario's changes would not change what any user gets, so there would be nothing to roll back. Add other `changes:` to it.".to_owned(),
            ));
        }
        let probe = Probe::open(if fails_at(spec, CheckPhase::Before) { Health::Gone } else { Health::There }).await?;
        actors.set_policy(&policy(spec, &probe)).await?;
        let faults = &spec.scenario.faults;
        let key = actors.application_key();
        let applications = Applications::connect(harness, key, actors.environment(), spec.applications, faults).await?;
        progress.done(&format!(
            "forked {}: {}; {}",
            fork.from,
            count(good.flags.len(), "flag", "flags"),
            count(applications.len(), "application", "applications")
        ));
        let traffic = Traffic::start(Arc::clone(&expected), applications.clients().to_vec());
        let traffic = traffic.map_err(|error| Failure::Local(format!("Cannot start a thread: {error}.")))?;
        actors.vouch(applications.len()).await?;
        progress.done("created a known-good checkpoint");
        let observations = Observations {
            applications: applications.len(),
            stragglers: applications.stragglers().map(str::to_owned).collect(),
            telling: expected.watched(),
            changed: release.flags.iter().map(ToString::to_string).collect(),
            ..Observations::default()
        };
        let mut runner = Self {
            spec,
            progress,
            harness,
            actors,
            probe,
            applications,
            traffic,
            expected,
            kills: Vec::new(),
            observations,
        };
        runner.observations.good = Some(runner.actors.snapshot().await?.position);
        Ok(runner)
    }

    /// Publishes the bad release and waits until it reaches every application.
    async fn go_bad(&mut self) -> Result<(), Failure> {
        let release = BadRelease::of(&self.spec.scenario, &self.spec.fork)?;
        let began = Instant::now();
        self.observations.bad = Some(self.actors.release(release.changes).await?);
        let reached = until(SPREAD, || self.traffic.all_bad()).await;
        self.observations.reached = reached.map(|at| at.saturating_duration_since(began));
        self.observations.bad_before = self.traffic.counts().1;
        self.observations.detected = (self.observations.bad_before > 0).then(jiff::Timestamp::now);
        let spread = self.observations.reached.map_or("it did not reach every application".to_owned(), |took| {
            format!("it reached every application after {}, and errors are rising", in_milliseconds(took))
        });
        self.progress.done(&format!("bad release: {spread}"));
        Ok(())
    }

    /// Causes the faults that are due at a moment.
    async fn strike(&mut self, now: FaultTime) -> Result<(), Failure> {
        for fault in &self.spec.scenario.faults {
            match fault {
                DrillFault::NodeKilled { at } if *at == now => {
                    let what = self.harness.kill_node().await?;
                    self.progress.done(&what);
                    self.observations.node = Some(what);
                }
                DrillFault::LostConnections { at, .. } if *at == now => {
                    let lost = self.applications.lose_connections();
                    self.progress
                        .done(&count(lost, "application lost its connection", "applications lost their connections"));
                }
                DrillFault::StoreAway { how } if now == FaultTime::BeforeRollback => self.store_goes(*how).await?,
                DrillFault::FailingCheck { when } if *when != CheckPhase::Before && now == FaultTime::BeforeRollback => {
                    self.probe.set(Health::Gone);
                    self.progress.done("the health check fails");
                }
                DrillFault::NodeKilled { .. }
                | DrillFault::LostConnections { .. }
                | DrillFault::StoreAway { .. }
                | DrillFault::FailingCheck { .. }
                | DrillFault::SlowReaders { .. }
                | DrillFault::Straggler { .. }
                | DrillFault::OneWayDoor { .. }
                | DrillFault::ConcurrentEdits { .. } => {}
            }
        }
        Ok(())
    }
}

pub(super) fn fails_at(spec: &Spec, when: CheckPhase) -> bool {
    spec.scenario.faults.contains(&DrillFault::FailingCheck { when })
}

/// The fork, with the scenario's one-way door.
fn with_door(spec: &Spec) -> Result<Fork, Failure> {
    let mut fork = spec.fork.clone();
    for fault in &spec.scenario.faults {
        let DrillFault::OneWayDoor { flag } = fault else { continue };
        let key = door_flag(spec, flag.as_ref())?;
        if let Some(flag) = fork.file.flags.get_mut(&key) {
            flag.one_way = bad_variant(flag).map(|from| OneWay {
                from,
                reason: "set by the drill".to_owned(),
                data_checkpoint: None,
            });
        }
    }
    Ok(fork)
}

/// The flag of a one-way door: the named one, or the first that the release changes.
fn door_flag(spec: &Spec, named: Option<&FlagKey>) -> Result<FlagKey, Failure> {
    let changed = BadRelease::of(&spec.scenario, &spec.fork)?.flags;
    let found = named.map_or_else(|| changed.first(), |named| changed.get(named));
    found.cloned().ok_or_else(|| {
        let named = named.map_or_else(String::new, |named| format!(" {named}"));
        Failure::Local(format!("The scenario has a one-way door, but its release does not change the flag{named}."))
    })
}

/// The policy of the drill's environment.
fn policy(spec: &Spec, probe: &Probe) -> serde_json::Value {
    let mut when = vec!["after"];
    when.extend(fails_at(spec, CheckPhase::Before).then_some("before"));
    when.extend(fails_at(spec, CheckPhase::Step).then_some("step"));
    json!({
        "confirm_within_seconds": spec.confirm_within().as_secs(),
        "checks": [{"name": CHECK, "url": probe.url(), "when": when, "timeout_ms": 2_000}],
    })
}

/// Waits until the condition holds; `None` on timeout.
async fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if began.elapsed() >= within {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
