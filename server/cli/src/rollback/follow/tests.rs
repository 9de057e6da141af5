use ripcord_proto::rollback::Rollback;
use serde_json::json;

use super::*;

fn rollback(state: &str, says: &str) -> Rollback {
    let actor = json!({"name": "ana", "role": "oncall"});
    let level = json!({"connected": 12, "confirmed": 12, "p50_ms": 4.2, "p99_ms": 9.8, "max_ms": 11.3});
    let none = json!({"connected": 0, "confirmed": 0});
    let hash = "0".repeat(64);
    serde_json::from_value(json!({
        "id": "rb_01jd3x7q8v9w0y2z4a6b8c0d2e", "scope": {"flags": ["checkout"]},
        "target": {"epoch": 1, "revision": 41, "hash": hash, "checkpoint": "before-web"},
        "plan": hash, "state": state, "message": says, "by": actor, "before": "1:56", "revision": 57, "epoch": 1,
        "flags": ["checkout"], "options": {}, "review": {"due": "2026-11-28T00:00:00Z"},
        "phases": {"decided": "2026-11-25T00:00:00Z", "commit_ms": 3.1, "applied_p50_ms": 4.2, "applied_p99_ms": 9.8, "applied_last_ms": 11.3},
        "confirmation": {"epoch": 1, "revision": 57, "complete": true, "applied": level, "fetched": none, "sent": none, "nodes": ["a"]},
        "checks": [{"name": "health", "of": "environment", "when": "after", "passed": true, "detail": "200 in 12 ms", "at": "2026-11-25T00:00:01Z"}],
        "bad_exposure": {"real": 1200, "synthetic": 0, "errors_real": 30, "errors_synthetic": 0},
    }))
    .unwrap()
}

#[test]
fn what_came_of_it_is_shown_with_the_proof_and_the_way_forward_again() {
    let text = shown(
        &rollback("confirmed", "All is well."),
        ("production", "http://a.example"),
        "ripcord rollback undo rb_x",
        Paint::Plain,
    );
    for part in [
        "Rolled production back to before-web (revision 41) on http://a.example: 1 flag, revision 57",
        "Confirmed by 12 of 12 applications",
        "4.2 ms p50, 9.8 ms p99, 11 ms last",
        "200 in 12 ms",
        "1,200 bad evaluations were reported for users, 30 of them with an error.",
        "Confirmed. All is well.",
        "Undo it with\n  ripcord rollback undo rb_x",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let wait = Duration::from_secs(1);
    let code = |state: &str, wait: Duration| exit(&rollback(state, ""), wait);
    assert_eq!(code("confirmed", wait), Exit::Done);
    assert_eq!(code("partial", wait), Exit::Unconfirmed);
    assert_eq!(code("committed", wait), Exit::Unconfirmed);
    assert_eq!(code("committed", Duration::ZERO), Exit::Done);
    assert_eq!(code("failed", wait), Exit::Failed);
    assert_eq!(code("stopped", wait), Exit::Done);
}

#[test]
fn a_segment_a_step_and_counts_that_are_not_known_are_named() {
    let mut one = rollback("committed", "At step 1.");
    one.segment = Some(ripcord_proto::SegmentKey::new("eu").unwrap());
    one.ladder = serde_json::from_value(json!({"steps": [25.0, 10.0, 5.0], "every_seconds": 60, "done": 1})).unwrap();
    one.bad_exposure = None;
    let text = shown(&one, ("production", "http://a.example"), "", Paint::Plain);
    for part in ["before-web (revision 41) for segment eu only, step 1 of 4 (25 %) on", "not counted yet"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    one.ladder = None;
    one.segment = None;
    assert_eq!(limits(&one), "");
}
