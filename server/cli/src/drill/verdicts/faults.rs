//! Checks that faults had the expected effects.

use ripcord_proto::problem::Code;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::scenario::{DrillFault, Scenario};
use ripcord_proto::text::counted;

use super::list::{Verdicts, expected_refusals};
use crate::confirm::in_milliseconds;
use crate::drill::observations::{Observations, OutageStory, Refusal};
use crate::drill::probe::CHECK;
use crate::output::count;

/// The expected refusals came, and they changed nothing.
pub(super) fn refusals(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations) {
    for code in expected_refusals(scenario) {
        let came = observations.refusals.iter().find(|refusal| same(refusal.code, code));
        let name = if code == Code::StoreUnavailable {
            "the rollback was refused while the store was down".to_owned()
        } else {
            format!("the rollback was refused first with {}", code.as_str())
        };
        let detail = came.map_or_else(|| "it was not refused".to_owned(), |refusal| refusal.detail.clone());
        bench.judge(format!("refused_{}", code.as_str().to_lowercase()), name, came.is_some(), detail);
        if let Some(refusal) = came {
            changed_nothing(bench, refusal);
        }
    }
    if let Some(outage) = &observations.outage {
        without_the_store(bench, outage);
    }
}

/// An append without an answer counts as a store outage, just like one that was refused.
fn same(came: Code, expected: Code) -> bool {
    came == expected || (expected == Code::StoreUnavailable && came == Code::OutcomeUnknown)
}

fn changed_nothing(bench: &mut Verdicts, refusal: &Refusal) {
    let detail = if refusal.moved {
        "the environment has changed"
    } else {
        "the environment is unchanged"
    };
    bench.judge(
        format!("unchanged_by_{}", refusal.code.as_str().to_lowercase()),
        format!("the refusal {} changed nothing", refusal.code.as_str()),
        !refusal.moved,
        detail,
    );
}

fn without_the_store(bench: &mut Verdicts, outage: &OutageStory) {
    let printed = !outage.commands.is_empty();
    let detail = if printed { outage.commands.join("; ") } else { "none".to_owned() };
    bench.judge("refusal_names_commands", "the refusal printed the kill commands for its scope", printed, detail);
    let (kills, provisional) = outage.kills;
    bench.judge(
        "killed_without_store",
        "the kills took effect without the store",
        kills > 0 && provisional == kills,
        format!("{provisional} of {} provisional", count(kills, "kill was", "kills were")),
    );
    let detail = outage.safe_after.map_or_else(
        || "not every application was".to_owned(),
        |after| format!("{} after the rollback was tried", in_milliseconds(after)),
    );
    bench.judge(
        "safe_without_store",
        "every application was safe without the store",
        outage.safe_after.is_some(),
        detail,
    );
    let detail = if outage.merged { "all of them" } else { "not all of them" };
    bench.judge(
        "kills_merged",
        "the kills were written to the log when the store was back",
        outage.merged,
        detail,
    );
    let detail = format!("{} in the log after it was requested twice", outage.rollbacks);
    bench.judge("made_once", "the rollback was made exactly once", outage.rollbacks == 1, detail);
}

/// The contents of the rollback's record.
pub(super) fn proof(bench: &mut Verdicts, scenario: &Scenario, observations: &Observations, rollback: &Rollback) {
    if !observations.stragglers.is_empty() {
        stragglers(bench, observations, rollback);
    }
    for fault in &scenario.faults {
        match fault {
            DrillFault::FailingCheck { when } => {
                let outcome = rollback.checks.iter().rfind(|outcome| outcome.name == CHECK && outcome.when == *when);
                let named = outcome.is_some_and(|outcome| !outcome.passed);
                let detail = outcome.map_or_else(|| rollback.message.clone(), |outcome| format!("{}: {}", outcome.name, outcome.detail));
                if *when != ripcord_proto::check::CheckPhase::Before {
                    bench.judge("failed_check_named", "the record names the check that failed", named, detail);
                }
            }
            DrillFault::OneWayDoor { .. } => {
                let acknowledged: Vec<_> = rollback.acknowledged.iter().map(ToString::to_string).collect();
                let detail = format!("acknowledged: {}", acknowledged.join(", "));
                bench.judge(
                    "one_way_named",
                    "the record names the acknowledged one-way door",
                    !acknowledged.is_empty(),
                    detail,
                );
            }
            DrillFault::NodeKilled { .. } => {
                let detail = observations.node.clone().unwrap_or_else(|| "no node was killed".to_owned());
                bench.judge("node_killed", "a node was killed", observations.node.is_some(), detail);
            }
            DrillFault::StoreAway { .. }
            | DrillFault::SlowReaders { .. }
            | DrillFault::LostConnections { .. }
            | DrillFault::Straggler { .. }
            | DrillFault::ConcurrentEdits { .. } => {}
        }
    }
    bench.judge(
        "check_asked",
        "the health check ran",
        observations.asked > 0,
        counted(observations.asked, "time", "times"),
    );
}

fn stragglers(bench: &mut Verdicts, observations: &Observations, rollback: &Rollback) {
    let missing = rollback.confirmation.iter().flat_map(|confirmation| &confirmation.applied.missing);
    let missing: Vec<&str> = missing.map(|missing| missing.instance.name.as_str()).collect();
    let all = observations.stragglers.iter().all(|name| missing.contains(&name.as_str()));
    let detail = if missing.is_empty() { "none is named".to_owned() } else { missing.join(", ") };
    bench.judge(
        "missing_named",
        "the record names exactly the applications that never confirmed",
        all && missing.len() == observations.stragglers.len(),
        detail,
    );
}

/// What happened to edits that were made during the rollback.
pub(super) fn edits(bench: &mut Verdicts, observations: &Observations) {
    let Some(seen) = &observations.edits else { return };
    let detail = match seen.lost.first() {
        None => format!("{}, each in the log", count(seen.edits.len(), "edit", "edits")),
        Some(first) => format!(
            "{} of {} are not in the log: {} of {}",
            seen.lost.len(),
            seen.edits.len(),
            first.words,
            first.flag
        ),
    };
    bench.judge(
        "no_edit_lost",
        "no acknowledged edit was lost",
        seen.lost.is_empty() && !seen.edits.is_empty(),
        detail,
    );
    let detail = match seen.wrong.first() {
        None => "edits before the rollback were rolled back, edits after it remain".to_owned(),
        Some(first) => format!("{}, {first} among them", count(seen.wrong.len(), "flag is not", "flags are not")),
    };
    bench.judge("last_word_holds", "every flag is as its last change left it", seen.wrong.is_empty(), detail);
    let detail = match seen.stale {
        0 => "the first plan was still up to date".to_owned(),
        times => format!("refused {} because something had changed since the plan", count(times, "time", "times")),
    };
    bench.judge(
        "plan_exact",
        "the plan was applied exactly, or refused",
        observations.rollback.is_some(),
        detail,
    );
}
