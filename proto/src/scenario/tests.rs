use super::*;

fn problems(text: &str) -> Vec<String> {
    Scenario::parse(text).unwrap_err().all().iter().map(ToString::to_string).collect()
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
    for field in [
        "name: is missing",
        "applications: must be a number of applications from 1",
        "store: \"postgres\" is not a store",
        "scope: \"everywhere\" is not a scope",
        "to: \"yesterday\" is not a target",
        "steps: must be decreasing percentages",
        "faults[0]: \"stragler\" is not a fault; did you mean \"straggler\"?",
        "faults[1].straggler.count: must be a number from 1",
        "faults[2]: names two faults",
        "expect.state: \"planned\" is not a final state",
        "expect.refused: \"NOPE\" is not a problem code",
        "speed: is not a member of a scenario",
    ] {
        assert!(told.iter().any(|problem| problem.starts_with(field)), "{field} is missing in {told:#?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert!(problems("{name: a, to: baseline}")[0].starts_with("to: is the baseline of a release"));
    assert!(problems("{name: a, store: embedded, faults: [store-away]}")[0].starts_with("store: is embedded"));
    assert!(problems("{name: a, faults: [{failing-check: {when: step}}]}")[0].starts_with("steps: is missing"));
    assert!(problems("{name: a, every_seconds: 2}")[0].starts_with("every_seconds: sets how long"));
}
