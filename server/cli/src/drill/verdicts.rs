//! The judge of a drill: from what was seen to verdicts, each a sentence that must hold and what was seen of it.

mod faults;
mod list;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use ripcord_proto::Position;
use ripcord_proto::check::CheckPhase;
use ripcord_proto::drill::DrillVerdict;
use ripcord_proto::rollback::{Rollback, RollbackState};
use ripcord_proto::scenario::{DrillFault, Scenario};

use self::list::Verdicts;
use super::observations::Observations;
use crate::exit::{self, Exit};

/// What may lie between the time that a drill measures itself and the phases that the server reports: the applications' threads
/// are looked at every few milliseconds, on a machine that does all of it at once.
const SLACK_MS: f64 = 750.0;

/// What a drill came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    /// What was judged, in order.
    pub(super) verdicts: Vec<DrillVerdict>,
    /// Figures to compare with other runs.
    pub(super) figures: BTreeMap<String, f64>,
    /// Whether a guard refused what should have been allowed.
    pub(super) refused: bool,
}

impl Judgement {
    /// Whether everything held.
    pub(super) fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed)
    }
}

pub(super) fn judge(scenario: &Scenario, confirm_within: Duration, observations: &Observations) -> Judgement {
    let mut bench = Verdicts::default();
    release(&mut bench, observations);
    faults::refusals(&mut bench, scenario, observations);
    let stopped = observations.stopped.as_ref();
    bench.judge(
        "nothing_refused",
        "nothing was refused that should have been allowed",
        stopped.is_none(),
        stopped.map_or_else(
            || one_way_doors(observations),
            |problem| format!("{}: {} ({})", problem.title, problem.detail, problem.code.as_str()),
        ),
    );
    if let Some(rollback) = &observations.rollback {
        ended(&mut bench, scenario, observations, rollback);
        back(&mut bench, scenario, confirm_within, observations, rollback);
        faults::proof(&mut bench, scenario, observations, rollback);
    }
    torn(&mut bench, scenario, observations);
    faults::edits(&mut bench, observations);
    Judgement {
        verdicts: bench.verdicts,
        figures: figures(observations),
        refused: stopped.is_some_and(|problem| exit::of_code(problem.code) == Exit::Refused),
    }
}

fn one_way_doors(observations: &Observations) -> String {
    if observations.one_way_doors.is_empty() {
        return "none".to_owned();
    }
    let doors: Vec<_> = observations.one_way_doors.iter().map(String::as_str).collect();
    format!("one-way doors named by the plan were acknowledged: {}", doors.join(", "))
}

/// The bad release was one.
fn release(bench: &mut Verdicts, observations: &Observations) {
    let detail = observations.reached.map_or_else(
        || "not all of them".to_owned(),
        |took| format!("{} of them in {} ms", observations.applications, took.as_millis()),
    );
    bench.judge(
        "release_reached_all",
        "the bad release reached every application",
        observations.reached.is_some(),
        detail,
    );
    let detail = format!("{} answers came from the bad release", observations.bad_before);
    bench.judge("errors_rose", "error outcomes rose", observations.bad_before > 0, detail);
}

/// How the rollback ended, and what its plan had said.
fn ended(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations, rollback: &Rollback) {
    let unplanned: Vec<_> = observations.changed.difference(&observations.planned).map(String::as_str).collect();
    let detail = if unplanned.is_empty() {
        format!("{} flags", observations.planned.len())
    } else {
        format!("not {}", unplanned.join(", "))
    };
    bench.judge(
        "plan_names_all",
        "the plan named every flag that the release had changed",
        unplanned.is_empty(),
        detail,
    );
    let wanted = wanted(scenario);
    let name = format!("the rollback ended as {}", wanted.as_str());
    let detail = format!("{}. {}", rollback.state.as_str(), first_sentence(&rollback.message));
    bench.judge(format!("ended_{}", wanted.as_str()), name, rollback.state == wanted, detail);
}

/// What a record says first. What follows names commands for a rollback that is gone with the drill.
pub(super) fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

/// The state in which the rollback must end: what the scenario says, else what follows from its faults.
fn wanted(scenario: &Scenario) -> RollbackState {
    let follows = || {
        let faults = &scenario.faults;
        let fails = faults.iter().any(|fault| {
            matches!(
                fault,
                DrillFault::FailingCheck {
                    when: CheckPhase::After | CheckPhase::Step
                }
            )
        });
        let straggles = faults.iter().any(|fault| matches!(fault, DrillFault::Straggler { .. }));
        match (fails, straggles) {
            (true, _) => RollbackState::Failed,
            (false, true) => RollbackState::Partial,
            (false, false) => RollbackState::Confirmed,
        }
    };
    scenario.expect.state.unwrap_or_else(follows)
}

