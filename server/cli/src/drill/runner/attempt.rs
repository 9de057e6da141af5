//! The rollback, as on-call does it: look at the plan, do exactly that; if refused, do what the refusal says, and try again.

use std::time::{Duration, Instant};

use ripcord_proto::FlagKey;
use ripcord_proto::check::CheckPhase;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rollback::Rollback;
use ripcord_proto::scenario::{DrillFault, DrillScope, DrillTarget, FaultTime};
use serde_json::{Map, Value, json};

use super::{Runner, fails_at, until};
use crate::drill::actors::{Actors, CHECKPOINT, RELEASE, Told};
use crate::drill::editors::Editors;
use crate::drill::observations::{EditStory, Refusal};
use crate::drill::probe::Health;
use crate::exit::Failure;
use crate::output::count;

/// Largest number of attempts.
const TRIES: usize = 30;
/// After this many outdated plans, the rollback is sent without a plan hash.
const PLANS: usize = 5;
/// Number of simulated users in a plan.
const POPULATION: u64 = 1_000;
/// How long edits continue after the commit: some must come after it.
const AFTERMATH: Duration = Duration::from_millis(150);

/// The rollback request, which changes from attempt to attempt.
struct Order {
    body: Map<String, Value>,
    acknowledged: Vec<String>,
    plan: PlanHash,
    /// The last request and its `Idempotency-Key`.
    sent: Option<(Value, String)>,
    next: Next,
}

/// What the next attempt sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The result of a new plan.
    Planned,
    /// The same request under the same `Idempotency-Key`, because its outcome is unknown.
    SameAgain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlanHash {
    Given,
    LeftOut,
}

