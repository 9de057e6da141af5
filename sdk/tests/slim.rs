//! A build without some of the engine's parts: `cargo test -p ripcord-sdk --no-default-features --test slim`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic")]

use std::sync::Arc;

use ripcord_sdk::engine::{Compiled, Context, ErrorCode, Reason, SinceContact};
use ripcord_sdk::model::{Entity as _, Entry, Flag, Kill};
use ripcord_sdk::serde_json::{Value, json};
use ripcord_sdk::{EnvironmentKey, FlagKey, Snapshot};

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("test").unwrap());
    let conditions = [
        ("plain", json!({"attribute": "plan", "equals": "beta"})),
        ("pattern", json!({"attribute": "plan", "matches": "^be"})),
        ("network", json!({"attribute": "ip", "in_cidr": "10.0.0.0/8"})),
        ("logic", json!({"jsonlogic": {"==": [{"var": "plan"}, "beta"]}})),
    ];
    for (key, when) in conditions {
        let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": [{"when": when, "serve": "on"}]});
        let entry = Entry::new(FlagKey::new(key).unwrap(), Flag::from_value(&flag).unwrap(), snapshot.position).unwrap();
        snapshot.flags.insert(Arc::new(entry));
    }
    snapshot
}

#[test]
fn a_flag_that_needs_a_part_that_was_left_out_is_reported_and_serves_the_callers_default() {
    let compiled = Compiled::new(&snapshot());
    let user = Context::new("user-1").with("plan", "beta").with("ip", "10.1.2.3");
    let parts = [
        ("plain", true, ""),
        ("pattern", cfg!(feature = "regex"), "`regex`"),
        ("network", cfg!(feature = "networks"), "`networks`"),
        ("logic", cfg!(feature = "jsonlogic"), "`jsonlogic`"),
    ];
    for (key, is_built_in, feature) in parts {
        let evaluation = compiled.evaluate(key, &user, SinceContact::FRESH);
        let issue = compiled.issues().into_iter().find(|issue| issue.key == key);
        if is_built_in {
            assert_eq!((evaluation.boolean(), evaluation.reason()), (Ok(Some(true)), Reason::TargetingMatch), "{key}");
            assert_eq!(issue, None);
        } else {
            assert_eq!(
                (evaluation.boolean(), evaluation.reason()),
                (Ok(None), Reason::Error(ErrorCode::ParseError)),
                "{key}"
            );
            assert!(issue.unwrap().message.contains(feature), "{key}");
        }
    }
}

#[test]
fn a_kill_forces_the_safe_variant_of_a_flag_that_could_not_be_compiled() {
    let kill: Value = json!({
        "id": "k_01m87syeqavdj85jgd16cd6m4g", "scope": {"all": true}, "reason": "5xx", "at": "2026-01-01T00:00:00Z",
        "actor": {"name": "test", "role": "admin"},
    });
    let Ok(kill) = Kill::parse(&kill.to_string()) else {
        panic!("the kill is well-formed")
    };
    let compiled = Compiled::new(&snapshot()).with_overlay(&[kill]);
    for key in ["plain", "pattern", "network", "logic"] {
        let evaluation = compiled.evaluate(key, &Context::new("user-1"), SinceContact::FRESH);
        assert_eq!((evaluation.boolean(), evaluation.reason()), (Ok(Some(false)), Reason::Killed), "{key}");
    }
}
