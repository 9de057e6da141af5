//! JSONLogic rules that would go beyond the budget of an evaluation are refused when they are written: applications would refuse to run
//! them, each on its own and only then.

use ripcord_proto::condition::Condition;
use ripcord_proto::rule::Serve;
use ripcord_proto::validation::ValidationError;
use ripcord_proto::{Flag, Segment};
use ripcord_sdk::engine::over_budget;

/// The rules of a flag that no application would run.
pub(super) fn of_flag(path: &str, flag: &Flag) -> Vec<ValidationError> {
    let rules = flag.rules.iter().enumerate();
    let faults = rules.flat_map(|(index, rule)| {
        let mut found = Vec::new();
        if let Serve::JsonLogic(logic) = &rule.serve {
            found.extend(over_budget(logic).map(|problem| ValidationError::new(format!("{path}.rules[{index}].serve.jsonlogic"), problem)));
        }
        if let Some(when) = &rule.when {
            of_condition(&format!("{path}.rules[{index}].when"), when, &mut found);
        }
        found
    });
    faults.collect()
}

/// The same for a segment.
pub(super) fn of_segment(path: &str, segment: &Segment) -> Vec<ValidationError> {
    let mut found = Vec::new();
    of_condition(&format!("{path}.when"), &segment.when, &mut found);
    found
}

fn of_condition(path: &str, condition: &Condition, found: &mut Vec<ValidationError>) {
    match condition {
        Condition::All(items) | Condition::Any(items) => items.iter().for_each(|item| of_condition(path, item, found)),
        Condition::Not(inner) => of_condition(path, inner, found),
        Condition::JsonLogic(rule) => found.extend(over_budget(rule).map(|problem| ValidationError::new(format!("{path}.jsonlogic"), problem))),
        Condition::Segment(_) | Condition::Attribute { .. } => {}
    }
}