impl Runner<'_> {
    /// Plans and rolls back. Returns whether a rollback was committed.
    pub(super) async fn roll_back(&mut self) -> Result<bool, Failure> {
        let editors = self.begin_editing().await;
        let done = self.attempts().await;
        if let Some(editors) = editors {
            tokio::time::sleep(AFTERMATH).await;
            let edits = editors.end().await?;
            self.progress.done(&format!(
                "{} during the rollback",
                count(edits.len(), "edit was acknowledged", "edits were acknowledged")
            ));
            self.observations.edits.get_or_insert_default().edits = edits;
        }
        done
    }

    async fn begin_editing(&mut self) -> Option<Editors> {
        let writers = self.spec.scenario.faults.iter().find_map(|fault| match fault {
            DrillFault::ConcurrentEdits { writers } => Some(*writers),
            DrillFault::StoreAway { .. }
            | DrillFault::NodeKilled { .. }
            | DrillFault::SlowReaders { .. }
            | DrillFault::LostConnections { .. }
            | DrillFault::Straggler { .. }
            | DrillFault::FailingCheck { .. }
            | DrillFault::OneWayDoor { .. } => None,
        })?;
        let flags: Vec<FlagKey> = self.expected.telling().cloned().collect();
        let editors = Editors::begin(&self.actors, &flags, writers);
        self.observations.edits = Some(EditStory::default());
        // Wait until some edits come between the bad release and the rollback.
        until(Duration::from_secs(5), || (editors.count() >= 3).then_some(())).await;
        Some(editors)
    }

    async fn attempts(&mut self) -> Result<bool, Failure> {
        let mut order = Order {
            body: self.body(),
            acknowledged: Vec::new(),
            plan: PlanHash::Given,
            sent: None,
            next: Next::Planned,
        };
        for _ in 0..TRIES {
            let before = self.traffic.counts().1;
            let decided = Instant::now();
            let problem = match self.attempt(&mut order).await? {
                Ok((rollback, asked)) => {
                    self.committed(rollback, asked, before).await;
                    return Ok(true);
                }
                Err(problem) => problem,
            };
            if !self.answer(&problem, &mut order, decided).await? {
                self.progress.wrong(&format!("refused without an expected cause: {}", problem.detail));
                self.observations.stopped = Some(*problem);
                return Ok(false);
            }
        }
        Err(Failure::Local(format!("The rollback was refused {TRIES} times; giving up.")))
    }

    /// One attempt: plan and execute the plan, or repeat the last request.
    async fn attempt(&mut self, order: &mut Order) -> Result<Told<(Rollback, Instant)>, Failure> {
        if let (Next::SameAgain, Some((body, identity))) = (order.next, order.sent.take()) {
            order.next = Next::Planned;
            let asked = Instant::now();
            let told = self.actors.roll_back(&body, &identity).await?;
            return Ok(told.map(|rollback| (rollback, asked)));
        }
        let began = Instant::now();
        let plan = match self.actors.plan(&order.question()).await? {
            Ok(plan) => plan,
            Err(problem) => return Ok(Err(problem)),
        };
        self.observations.plan_took = began.elapsed();
        self.observations.planned = Actors::flags_of(&plan);
        self.pass_one_way_doors(&plan, order);
        self.strike(FaultTime::AfterPlan).await?;
        let hash = (order.plan == PlanHash::Given).then(|| plan.get("hash").cloned()).flatten();
        let (body, identity) = (order.written(hash), format!("{:032x}", rand::random::<u128>()));
        let asked = Instant::now();
        let told = self.actors.roll_back(&body, &identity).await?;
        order.sent = Some((body, identity));
        Ok(told.map(|rollback| (rollback, asked)))
    }

    /// Acknowledges the one-way doors of the forked environment, as a person who has read the plan would.
    fn pass_one_way_doors(&mut self, plan: &Value, order: &mut Order) {
        let rehearsed = self.rehearses_door();
        let doors = plan.get("one_way").and_then(Value::as_array).into_iter().flatten();
        let named = doors.filter_map(|door| door.get("flag").or_else(|| door.get("key")).unwrap_or(door).as_str());
        for flag in named.filter(|_| !rehearsed) {
            if self.observations.one_way_doors.insert(flag.to_owned()) {
                order.acknowledged.push(flag.to_owned());
            }
        }
    }

    fn rehearses_door(&self) -> bool {
        self.spec.scenario.faults.iter().any(|fault| matches!(fault, DrillFault::OneWayDoor { .. }))
    }

    async fn committed(&mut self, rollback: Rollback, asked: Instant, before: u64) {
        self.progress
            .done(&format!("rolled back to {} in revision {}", rollback.target.position(), rollback.revision));
        self.observations.bad_before = self.observations.bad_before.max(before);
        self.observations.rollback = Some(rollback);
        let patience = self.spec.confirm_within() + self.spec.ladder();
        let clear = until(patience, || self.traffic.all_clear()).await;
        self.observations.clear_after = clear.map(|at| at.saturating_duration_since(asked));
        let back = if self.observations.outage.is_some() { None } else { self.traffic.all_good() };
        self.observations.back_after = back.map(|at| at.saturating_duration_since(asked));
    }

    /// Does what a refusal says, if the scenario expects it. Returns whether it did.
    async fn answer(&mut self, problem: &Problem, order: &mut Order, decided: Instant) -> Result<bool, Failure> {
        let code = problem.code;
        if code == Code::PlanStale && self.replans_after_the_outage() {
            return Ok(true);
        }
        if code == Code::PlanStale && self.observations.edits.is_some() {
            let observations = self.observations.edits.get_or_insert_default();
            observations.stale += 1;
            if observations.stale >= PLANS {
                order.plan = PlanHash::LeftOut;
            }
            return Ok(true);
        }
        if matches!(code, Code::StoreUnavailable | Code::OutcomeUnknown) && self.store_is_away() {
            self.refused(problem).await?;
            self.make_safe(problem, decided).await?;
            if code == Code::OutcomeUnknown {
                order.next = Next::SameAgain;
            }
            return Ok(true);
        }
        if code == Code::OneWayDoor && self.rehearses_door() && order.acknowledged.is_empty() {
            let told = self.observations.changed.iter().filter(|flag| doors(problem).any(|door| door == flag.as_str()));
            order.acknowledged = told.cloned().collect();
            if order.acknowledged.is_empty() {
                return Ok(false);
            }
        } else if code == Code::CheckFailed && fails_at(self.spec, CheckPhase::Before) && self.observations.refusals.is_empty() {
            self.probe.set(Health::There);
        } else {
            return Ok(false);
        }
        self.refused(problem).await?;
        Ok(true)
    }

    /// The kills that made the scope safe have changed the environment, which justifies one more plan but not two.
    fn replans_after_the_outage(&mut self) -> bool {
        let outage = self.observations.outage.as_mut().filter(|outage| !outage.replanned);
        outage.is_some_and(|outage| {
            outage.replanned = true;
            true
        })
    }

    async fn refused(&mut self, problem: &Problem) -> Result<(), Failure> {
        self.progress
            .done(&format!("refused, as expected: {} ({})", problem.title, problem.code.as_str()));
        let moved = Some(self.actors.snapshot().await?.position) != self.observations.bad;
        self.observations.refusals.push(Refusal {
            code: problem.code,
            detail: problem.detail.clone(),
            moved,
        });
        Ok(())
    }

    /// The scenario's scope and target, as the API expects them.
    fn body(&self) -> Map<String, Value> {
        let scenario = &self.spec.scenario;
        let target = match scenario.aim {
            DrillTarget::LastKnownGood => Some(json!("last-known-good")),
            DrillTarget::Checkpoint => Some(json!(CHECKPOINT)),
            DrillTarget::Revision => self.observations.good.map(|good| json!(good.revision)),
            DrillTarget::Baseline => None,
        };
        let scope = match &scenario.scope {
            DrillScope::Environment => None,
            DrillScope::Release => Some(("release", json!(RELEASE))),
            DrillScope::Flags(flags) => Some(("flags", json!(flags))),
            DrillScope::Tags(tags) => Some(("tags", json!(tags))),
        };
        let steps = scenario.steps.as_ref();
        let members = [
            Some(("reason", json!("the release is bad"))),
            self.observations.detected.map(|detected| ("detected_at", json!(detected))),
            target.map(|target| ("to", target)),
            scope,
            steps.map(|steps| ("steps", json!(steps.percentages))),
            steps.map(|steps| ("every_seconds", json!(steps.every_seconds))),
        ];
        members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The flags whose one-way doors a refusal names.
fn doors(problem: &Problem) -> impl Iterator<Item = &str> {
    let doors = problem.members.get("doors").and_then(Value::as_array).into_iter().flatten();
    doors.filter_map(|door| door.get("flag").and_then(Value::as_str))
}

impl Order {
    /// The body to send, with the plan's hash if there is one.
    fn written(&self, hash: Option<Value>) -> Value {
        self.with(hash.map(|hash| ("plan", hash)))
    }

    /// The body of a request for a plan.
    fn question(&self) -> Value {
        self.with(Some(("population", json!(POPULATION))))
    }

    fn with(&self, member: Option<(&str, Value)>) -> Value {
        let acknowledged = (!self.acknowledged.is_empty()).then(|| ("acknowledge_one_way", json!(self.acknowledged)));
        let mut body = self.body.clone();
        body.extend(acknowledged.into_iter().chain(member).map(|(name, value)| (name.to_owned(), value)));
        Value::Object(body)
    }
}
