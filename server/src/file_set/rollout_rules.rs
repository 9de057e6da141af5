//! A live rollout owns what it moves: a file that differs does not change it, and the plan says so.

use ripcord_proto::rollout::Rollout;
use serde_json::Value;

use super::merge::{Difference, identity, shown};

/// Puts the rules that `rollout` moves and added into `flag` as they are `now`; answers with those that the flag would have had
/// differently. `path` is the flag's.
pub(super) fn spare(path: &str, flag: &mut Value, now: &Value, rollout: &Rollout) -> Vec<Difference> {
    let Some(moved) = &rollout.moved else { return Vec::new() };
    let rules_now = now.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let own = |rule: &Value| rule.get("id").and_then(Value::as_str) == Some(moved.rule.as_str()) || moved.added.iter().any(|added| same_id(added, rule));
    // A rule that had no id was given one when it was first moved: the file still names it by its condition.
    let unnamed = moved.before.as_ref().filter(|before| before.get("id").is_none()).map(identity);
    let mut spared = Vec::new();
    for (place, live) in rules_now.iter().enumerate().filter(|(_, rule)| own(rule)) {
        let is_moved = live.get("id").and_then(Value::as_str) == Some(moved.rule.as_str());
        let Some(rules) = rules_of(flag) else { return spared };
        let name = unnamed.as_ref().filter(|_| is_moved);
        let as_before = rules
            .iter()
            .position(|rule| name.is_some_and(|name| identity(rule) == *name) && !rules_now.contains(rule));
        let as_before = as_before.map(|place| rules.remove(place));
        let said = rules.iter().position(|rule| same_id(rule, live));
        let file = as_before.or_else(|| said.and_then(|said| rules.get(said).cloned()));
        match said.and_then(|said| rules.get_mut(said)) {
            Some(slot) => *slot = live.clone(),
            None => rules.insert(place.min(rules.len()), live.clone()),
        }
        if file.as_ref() != Some(live) {
            spared.push(Difference {
                path: format!("{path}.rules[{}]", shown(live)),
                file,
                now: Some(live.clone()),
            });
        }
    }
    spared
}

/// Whether a difference of the flag at `path` is what `rollout` moves.
pub(super) fn moves(path: &str, rollout: &Rollout, difference: &Difference) -> bool {
    let moved = rollout.moved.iter();
    let mut ids = moved.flat_map(|moved| std::iter::once(moved.rule.to_string()).chain(moved.added.iter().map(shown)));
    ids.any(|id| difference.path.starts_with(&format!("{path}.rules[{id}]")))
}

fn same_id(a: &Value, b: &Value) -> bool {
    a.get("id").is_some() && a.get("id") == b.get("id")
}

/// The rules of a flag, which may have none yet.
fn rules_of(flag: &mut Value) -> Option<&mut Vec<Value>> {
    let members = flag.as_object_mut()?;
    members.entry("rules").or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(id: &str, share: u32) -> Value {
        json!({"id": id, "serve": {"split": [{"variant": "on", "weight": share}, {"variant": "off", "weight": 100 - share}]}})
    }

    /// A rollout that moves the rule `gradual`, which was `before`, and has added a rule for a segment.
    fn rollout(before: &Value) -> Rollout {
        let by = json!({"name": "anna", "role": "editor"});
        let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}], "no_gates": true});
        serde_json::from_value(
            json!({"id": "ro_01jd3x7q8v9w0y2z4a6b8c0d2e", "state": "holding", "reason": "", "plan": plan, "by": by,
            "at": "2026-11-25T03:00:00Z", "step": 1, "held_ms": 0,
            "moved": {"rule": "gradual", "before": before, "left": rule("gradual", 10), "added": [rule("rollout-beta", 100)], "control": "off"}}),
        )
        .unwrap()
    }

    fn spared(file: Value, now: &Value, rollout: &Rollout) -> (Value, Vec<String>) {
        let mut flag = file;
        let spared = spare("flags.checkout", &mut flag, now, rollout);
        (flag, spared.into_iter().map(|spared| spared.path).collect())
    }

    #[test]
    fn the_rules_that_a_rollout_moves_stay_where_the_file_has_them_and_come_back_where_it_has_not() {
        let now = json!({"rules": [rule("staff", 1), rule("rollout-beta", 100), rule("gradual", 10)]});
        let (flag, paths) = spared(
            json!({"owner": "a", "rules": [rule("staff", 2), rule("gradual", 50)]}),
            &now,
            &rollout(&rule("gradual", 5)),
        );
        assert_eq!(
            flag,
            json!({"owner": "a", "rules": [rule("staff", 2), rule("rollout-beta", 100), rule("gradual", 10)]})
        );
        assert_eq!(paths, ["flags.checkout.rules[rollout-beta]", "flags.checkout.rules[gradual]"]);
        let (flag, _) = spared(json!({"owner": "a"}), &now, &rollout(&rule("gradual", 5)));
        assert_eq!(flag["rules"], json!([rule("rollout-beta", 100), rule("gradual", 10)]));
    }

    #[test]
    fn a_rule_without_an_id_is_known_by_its_condition() {
        let plain = json!({"serve": rule("x", 5)["serve"]});
        let now = json!({"rules": [rule("gradual", 10)]});
        let (flag, paths) = spared(json!({"rules": [plain]}), &now, &rollout(&plain));
        assert_eq!((flag, paths.len()), (now.clone(), 1));
        let beside = json!({"rules": [rule("gradual", 10), plain]});
        assert_eq!(
            spared(beside, &now, &rollout(&plain)).0,
            now,
            "as the merge leaves it where the file changed it"
        );
    }

    #[test]
    fn a_file_that_says_the_same_is_told_nothing() {
        let now = json!({"rules": [rule("gradual", 10)]});
        assert_eq!(spared(now.clone(), &now, &rollout(&rule("gradual", 5))), (now.clone(), Vec::new()));
    }
}
