//! A three-way merge: what a file said, what it says, and what is there.
//!
//! Member by member the side that changed wins, and the file if both did. Objects are merged by member; rules are matched by their
//! id, or by their condition if they have none; everything else is one piece, including the shares of a split.

use serde_json::{Map, Value};

/// A place whose current value is kept although the file differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: `flags.checkout-v2.rules[gradual].serve.split`.
    pub path: String,
    /// What the file says; `None` = it has nothing there.
    pub file: Option<Value>,
    /// What is kept; `None` = it was removed.
    pub now: Option<Value>,
}

/// The merged value, and where it differs from the file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Merged {
    /// The merged value; `None` = it was deleted by hand and stays deleted.
    pub(super) value: Option<Value>,
    /// What is kept although the file differs.
    pub(super) kept: Vec<Difference>,
}

/// One thing: `base` is what the file said when it was last applied.
pub(super) fn merge(path: &str, base: &Value, file: &Value, now: Option<&Value>) -> Merged {
    let mut merging = ThreeWayMerge {
        rules: format!("{path}.rules"),
        kept: Vec::new(),
    };
    let value = merging.three(path, Some(base), Some(file), now);
    Merged { value, kept: merging.kept }
}

#[derive(Debug)]
struct ThreeWayMerge {
    /// The path of the thing's rules.
    rules: String,
    kept: Vec<Difference>,
}

impl ThreeWayMerge {
    fn three(&mut self, path: &str, base: Option<&Value>, file: Option<&Value>, now: Option<&Value>) -> Option<Value> {
        if file == now || base == now {
            return file.cloned();
        }
        match (base, file, now) {
            (Some(Value::Object(base)), Some(Value::Object(file)), Some(Value::Object(now))) => Some(Value::Object(self.members(path, base, file, now))),
            (Some(Value::Array(base)), Some(Value::Array(file)), Some(Value::Array(now))) if path == self.rules => {
                Some(Value::Array(self.rules(path, base, file, now)))
            }
            _ if base == file => {
                self.keep(path, file, now);
                now.cloned()
            }
            _ => file.cloned(),
        }
    }

    fn keep(&mut self, path: &str, file: Option<&Value>, now: Option<&Value>) {
        self.kept.push(Difference {
            path: path.to_owned(),
            file: file.cloned(),
            now: now.cloned(),
        });
    }

    fn members(&mut self, path: &str, base: &Map<String, Value>, file: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
        let added = now.keys().filter(|name| !file.contains_key(*name));
        let mut members = Map::new();
        for name in file.keys().chain(added) {
            let value = self.three(&format!("{path}.{name}"), base.get(name), file.get(name), now.get(name));
            members.extend(value.map(|value| (name.clone(), value)));
        }
        members
    }

    /// The rules of the file in its order, each merged with its like, and those that were added by hand after the rule that they
    /// follow now. Where the file did not change its rules, the order is the one that is there.
    fn rules(&mut self, path: &str, base: &[Value], file: &[Value], now: &[Value]) -> Vec<Value> {
        let before = self.kept.len();
        let mut rules = Vec::new();
        for rule in file {
            let name = identity(rule);
            let merged = self.three(&format!("{path}[{}]", shown(rule)), find(base, &name), Some(rule), find(now, &name));
            rules.extend(merged);
        }
        let mut at = 0;
        for rule in now {
            let name = identity(rule);
            if let Some(place) = rules.iter().position(|known| identity(known) == name) {
                at = place + 1;
            } else if find(base, &name).is_none() {
                self.keep(&format!("{path}[{}]", shown(rule)), None, Some(rule));
                rules.insert(at, rule.clone());
                at += 1;
            }
        }
        if base != file {
            return rules;
        }
        if self.kept.len() == before {
            let list = |rules: &[Value]| Value::Array(rules.to_vec());
            self.keep(path, Some(&list(file)), Some(&list(now)));
        }
        now.to_vec()
    }
}

