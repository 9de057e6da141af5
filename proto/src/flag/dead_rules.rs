//! Dead rules: rules that are never reached, because an earlier one matches everyone.

use std::fmt;

use super::Flag;
use crate::key::RuleId;
use crate::rule::Rule;
use crate::segment::Segment;
use crate::table::Table;

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
    /// Whether it matches every user, so that no later rule is tried. `segments` are those that its condition may name; of one that is
    /// not among them nothing is known.
    pub fn matches_everyone(&self, segments: &Table<Segment>) -> bool {
        self.when.as_ref().is_none_or(|when| when.constant(segments) == Some(true))
    }

    /// Whether it matches no user.
    pub fn matches_nobody(&self, segments: &Table<Segment>) -> bool {
        self.when.as_ref().is_some_and(|when| when.constant(segments) == Some(false))
    }
}

impl Flag {
    /// The rules that are never reached, in order. `segments` are those that its rules may name.
    pub fn dead_rules(&self, segments: &Table<Segment>) -> Vec<DeadRule> {
        let Some(behind) = self.rules.iter().position(|rule| rule.matches_everyone(segments)) else {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::key::SegmentKey;
    use crate::revision::Position;
    use crate::table::Entry;

    fn flag(rules: &Value) -> Flag {
        Flag::from_value(&json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": rules})).unwrap()
    }

    fn segments(all: &[(&str, Value)]) -> Table<Segment> {
        let entry = |(key, when): &(&str, Value)| {
            let segment = Segment::from_value(when).unwrap();
            Arc::new(Entry::new(SegmentKey::new(key).unwrap(), segment, Position::START).unwrap())
        };
        all.iter().map(entry).collect()
    }

    fn dead(rules: &Value) -> Vec<usize> {
        flag(rules).dead_rules(&Table::default()).into_iter().map(|rule| rule.index).collect()
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
        let told = flag(&json!([{"id": "all", "serve": "off"}, {"id": "percent", "serve": "on"}])).dead_rules(&Table::default());
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
            assert!(
                flag(&json!([{"when": when, "serve": "on"}])).rules[0].matches_everyone(&Table::default()),
                "{when}"
            );
        }
        for when in [
            json!({"any": []}),
            json!({"all": [{"segment": "staff"}, {"any": []}]}),
            json!({"not": {"all": []}}),
        ] {
            let rule = &flag(&json!([{"when": when, "serve": "on"}])).rules[0];
            assert!(rule.matches_nobody(&Table::default()) && !rule.matches_everyone(&Table::default()), "{when}");
        }
        let undecided = &flag(&json!([{"when": {"attribute": "plan", "exists": true}, "serve": "on"}])).rules[0];
        assert!(!undecided.matches_nobody(&Table::default()) && !undecided.matches_everyone(&Table::default()));
    }

    #[test]
    fn a_segment_that_everyone_is_in_makes_the_rules_behind_it_dead() {
        let rules = json!([{"when": {"segment": "all"}, "serve": "off"}, {"serve": "on"}]);
        let of = |all: &[(&str, Value)]| flag(&rules).dead_rules(&segments(all)).len();
        assert_eq!(of(&[]), 0, "of a segment that is not known nothing is said");
        assert_eq!(of(&[("all", json!({"attribute": "plan", "exists": true}))]), 0);
        assert_eq!(of(&[("all", json!({"all": []}))]), 1);
        let nested = [("all", json!({"not": {"segment": "nobody"}})), ("nobody", json!({"any": []}))];
        assert_eq!(of(&nested), 1);
        assert_eq!(of(&[("all", json!({"segment": "all"}))]), 0, "a circle ends");
    }
}
