use ripcord_proto::problem::Code;
use ripcord_proto::problem::Problem;

use super::*;
use crate::drill::observations::{EditStory, OutageStory, Refusal};
use crate::drill::traffic::Views;

const WITHIN: Duration = Duration::from_secs(5);

fn position(text: &str) -> Position {
    text.parse().unwrap()
}

fn rollback(state: &str) -> Rollback {
    let json = serde_json::json!({
        "id": "rb_01jd3x7q8v9w0y2z4a6b8c0d2e", "scope": "environment", "state": state, "message": "All of them. More.",
        "target": {"epoch": 1, "revision": 1, "hash": "0".repeat(64)}, "plan": "0".repeat(64),
        "by": {"name": "drill-on-call", "role": "oncall"}, "before": "1:2", "revision": 3, "epoch": 1, "flags": ["a"],
        "phases": {"commit_ms": 4.0, "applied_last_ms": 6.0}, "review": {"due": "2026-11-28T00:00:00Z"},
    });
    serde_json::from_value(json).unwrap()
}

/// The observations of a drill without any failure.
fn observations() -> Observations {
    let whole = Views { whole: 10, ..Views::default() };
    Observations {
        applications: 5,
        telling: 2,
        good: Some(position("1:1")),
        bad: Some(position("1:2")),
        reached: Some(Duration::from_millis(3)),
        bad_before: 7,
        changed: ["a".to_owned()].into(),
        planned: ["a".to_owned()].into(),
        rollback: Some(rollback("confirmed")),
        clear_after: Some(Duration::from_millis(11)),
        back_after: Some(Duration::from_millis(11)),
        views: ["1:1", "1:2", "1:3"].map(|at| (position(at), whole.clone())).into(),
        evaluations: (100, 20),
        asked: 1,
        ..Observations::default()
    }
}

fn judged(scenario: &str, observations: &Observations) -> Judgement {
    judge(&Scenario::parse(scenario).unwrap(), WITHIN, observations)
}

/// The names of the failed checks.
fn failed(judgement: &Judgement) -> Vec<&str> {
    let failed = judgement.verdicts.iter().filter(|verdict| !verdict.passed);
    failed.map(|verdict| verdict.name.as_str()).collect()
}

#[test]
fn a_drill_in_which_all_went_well_passes() {
    let judgement = judged("name: a", &observations());
    assert_eq!(failed(&judgement), Vec::<&str>::new());
    assert!(judgement.passed() && !judgement.refused);
    assert!((judgement.figures["back_ms"] - 11.0).abs() < 0.001);
}

#[test]
fn each_thing_that_went_wrong_is_named() {
    type Wrong = (fn(&mut Observations), &'static str);
    let wrongs: [Wrong; 8] = [
        (|observations| observations.reached = None, "the bad release reached every application"),
        (|observations| observations.bad_before = 0, "error outcomes rose"),
        (
            |observations| observations.planned.clear(),
            "the plan named every flag that the release had changed",
        ),
        (
            |observations| observations.rollback = Some(rollback("partial")),
            "the rollback ended as confirmed",
        ),
        (
            |observations| observations.not_good.push("a".to_owned()),
            "every application is back at known-good",
        ),
        (|observations| observations.clear_after = None, "the bad variant was gone within 5000 ms"),
        (
            |observations| observations.back_after = Some(Duration::from_secs(4)),
            "the reported phases agree with what was measured",
        ),
        (|observations| observations.asked = 0, "the health check ran"),
    ];
    for (goes_wrong, name) in wrongs {
        let mut observations = observations();
        goes_wrong(&mut observations);
        assert_eq!(failed(&judged("name: a", &observations)), [name]);
    }
}

#[test]
fn a_torn_view_at_the_rollbacks_revision_fails_and_one_elsewhere_is_not_the_drills_business() {
    let torn = Views {
        whole: 1,
        torn: 1,
        example: Some("a was bad".to_owned()),
    };
    let mut observations = observations();
    observations.views.insert(position("1:9"), torn.clone());
    assert!(judged("name: a", &observations).passed());
    observations.views.insert(position("1:3"), torn);
    let judgement = judged("name: a", &observations);
    assert_eq!(failed(&judgement), ["no view was torn"]);
    assert!(judgement.verdicts.last().unwrap().detail.contains("at 1:3 a was bad"));
}

#[test]
fn a_guard_that_refuses_what_should_be_allowed_is_told_apart_from_a_failure() {
    let refused = |code| {
        let mut observations = observations();
        observations.rollback = None;
        observations.stopped = Some(Problem::new(code, "why"));
        judged("name: a", &observations)
    };
    assert!(refused(Code::OneWayDoor).refused);
    assert!(!refused(Code::Internal).refused);
    assert!(!refused(Code::Internal).passed());
}

#[test]
fn a_refusal_that_had_to_come_and_did_not_fails() {
    let scenario = "{name: a, faults: [one-way-door]}";
    let mut observations = observations();
    observations.rollback.as_mut().unwrap().acknowledged = ["a".parse().unwrap()].into();
    assert_eq!(failed(&judged(scenario, &observations)), ["the rollback was refused first with ONE_WAY_DOOR"]);
    let refusal = |moved| Refusal {
        code: Code::OneWayDoor,
        detail: String::new(),
        moved,
    };
    observations.refusals = vec![refusal(false)];
    assert!(judged(scenario, &observations).passed());
    observations.refusals = vec![refusal(true)];
    assert_eq!(failed(&judged(scenario, &observations)), ["the refusal ONE_WAY_DOOR changed nothing"]);
}

#[test]
fn a_straggler_must_be_named_and_nobody_else() {
    let scenario = "{name: a, faults: [straggler]}";
    let mut observations = observations();
    observations.stragglers = vec!["late".to_owned()];
    observations.rollback = Some(rollback("partial"));
    assert_eq!(
        failed(&judged(scenario, &observations)),
        ["the record names exactly the applications that never confirmed"]
    );
}

#[test]
fn without_its_store_it_must_have_been_made_safe_and_done_once() {
    let scenario = "{name: a, faults: [store-away]}";
    let mut observations = observations();
    observations.refusals = vec![Refusal {
        code: Code::OutcomeUnknown,
        detail: String::new(),
        moved: false,
    }];
    observations.outage = Some(OutageStory {
        commands: vec!["ripcord kill --all".to_owned()],
        kills: (1, 1),
        safe_after: Some(Duration::from_millis(400)),
        merged: true,
        replanned: false,
        rollbacks: 1,
    });
    assert!(judged(scenario, &observations).passed());
    observations.outage = Some(OutageStory::default());
    assert_eq!(failed(&judged(scenario, &observations)).len(), 6);
}

#[test]
fn an_edit_that_is_lost_fails() {
    let edit = crate::drill::editors::Edit {
        flag: "a".parse().unwrap(),
        words: "edit 1".to_owned(),
        at: position("1:4"),
    };
    let mut observations = observations();
    observations.edits = Some(EditStory {
        edits: vec![edit.clone()],
        ..EditStory::default()
    });
    assert!(judged("name: a", &observations).passed());
    observations.edits.as_mut().unwrap().lost = vec![edit];
    assert_eq!(failed(&judged("name: a", &observations)), ["no acknowledged edit was lost"]);
}
