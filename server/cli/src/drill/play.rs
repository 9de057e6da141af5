//! A drill from its first process to its last: the known-good state, the bad release, the faults, the rollback.
//!
//! ```text
//! stage -> seed -> check -> applications, traffic -> checkpoint, vouch -> bad release -> faults -> attempts -> follow -> look
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

use super::applications::Applications;
use super::expected::Expected;
use super::fork::Fork;
use super::probe::{Health, Probe};
use super::progress::Progress;
use super::release::{BadRelease, bad_variant};
use super::staff::Staff;
use super::stage::Stage;
use super::story::Story;
use super::traffic::Traffic;
use crate::exit::Failure;

/// How long the bad release may take to reach everybody.
const SPREAD: Duration = Duration::from_secs(30);
/// Between two looks at what is awaited.
const PAUSE: Duration = Duration::from_millis(5);

/// What a drill is asked to do.
#[derive(Debug)]
pub(super) struct Brief {
    /// What is rehearsed.
    pub(super) scenario: Scenario,
    /// On what.
    pub(super) fork: Fork,
    /// On which store.
    pub(super) store: DrillStore,
    /// With how many applications.
    pub(super) applications: usize,
}

impl Brief {
    /// Seconds within which its rollback must be confirmed.
    pub(super) fn confirm_within(&self) -> Duration {
        Duration::from_secs(self.scenario.confirm_within_seconds.unwrap_or(self.fork.confirm_within_seconds))
    }

    /// All that is on the way down a ladder.
    pub(super) fn ladder(&self) -> Duration {
        let steps = self.scenario.steps.as_ref();
        steps.map_or(Duration::ZERO, |steps| {
            Duration::from_secs(steps.every_seconds) * u32::try_from(steps.percentages.len()).unwrap_or(u32::MAX)
        })
    }

    /// What a whole drill may take; one that takes longer is ended.
    pub(super) fn limit(&self) -> Duration {
        2 * self.confirm_within() + self.ladder() + Duration::from_mins(2)
    }
}

/// A drill under way.
struct Play<'a> {
    brief: &'a Brief,
    progress: &'a Progress,
    stage: &'a mut Stage,
    staff: Arc<Staff>,
    probe: Probe,
    applications: Applications,
    traffic: Traffic,
    expected: Arc<Expected>,
    /// Kills that were pulled meanwhile, to be lifted at the end.
    kills: Vec<KillId>,
    story: Story,
}

/// Plays it, and ends every process of it whatever it comes to.
pub(super) async fn play(brief: &Brief, progress: &Progress) -> Result<Story, Failure> {
    let began = Instant::now();
    let mut stage = Stage::start(brief.store).await?;
    progress.done(&format!("started {}", nodes(brief.store)));
    let played = tokio::time::timeout(brief.limit(), on(&mut stage, brief, progress)).await;
    stage.strike().await;
    let late = |_| Failure::Local(format!("The drill was not over after {} s, and was ended.", brief.limit().as_secs()));
    let mut story = played.map_err(late)??;
    story.took = began.elapsed();
    Ok(story)
}

const fn nodes(store: DrillStore) -> &'static str {
    match store {
        DrillStore::Embedded => "a node on the embedded store",
        DrillStore::Redis => "two nodes over a Redis",
    }
}

async fn on(stage: &mut Stage, brief: &Brief, progress: &Progress) -> Result<Story, Failure> {
    let mut play = Play::prepare(stage, brief, progress).await?;
    play.go_bad().await?;
    play.strike(FaultTime::BeforeRollback).await?;
    if play.roll_back().await? {
        play.strike(FaultTime::AfterCommit).await?;
        play.follow().await?;
    }
    play.look().await
}

impl<'a> Play<'a> {
    /// Until everybody serves the known-good state.
    async fn prepare(stage: &'a mut Stage, brief: &'a Brief, progress: &'a Progress) -> Result<Self, Failure> {
        let staff = Arc::new(Staff::hire(stage).await?);
        let fork = with_door(brief)?;
        staff.seed(&fork).await?;
        let good = staff.snapshot().await?;
        let release = BadRelease::of(&brief.scenario, &fork)?;
        let expected = Arc::new(Expected::new(&good, &release.after(&good)?));
        if expected.watched() == 0 {
            return Err(Failure::Usage(
                "The scenario's change makes no difference to anybody, so that there is nothing to roll back.".to_owned(),
            ));
        }
        let probe = Probe::open(if fails_at(brief, CheckPhase::Before) { Health::Gone } else { Health::There }).await?;
        staff.set_policy(&policy(brief, &probe)).await?;
        let faults = &brief.scenario.faults;
        let key = staff.application_key();
        let applications = Applications::connect(stage, key, staff.environment(), brief.applications, faults).await?;
        progress.done(&format!(
            "forked {}: {} flags; {} applications",
            fork.from,
            good.flags.len(),
            applications.len()
        ));
        let traffic = Traffic::start(Arc::clone(&expected), applications.clients().to_vec());
        let traffic = traffic.map_err(|error| Failure::Local(format!("No thread can be started: {error}.")))?;
        staff.vouch(applications.len()).await?;
        progress.done("took the checkpoint and vouched for it");
        let story = Story {
            applications: applications.len(),
            stragglers: applications.stragglers().map(str::to_owned).collect(),
            telling: expected.watched(),
            changed: release.flags.iter().map(ToString::to_string).collect(),
            ..Story::default()
        };
        let mut play = Self {
            brief,
            progress,
            stage,
            staff,
            probe,
            applications,
            traffic,
            expected,
            kills: Vec::new(),
            story,
        };
        play.story.good = Some(play.staff.snapshot().await?.position);
        Ok(play)
    }

