//! Turns the observations of a drill into verdicts: each is a sentence that must hold, and what was observed.

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
use ripcord_proto::text::{counted, counted_len, grouped};

use self::list::Verdicts;
use super::observations::Observations;
use crate::confirm::in_milliseconds;
use crate::exit::{self, Exit};

/// Allowed difference between the times that a drill measures and the phases that the server reports: the applications'
/// threads are sampled every few milliseconds, on a machine that runs everything at once.
const SLACK_MS: f64 = 750.0;

/// The result of a drill.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    /// The verdicts, in order.
    pub(super) verdicts: Vec<DrillVerdict>,
    /// Figures to compare with other runs.
    pub(super) figures: BTreeMap<String, f64>,
    /// Whether a guard refused something that should have been allowed.
    pub(super) refused: bool,
}

impl Judgement {
    /// Whether every check passed.
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

/// The bad release did harm.
fn release(bench: &mut Verdicts, observations: &Observations) {
    let detail = observations.reached.map_or_else(
        || "not all of them".to_owned(),
        |took| format!("{} of them in {}", observations.applications, in_milliseconds(took)),
    );
    bench.judge(
        "release_reached_all",
        "the bad release reached every application",
        observations.reached.is_some(),
        detail,
    );
    let detail = format!("{} came from the bad release", counted(observations.bad_before, "answer", "answers"));
    bench.judge("errors_rose", "error outcomes rose", observations.bad_before > 0, detail);
}

/// The end of the rollback, and its plan.
fn ended(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations, rollback: &Rollback) {
    let unplanned: Vec<_> = observations.changed.difference(&observations.planned).map(String::as_str).collect();
    let detail = if unplanned.is_empty() {
        counted_len(observations.planned.len(), "flag", "flags")
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
    let message = first_sentence(&rollback.message);
    let detail = if rollback.state == wanted {
        message.to_owned()
    } else {
        format!("{}. {message}", rollback.state.as_str())
    };
    bench.judge(format!("ended_{}", wanted.as_str()), name, rollback.state == wanted, detail);
}

/// The first sentence of a record's message. The rest names commands for a rollback that ends with the drill.
pub(super) fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

/// The state in which the rollback must end: as the scenario says, or as its faults imply.
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

/// Every application is back; how fast; the reported phases agree.
fn back(bench: &mut Verdicts, scenario: &Scenario, confirm_within: Duration, observations: &Observations, rollback: &Rollback) {
    let stays_down = stays_down(scenario);
    if !stays_down {
        let detail = match observations.not_good.first() {
            None => format!("{} of {}, every flag for every user", observations.applications, observations.applications),
            Some(first) => format!("{}: {first}", counted_len(observations.not_good.len(), "answer is not", "answers are not")),
        };
        bench.judge("all_back", "every application is back at known-good", observations.not_good.is_empty(), detail);
    }
    let limit = scenario.expect.within_ms.map_or(confirm_within, Duration::from_millis);
    let took = observations.outage.as_ref().map_or(observations.clear_after, |outage| outage.safe_after);
    if !stays_down && scenario.steps.is_none() {
        let detail = took.map_or_else(
            || "the bad variant was still served".to_owned(),
            |took| format!("after {}", in_milliseconds(took)),
        );
        let name = format!("the bad variant was gone within {}", in_milliseconds(limit));
        bench.judge("clear_in_time", name, took.is_some_and(|took| took <= limit), detail);
    }
    // A killed node has lost its measurements.
    let alone = scenario.steps.is_none() && observations.outage.is_none() && observations.node.is_none() && rollback.state == RollbackState::Confirmed;
    if let (true, Some(measured)) = (alone, observations.back_after) {
        phases(bench, measured, rollback);
    }
}

/// Whether some flags keep the bad release's state because a staged rollback was stopped.
fn stays_down(scenario: &Scenario) -> bool {
    scenario
        .faults
        .iter()
        .any(|fault| matches!(fault, DrillFault::FailingCheck { when: CheckPhase::Step }))
}

/// The server's figures agree with what the drill measured.
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

/// No view mixed both states, at the positions of the release and of the rollback.
fn torn(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations) {
    let mut positions: Vec<Position> = [observations.good, observations.bad].into_iter().flatten().collect();
    let in_steps = scenario.steps.is_some();
    positions.extend(observations.rollback.as_ref().filter(|_| !in_steps).map(Rollback::position));
    let views = positions.iter().filter_map(|position| Some((position, observations.views.get(position)?)));
    let (whole, torn) = views.clone().fold((0, 0), |(whole, torn), (_, views)| (whole + views.whole, torn + views.torn));
    let mut views = views;
    let example = views.find_map(|(position, views)| Some(format!("at {position} {}", views.example.as_ref()?)));
    let detail = match example {
        Some(example) if torn > 0 => format!("{} of {} views were: {example}", grouped(torn), grouped(whole + torn)),
        _ => format!(
            "{} of {} that changed together",
            counted(whole, "view", "views"),
            counted_len(observations.telling, "flag", "flags")
        ),
    };
    bench.judge("no_torn_view", "no view was torn", torn == 0, detail);
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The figures to compare with other runs.
fn figures(observations: &Observations) -> BTreeMap<String, f64> {
    #[expect(clippy::cast_precision_loss, reason = "a count of one run is far below 2^53")]
    let count = |count: u64| Some(count as f64);
    let time = |time: Option<Duration>| time.map(milliseconds);
    let phases = observations.rollback.as_ref().map(|rollback| &rollback.phases);
    let bad = observations.rollback.as_ref().and_then(|rollback| rollback.bad_exposure.as_ref());
    let served = bad.map(|bad| bad.real);
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
