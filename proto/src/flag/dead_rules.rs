//! Dead rules: rules that are never reached, because an earlier one matches everyone.

use std::fmt;

use super::Flag;
use crate::condition::Condition;
use crate::key::RuleId;
use crate::rule::Rule;

/// A rule that is never reached.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadRule {
    /// The place of the rule, from 0.
    pub index: usize,
    /// The id of the rule, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub id: Option<RuleId>,
    /// The place of the earlier rule that matches everyone.
    pub behind: usize,
    /// The id of that rule, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub behind_id: Option<RuleId>,
}

impl fmt::Display for DeadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &Option<RuleId>, place: usize| id.as_ref().map_or_else(|| format!("rules[{place}]"), |id| format!("rule {id}"));
        let (dead, behind) = (name(&self.id, self.index), name(&self.behind_id, self.behind));
        write!(f, "{dead} can never be reached, because {behind} before it matches everyone")
    }
}

impl Rule {
    /// Whether it matches every user, so that no later rule is tried. Whether a segment matches every user is not looked at.
    pub fn matches_everyone(&self) -> bool {
        self.when.as_ref().is_none_or(|when| constant(when) == Some(true))
    }

    /// Whether it matches no user.
    pub fn matches_nobody(&self) -> bool {
        self.when.as_ref().is_some_and(|when| constant(when) == Some(false))
    }
}

impl Flag {
    /// The rules that are never reached, in order.
    pub fn dead_rules(&self) -> Vec<DeadRule> {
        let Some(behind) = self.rules.iter().position(Rule::matches_everyone) else {
            return Vec::new();
        };
        let behind_id = self.rules.get(behind).and_then(|rule| rule.id.clone());
        let dead = self.rules.iter().enumerate().skip(behind + 1);
        dead.map(|(index, rule)| DeadRule {
            index,
            id: rule.id.clone(),
            behind,
            behind_id: behind_id.clone(),
        })
        .collect()
    }
}

/// The value of a condition that is the same for every user.
fn constant(condition: &Condition) -> Option<bool> {
    match condition {
        Condition::All(items) => {
            if items.iter().any(|item| constant(item) == Some(false)) {
                return Some(false);
            }
            items.iter().all(|item| constant(item) == Some(true)).then_some(true)
        }
        Condition::Any(items) => {
            if items.iter().any(|item| constant(item) == Some(true)) {
                return Some(true);
            }
            items.iter().all(|item| constant(item) == Some(false)).then_some(false)
        }
        Condition::Not(inner) => constant(inner).map(|value| !value),
        Condition::Segment(_) | Condition::JsonLogic(_) | Condition::Attribute { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn flag(rules: &Value) -> Flag {
        Flag::from_value(&json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": rules})).unwrap()
    }

    fn dead(rules: &Value) -> Vec<usize> {
        flag(rules).dead_rules().into_iter().map(|rule| rule.index).collect()
    }

    #[test]
    fn rules_behind_one_that_matches_everyone_are_dead_whatever_it_serves() {
        let split = json!({"split": [{"variant": "on", "weight": 1}, {"variant": "off", "weight": 1}]});
        let logic = json!({"jsonlogic": {"fractional": [["on", 1], ["off", 1]]}});
        for serve in [json!("off"), split, logic] {
            assert_eq!(
                dead(&json!([{"serve": serve}, {"serve": "on"}, {"when": {"segment": "staff"}, "serve": "on"}])),
                [1, 2],
                "{serve}"
            );
        }
        assert_eq!(dead(&json!([{"when": {"segment": "staff"}, "serve": "on"}, {"serve": "off"}])), [0_usize; 0]);
        let told = flag(&json!([{"id": "all", "serve": "off"}, {"id": "percent", "serve": "on"}])).dead_rules();
        assert_eq!((told[0].behind, told[0].behind_id.as_ref().unwrap().as_str()), (0, "all"));
    }

    #[test]
    fn a_condition_that_is_the_same_for_everyone_is_recognised() {
        let always = [
            json!({"all": []}),
            json!({"not": {"any": []}}),
            json!({"any": [{"segment": "staff"}, {"all": []}]}),
            json!({"all": [{"all": []}, {"not": {"any": []}}]}),
        ];
        for when in always {
            assert!(flag(&json!([{"when": when, "serve": "on"}])).rules[0].matches_everyone(), "{when}");
        }
        for when in [
            json!({"any": []}),
            json!({"all": [{"segment": "staff"}, {"any": []}]}),
            json!({"not": {"all": []}}),
        ] {
            let rule = &flag(&json!([{"when": when, "serve": "on"}])).rules[0];
            assert!(rule.matches_nobody() && !rule.matches_everyone(), "{when}");
        }
        let undecided = &flag(&json!([{"when": {"attribute": "plan", "exists": true}, "serve": "on"}])).rules[0];
        assert!(!undecided.matches_nobody() && !undecided.matches_everyone());
    }
}