/// Whether every application is back, how fast, and whether the reported phases say the same.
fn back(bench: &mut Verdicts, scenario: &Scenario, confirm_within: Duration, observations: &Observations, rollback: &Rollback) {
    let stays_down = stays_down(scenario);
    if !stays_down {
        let detail = match observations.not_good.first() {
            None => format!("{} of {}, every flag for every user", observations.applications, observations.applications),
            Some(first) => format!("{} answers are not: {first}", observations.not_good.len()),
        };
        bench.judge("all_back", "every application is back at known-good", observations.not_good.is_empty(), detail);
    }
    let limit = scenario.expect.within_ms.map_or(confirm_within, Duration::from_millis);
    let took = observations.outage.as_ref().map_or(observations.clear_after, |outage| outage.safe_after);
    if !stays_down && scenario.steps.is_none() {
        let detail = took.map_or_else(
            || "the bad variant was still served".to_owned(),
            |took| format!("after {} ms", took.as_millis()),
        );
        let name = format!("the bad variant was gone within {} ms", limit.as_millis());
        bench.judge("clear_in_time", name, took.is_some_and(|took| took <= limit), detail);
    }
    // A node that was killed took along what it had measured.
    let alone = scenario.steps.is_none() && observations.outage.is_none() && observations.node.is_none() && rollback.state == RollbackState::Confirmed;
    if let (true, Some(measured)) = (alone, observations.back_after) {
        phases(bench, measured, rollback);
    }
}

/// Whether flags stay as the bad release left them, because a step of the ladder was stopped.
fn stays_down(scenario: &Scenario) -> bool {
    scenario
        .faults
        .iter()
        .any(|fault| matches!(fault, DrillFault::FailingCheck { when: CheckPhase::Step }))
}

/// What the server reports must be what the drill has measured itself.
fn phases(bench: &mut Verdicts, measured: Duration, rollback: &Rollback) {
    let measured = milliseconds(measured);
    let phases = &rollback.phases;
    let reported = phases.applied_last_ms.map(|applied| applied + phases.commit_ms.unwrap_or_default());
    let detail = reported.map_or_else(
        || "the server does not report any".to_owned(),
        |reported| format!("reported {reported:.1} ms to the last application, measured {measured:.1} ms"),
    );
    let agrees = reported.is_some_and(|reported| (reported - measured).abs() <= SLACK_MS + measured / 2.0);
    bench.judge("phases_agree", "the reported phases agree with what was measured", agrees, detail);
}

/// At the positions of the release and of the rollback, no view held some of both states.
fn torn(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations) {
    let mut positions: Vec<Position> = [observations.good, observations.bad].into_iter().flatten().collect();
    let in_steps = scenario.steps.is_some();
    positions.extend(observations.rollback.as_ref().filter(|_| !in_steps).map(Rollback::position));
    let views = positions.iter().filter_map(|position| Some((position, observations.views.get(position)?)));
    let (whole, torn) = views.clone().fold((0, 0), |(whole, torn), (_, views)| (whole + views.whole, torn + views.torn));
    let mut views = views;
    let example = views.find_map(|(position, views)| Some(format!("at {position} {}", views.example.as_ref()?)));
    let detail = match example {
        Some(example) if torn > 0 => format!("{torn} of {} views were: {example}", whole + torn),
        _ => format!("{whole} views of {} flags that changed together", observations.telling),
    };
    bench.judge("no_torn_view", "no view was torn", torn == 0, detail);
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// What is compared from run to run.
fn figures(observations: &Observations) -> BTreeMap<String, f64> {
    #[expect(clippy::cast_precision_loss, reason = "a count of one run is far below 2^53")]
    let count = |count: u64| Some(count as f64);
    let time = |time: Option<Duration>| time.map(milliseconds);
    let phases = observations.rollback.as_ref().map(|rollback| &rollback.phases);
    let served = observations.rollback.as_ref().map(|rollback| rollback.bad_exposure.real);
    let outage = observations.outage.as_ref();
    let figures = [
        ("plan_ms", observations.rollback.as_ref().map(|_| milliseconds(observations.plan_took))),
        ("clear_ms", time(observations.clear_after)),
        ("back_ms", time(observations.back_after)),
        ("safe_ms", time(outage.and_then(|outage| outage.safe_after))),
        ("release_reached_ms", time(observations.reached)),
        ("commit_ms", phases.and_then(|phases| phases.commit_ms)),
        ("applied_p50_ms", phases.and_then(|phases| phases.applied_p50_ms)),
        ("applied_p99_ms", phases.and_then(|phases| phases.applied_p99_ms)),
        ("applied_last_ms", phases.and_then(|phases| phases.applied_last_ms)),
        ("healthy_ms", phases.and_then(|phases| phases.healthy_ms)),
        ("evaluations", count(observations.evaluations.0)),
        ("evaluations_bad", count(observations.evaluations.1)),
        ("evaluations_bad_reported", served.and_then(count)),
        ("took_ms", Some(milliseconds(observations.took))),
    ];
    let seen = figures.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    seen.collect()
}
