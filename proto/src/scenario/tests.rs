use super::*;

/// The paths of the invalid fields.
fn problems(text: &str) -> Vec<String> {
    Scenario::parse(text).unwrap_err().all().iter().map(|problem| problem.path.clone()).collect()
}

#[test]
fn a_scenario_needs_a_name_and_nothing_else() {
    let scenario = Scenario::parse("name: happy").unwrap();
    assert_eq!(scenario.scope, DrillScope::Environment);
    assert_eq!(scenario.aim, DrillTarget::LastKnownGood);
    assert_eq!(scenario.faults, Vec::new());
    assert_eq!(scenario.expect, Expectation::default());
}

#[test]
fn every_member_is_read() {
    let scenario = Scenario::parse(
        "
name: all
about: Everything at once.
applications: 20
store: redis
scope: { flags: [checkout-v2, one-click-pay] }
to: revision
steps: [50, 0]
every_seconds: 2
change:
  - set_enabled: { key: checkout-v2, enabled: false }
faults:
  - store-away: { how: killed }
  - node-killed: { at: after-plan }
  - slow-readers: { count: 2, delay_ms: 300 }
  - lost-connections
  - straggler: { count: 2 }
  - failing-check: { when: step }
  - one-way-door: { flag: checkout-v2 }
  - concurrent-edits: { writers: 3 }
confirm_within_seconds: 4
expect: { state: partial, within_ms: 1500, refused: ONE_WAY_DOOR }
",
    )
    .unwrap();
    assert_eq!(scenario.store, Some(DrillStore::Redis));
    assert_eq!(scenario.aim, DrillTarget::Revision);
    assert_eq!(scenario.steps.unwrap().every_seconds, 2);
    assert_eq!(scenario.change.unwrap().len(), 1);
    assert_eq!(
        scenario.faults[3],
        DrillFault::LostConnections {
            count: 1,
            at: FaultTime::BeforeRollback
        }
    );
    assert_eq!(scenario.faults[7], DrillFault::ConcurrentEdits { writers: 3 });
    assert_eq!(scenario.expect.refused, Some(Code::OneWayDoor));
    assert_eq!(scenario.expect.state, Some(RollbackState::Partial));
}

#[test]
fn every_problem_is_told_at_once_with_its_field() {
    let told = problems(
        "
applications: 0
store: postgres
scope: everywhere
to: yesterday
steps: [5, 50]
faults: [stragler, { straggler: { count: 0 } }, { store-away: {}, straggler: {} }]
expect: { state: planned, refused: NOPE }
speed: fast
",
    );
    for path in [
        "name",
        "applications",
        "store",
        "scope",
        "to",
        "steps",
        "faults[0]",
        "faults[1].straggler.count",
        "faults[2]",
        "expect.state",
        "expect.refused",
        "speed",
    ] {
        assert!(told.iter().any(|told| told == path), "{path} is missing in {told:#?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert_eq!(problems("{name: a, to: baseline}"), ["to"]);
    assert_eq!(problems("{name: a, store: embedded, faults: [store-away]}"), ["store"]);
    assert_eq!(problems("{name: a, faults: [{failing-check: {when: step}}]}"), ["steps"]);
    assert_eq!(problems("{name: a, every_seconds: 2}"), ["every_seconds"]);
}
