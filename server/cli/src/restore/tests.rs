use serde_json::json;

use super::*;

fn view(id: &str, scope: &serde_json::Value) -> KillView {
    let value = json!({
        "id": id, "scope": scope, "actor": {"name": "oncall key", "role": "oncall"}, "at": "2026-11-29T14:39:46Z",
        "epoch": 1, "revision": 41, "serves": [], "serves_total": 4
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_restore_names_what_is_live_again_and_what_is_not() {
    let restored = json!({
        "id": "k_01jd3x7q8v9w0y2z4a6b8c0d2e", "epoch": 1, "revision": 7, "scope": {"tag": "checkout"},
        "restored": ["checkout-v2", "new-cart"], "still_killed": ["gift-cards"]
    });
    let restored: RestoreResponse = serde_json::from_value(restored).unwrap();
    let others = [view("k_01jd3x7q8v9w1y2z4a6b8c0d2e", &json!({"flag": "gift-cards"}))];
    insta::assert_snapshot!(describe(&restored, "production on http://127.0.0.1:8016", &others), @r"
    Lifted kill k_01jd3x7q8v9w0y2z4a6b8c0d2e (tag checkout) in production on http://127.0.0.1:8016, revision 7.
    checkout-v2, new-cart are no longer killed.
    gift-cards is still killed by k_01jd3x7q8v9w1y2z4a6b8c0d2e (flag gift-cards).
    ");
}

#[test]
fn a_withdrawal_is_not_called_confirmed() {
    let withdrawn = |not_reached: &[&str]| {
        let answer = json!({"id": "k_01jd3x7q8v9w0y2z4a6b8c0d2e", "epoch": 1, "revision": null, "withdrawn": true, "nodes_not_reached": not_reached});
        serde_json::from_value::<RestoreResponse>(answer).unwrap()
    };
    let patient = Duration::from_secs(2);
    assert_eq!(exit(&withdrawn(&[]), None, patient), Exit::Unconfirmed);
    assert_eq!(exit(&withdrawn(&["http://10.0.0.3:8016"]), None, Duration::ZERO), Exit::Unconfirmed);
    assert_eq!(exit(&withdrawn(&[]), None, Duration::ZERO), Exit::Done);
}

#[test]
fn the_kills_in_force_are_named_for_somebody_who_mistypes_one() {
    let kills = [view("k_01jd3x7q8v9w0y2z4a6b8c0d2e", &json!({"tag": "checkout"}))];
    assert_eq!(in_force(&kills), "Kills in force: k_01jd3x7q8v9w0y2z4a6b8c0d2e (tag checkout, 4 flags).");
    assert_eq!(in_force(&[]), "No kill is in force.");
}
