use serde_json::json;

use super::*;

fn entry(revision: u64, who: &str, reason: &str, changes: &serde_json::Value) -> LogEntry {
    let value = json!({
        "log": "production", "sequence": revision, "epoch": 1, "revision": revision, "at": "2026-11-29T14:39:46Z",
        "actor": {"name": who, "role": "editor"}, "origin": {"node": "a", "address": "127.0.0.1:1"}, "reason": reason,
        "changes": changes, "changes_total": changes.as_array().unwrap().len(), "digest": "0".repeat(64)
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_release_and_a_kill_are_read_at_once_on_80_columns() {
    let flags = ["checkout-v2", "gift-cards", "new-cart", "one-click-pay", "refunds", "search"];
    let release: Vec<_> = flags
        .iter()
        .flat_map(|flag| {
            let claim = json!({"change": "put_record", "subject": format!("claim flag/{flag}"), "record": "claim"});
            [claim, json!({"change": "put_flag", "subject": flag})]
        })
        .collect();
    let kill = json!([{"change": "put_kill", "subject": "k_01jd3x7q8v9w0y2z4a6b8c0d2e of tag checkout"}]);
    let entries = [
        entry(9, "ada (via oncall key)", "5xx spike", &kill),
        entry(8, "pipeline key", "release web-12", &json!(release)),
    ];
    let now = "2026-11-29T23:00:00Z".parse().unwrap();
    let told = listed(&entries.iter().collect::<Vec<_>>(), LogDetail::People, now).fitted(Some(80));
    let told = told.replace(&short_moment(entries[0].at, now), "TODAY");
    insta::assert_snapshot!(told, @r"
    when      revision  who
    TODAY  9         ada (via oncall key)
        what  kill k_01jd3x7q8v9w0y2z4a6b8c0d2e of tag checkout
        why   5xx spike
    TODAY  8         pipeline key
        what  set flag checkout-v2, set flag gift-cards, set flag new-cart, set flag
              one-click-pay, set flag refunds, set flag search
        why   release web-12
    ");
}

#[test]
fn a_store_that_was_damaged_or_not_compared_is_not_called_verified() {
    let of = |log: serde_json::Value, whole: bool| {
        let mut report = json!({"log": "production", "entries": 9, "head": "0".repeat(64)});
        report.as_object_mut().unwrap().extend(log.as_object().unwrap().clone());
        LogVerdict::of(&serde_json::from_value(json!({"whole": whole, "logs": [report]})).unwrap())
    };
    assert_eq!(of(json!({}), true), LogVerdict::Verified);
    assert_eq!(of(json!({"damaged_in_store": 3, "mended": true}), true), LogVerdict::Mended);
    assert_eq!(of(json!({"not_compared": "the store cannot be reached"}), true), LogVerdict::InPart);
    assert_eq!(of(json!({"fault": "entry 3 is missing"}), false), LogVerdict::Failed);
}

#[test]
fn an_empty_list_does_not_say_that_nobody_changed_anything_if_it_only_looked_at_the_newest() {
    insta::assert_snapshot!(nothing_shown("production", 0), @"Nobody has changed anything in production yet.");
    insta::assert_snapshot!(
        nothing_shown("production", 10),
        @"None of the newest 10 entries of production is a change by people. To see them: ripcord audit --all; to look further back: --limit"
    );
}