/// What tells a rule from the others: its id, else its condition.
pub(super) fn identity(rule: &Value) -> String {
    match rule.get("id") {
        Some(id) => format!("id {id}"),
        None => format!("when {}", rule.get("when").unwrap_or(&Value::Null)),
    }
}

pub(super) fn shown(rule: &Value) -> String {
    match rule.get("id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => rule.get("when").map_or_else(|| "always".to_owned(), Value::to_string),
    }
}

fn find<'a>(rules: &'a [Value], name: &str) -> Option<&'a Value> {
    rules.iter().find(|rule| identity(rule) == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(base: &Value, file: &Value, now: &Value) -> (Value, Vec<String>) {
        let merged = merge("f", base, file, Some(now));
        (merged.value.unwrap(), merged.kept.into_iter().map(|kept| kept.path).collect())
    }

    fn rule(id: &str, share: u32) -> Value {
        json!({"id": id, "serve": {"split": [{"variant": "on", "weight": share}, {"variant": "off", "weight": 100 - share}]}})
    }

    #[test]
    fn what_was_changed_by_hand_stays_while_the_file_says_the_same() {
        let base = json!({"enabled": true, "owner": "a", "rules": [rule("gradual", 10)]});
        let file = json!({"enabled": true, "owner": "b", "rules": [rule("gradual", 10)]});
        let now = json!({"enabled": false, "owner": "a", "rules": [rule("gradual", 50)]});
        let (merged, kept) = of(&base, &file, &now);
        assert_eq!(merged, json!({"enabled": false, "owner": "b", "rules": [rule("gradual", 50)]}));
        assert_eq!(kept, ["f.enabled", "f.rules[gradual].serve.split"]);
    }

    #[test]
    fn the_file_wins_where_it_changed_the_same() {
        let (merged, kept) = of(
            &json!({"rules": [rule("gradual", 10)]}),
            &json!({"rules": [rule("gradual", 25)]}),
            &json!({"rules": [rule("gradual", 50)]}),
        );
        assert_eq!((merged, kept.len()), (json!({"rules": [rule("gradual", 25)]}), 0));
    }

    #[test]
    fn a_new_rule_of_the_file_leaves_the_weights_of_another_as_they_are() {
        let (merged, kept) = of(
            &json!({"rules": [rule("gradual", 10)]}),
            &json!({"rules": [rule("staff", 100), rule("gradual", 10)]}),
            &json!({"rules": [rule("beta", 100), rule("gradual", 50), rule("last", 1)]}),
        );
        assert_eq!(
            merged,
            json!({"rules": [rule("beta", 100), rule("staff", 100), rule("gradual", 50), rule("last", 1)]})
        );
        assert_eq!(kept, ["f.rules[gradual].serve.split", "f.rules[beta]", "f.rules[last]"]);
    }

    #[test]
    fn an_order_that_was_changed_by_hand_stays() {
        let file = json!({"rules": [rule("a", 1), rule("b", 2)]});
        let now = json!({"rules": [rule("b", 2), rule("a", 1)]});
        let (merged, kept) = of(&file, &file, &now);
        assert_eq!((merged, kept), (now, vec!["f.rules".to_owned()]));
    }

    #[test]
    fn what_was_deleted_by_hand_stays_deleted_until_the_file_changes() {
        let (base, other) = (json!({"owner": "a"}), json!({"owner": "b"}));
        assert_eq!(merge("f", &base, &base, None).value, None);
        assert_eq!(merge("f", &base, &base, None).kept.len(), 1);
        assert_eq!(merge("f", &base, &other, None).value, Some(other));
    }

    #[test]
    fn a_rule_that_the_file_gave_up_is_gone_whatever_was_done_to_it() {
        let (merged, kept) = of(
            &json!({"rules": [rule("a", 10), rule("b", 10)]}),
            &json!({"rules": [rule("a", 10)]}),
            &json!({"rules": [rule("a", 10), rule("b", 90)]}),
        );
        assert_eq!((merged, kept.len()), (json!({"rules": [rule("a", 10)]}), 0));
    }
}