    /// The release goes bad, everywhere.
    async fn go_bad(&mut self) -> Result<(), Failure> {
        let release = BadRelease::of(&self.brief.scenario, &self.brief.fork)?;
        let began = Instant::now();
        self.story.bad = Some(self.staff.release(release.changes).await?);
        let reached = until(SPREAD, || self.traffic.all_bad()).await;
        self.story.reached = reached.map(|at| at.saturating_duration_since(began));
        self.story.bad_before = self.traffic.counts().1;
        self.story.detected = (self.story.bad_before > 0).then(jiff::Timestamp::now);
        let spread = self.story.reached.map_or("it did not reach every application".to_owned(), |took| {
            format!("at every application after {} ms, and errors rise", took.as_millis())
        });
        self.progress.done(&format!("the release goes bad: {spread}"));
        Ok(())
    }

    /// What strikes at a moment.
    async fn strike(&mut self, now: FaultTime) -> Result<(), Failure> {
        for fault in &self.brief.scenario.faults {
            match fault {
                DrillFault::NodeKilled { at } if *at == now => {
                    let what = self.stage.kill_node().await?;
                    self.progress.done(&what);
                    self.story.node = Some(what);
                }
                DrillFault::LostConnections { at, .. } if *at == now => {
                    let lost = self.applications.lose_connections();
                    self.progress.done(&format!("{lost} applications lost their connections"));
                }
                DrillFault::StoreAway { how } if now == FaultTime::BeforeRollback => self.store_goes(*how).await?,
                DrillFault::FailingCheck { when } if *when != CheckPhase::Before && now == FaultTime::BeforeRollback => {
                    self.probe.set(Health::Gone);
                    self.progress.done("the check says that service is not there");
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

/// Whether a check of the scenario fails at this moment.
pub(super) fn fails_at(brief: &Brief, when: CheckPhase) -> bool {
    brief.scenario.faults.contains(&DrillFault::FailingCheck { when })
}

/// The fork, with the one-way door that the scenario asks for.
fn with_door(brief: &Brief) -> Result<Fork, Failure> {
    let mut fork = brief.fork.clone();
    for fault in &brief.scenario.faults {
        let DrillFault::OneWayDoor { flag } = fault else { continue };
        let key = door_flag(brief, flag.as_ref())?;
        if let Some(flag) = fork.file.flags.get_mut(&key) {
            flag.one_way = bad_variant(flag).map(|from| OneWay {
                from,
                reason: "the drill says so".to_owned(),
                data_checkpoint: None,
            });
        }
    }
    Ok(fork)
}

/// The flag of a one-way door: the one that is named, else the first that the release changes.
fn door_flag(brief: &Brief, named: Option<&FlagKey>) -> Result<FlagKey, Failure> {
    let changed = BadRelease::of(&brief.scenario, &brief.fork)?.flags;
    let found = named.map_or_else(|| changed.first(), |named| changed.get(named));
    found.cloned().ok_or_else(|| {
        let named = named.map_or_else(String::new, |named| format!(" {named}"));
        Failure::Usage(format!("The scenario has a one-way door, and its release does not change the flag{named}."))
    })
}

/// What the drill's environment asks of a rollback.
fn policy(brief: &Brief, probe: &Probe) -> serde_json::Value {
    let mut when = vec!["after"];
    when.extend(fails_at(brief, CheckPhase::Before).then_some("before"));
    when.extend(fails_at(brief, CheckPhase::Step).then_some("step"));
    json!({
        "confirm_within_seconds": brief.confirm_within().as_secs(),
        "checks": [{"name": super::CHECK, "url": probe.url(), "when": when, "timeout_ms": 2_000}],
    })
}

/// Looks until it is so; `None` where that took longer.
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
