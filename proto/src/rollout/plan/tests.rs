use super::*;

const PLAN: &str = "\
flag: checkout-v2
variant: on
steps:
  - {to: segment beta, hold: 10m}
  - {to: 1%, hold: 30m}
  - {to: 10%, hold: 1h}
  - {to: 50%, hold: 2h, approve: oncall}
  - {to: 100%, hold: 24h}
gates:
  - {name: errors, outcome: error, compare: control, worse_by: 0.5%, confidence: 95%, min_samples: 500, on_fail: rollback}
  - {name: p99, prometheus: 'histogram_quantile(0.99, x)', below: 0.8, for: 2m, on_fail: hold}
  - {name: smoke, probe: {url: 'http://127.0.0.1:9000/healthz', expect: 200}, on_fail: rollback}
window: {days: [mon, tue, wed, thu], hours: \"09:00-16:00\", zone: Europe/Amsterdam}
";

fn faults(text: &str) -> Vec<(String, String)> {
    let faults = RolloutPlan::parse(text).unwrap_err();
    faults.all().iter().map(|fault| (fault.path.clone(), fault.problem.clone())).collect()
}

/// A plan with this line more, or with `steps` in place of its own.
fn plan(steps: &str, more: &str) -> String {
    format!("flag: f\nvariant: on\nsteps:\n{steps}\n{more}\n")
}

#[test]
fn a_plan_is_read_as_people_write_it() {
    let plan = RolloutPlan::parse(PLAN).unwrap();
    assert_eq!(plan.steps.len(), 5);
    assert_eq!(plan.steps[0].to.to_string(), "segment beta");
    assert_eq!(plan.steps[3].approve, Some(Role::Oncall));
    assert_eq!(plan.gates[0].every.to_string(), "1s");
    assert_eq!(plan.window.as_ref().unwrap().hours.to_string(), "09:00-16:00");
    assert!(!plan.has_control(1) && plan.has_control(2) && !plan.has_control(5));
    assert!(!plan.can_judge(&plan.gates[0], 1) && plan.can_judge(&plan.gates[0], 5));
}

#[test]
fn a_plan_is_written_as_it_is_read() {
    let plan = RolloutPlan::parse(PLAN).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(RolloutPlan::parse(&json).unwrap(), plan, "{json}");
}

#[test]
fn every_problem_is_told_with_its_field() {
    let found = faults("flag: f\nvariant: on\ncontrol: on\nsteps: [{to: 120%, hold: soon}, {to: everybody, hold: 1s, approve: viewer}]\ngate: []\n");
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["gate", "steps[0].to", "steps[0].hold", "steps[1].to", "steps[1].approve"], "{found:?}");
}

#[test]
fn a_step_that_lowers_is_refused() {
    let found = faults(&plan(
        "  - {to: 10%, hold: 1s}\n  - {to: segment beta, hold: 1s}\n  - {to: 5%, hold: 1s}",
        "no_gates: true",
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "steps[2].to");
    assert!(found[0].1.contains("10%") && found[0].1.contains("5%"), "{found:?}");
}

#[test]
fn a_step_that_nothing_judges_is_refused_unless_that_is_meant() {
    let errors = "gates: [{name: e, outcome: error, worse_by: 1%, on_fail: rollback}]";
    let steps = "  - {to: segment beta, hold: 1s}\n  - {to: 5%, hold: 1s}\n  - {to: 100%, hold: 1s}";
    let found = faults(&plan(steps, errors));
    assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["steps[0]"], "{found:?}");
    assert!(RolloutPlan::parse(&plan(steps, &format!("{errors}\nno_gates: true"))).is_ok());
    assert_eq!(faults(&plan("  - {to: 5%, hold: 1s}", ""))[0].0, "steps[0]");
    let dry = "gates: [{name: s, probe: {url: 'http://h/'}, on_fail: hold, dry_run: true}]";
    assert_eq!(faults(&plan("  - {to: 5%, hold: 1s}", dry)).len(), 1, "a dry run judges nothing");
}

#[test]
fn a_gate_that_measures_nothing_and_one_that_admits_everything_are_refused() {
    let found = faults(&plan(
        "  - {to: 5%, hold: 1s}",
        "gates: [{name: a, on_fail: hold}, {name: b, prometheus: up, on_fail: hold}, {name: c, outcome: error, worse_by: 2, on_fail: no}]",
    ));
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["gates[0]", "gates[1]", "gates[2].on_fail", "gates[2].worse_by"], "{found:?}");
}

#[test]
fn the_old_name_of_no_gates_is_read_from_records_and_refused_in_requests() {
    let plan = RolloutPlan::parse(&plan("  - {to: 5%, hold: 1s}", "no_gates: true")).unwrap();
    let old = serde_json::to_string(&plan).unwrap().replace("no_gates", "unjudged");
    assert_eq!(serde_json::from_str::<RolloutPlan>(&old).unwrap(), plan);
    let refused = RolloutPlan::parse(&old).unwrap_err().to_string();
    assert!(refused.contains("unjudged") && refused.contains("\"no_gates\""), "{refused}");
}
