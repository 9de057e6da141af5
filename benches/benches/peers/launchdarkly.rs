//! launchdarkly-server-sdk-evaluation: `evaluate`, with the flag looked up by key first, as its SDK does.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;
use launchdarkly_server_sdk_evaluation::{Context, ContextBuilder, Flag, FlagValue, Segment, Store, evaluate};
use ripcord_benches::interleaved::batch;
use ripcord_benches::workload::{ATTRIBUTES, DOMAIN, FIVE_RULES, PLAIN, ROLLOUT, USERS, countries};
use serde_json::{Value, json};

use crate::engine::Engine;

/// No flag here has prerequisites or segments.
struct Nothing;

impl Store for Nothing {
    fn flag(&self, _: &str) -> Option<Flag> {
        None
    }

    fn segment(&self, _: &str) -> Option<Segment> {
        None
    }
}

fn rule(attribute: &str, op: &str, negate: bool, values: &[String]) -> Value {
    json!({"id": attribute, "trackEvents": false, "variation": 0, "clauses": [{"contextKind": "user", "attribute": format!("/{attribute}"), "op": op, "negate": negate, "values": values}]})
}

fn flag(key: &str, rules: &Value, fallthrough: &Value) -> Value {
    json!({
        "key": key, "version": 1, "on": true, "targets": [], "contextTargets": [], "rules": rules, "prerequisites": [], "fallthrough": fallthrough, "offVariation": 1,
        "variations": [true, false], "salt": key, "clientSideAvailability": {"usingMobileKey": false, "usingEnvironmentId": false}
    })
}

fn flags() -> anyhow::Result<HashMap<String, Flag>> {
    let rollout = json!({"rollout": {"contextKind": "user", "variations": [{"variation": 0, "weight": 25_000}, {"variation": 1, "weight": 75_000}]}});
    let five = json!([
        rule("plan", "in", false, &["enterprise".to_owned()]),
        rule("country", "in", false, &countries()),
        rule("app.version", "semVerLessThan", true, &["3.0.0".to_owned()]),
        rule("email", "endsWith", false, &[DOMAIN.to_owned()]),
        rule("device", "in", false, &["tablet".to_owned()])
    ]);
    let definitions = [
        flag(PLAIN, &json!([]), &json!({"variation": 0})),
        flag(ROLLOUT, &json!([]), &rollout),
        flag(FIVE_RULES, &five, &rollout),
    ];
    let parsed: Result<Vec<Flag>, _> = definitions.into_iter().map(serde_json::from_value).collect();
    Ok(parsed?.into_iter().map(|flag: Flag| (flag.key.clone(), flag)).collect())
}

pub fn engine<'b>(users: &[String]) -> anyhow::Result<Engine<'b>> {
    let flags = Arc::new(flags()?);
    let contexts: Result<Vec<Context>, _> = users.iter().map(|user| context(user)).collect();
    let contexts = Arc::new(contexts.map_err(|error| anyhow!(error))?);
    let ask = |key: &'static str| {
        let (flags, contexts) = (Arc::clone(&flags), Arc::clone(&contexts));
        batch(USERS, move |number| {
            let served = flags.get(key).map(|flag| evaluate(&Nothing, flag, &contexts[number % USERS], None));
            matches!(served.and_then(|detail| detail.value), Some(FlagValue::Bool(true)))
        })
    };
    Ok(Engine {
        name: "launchdarkly evaluation",
        batches: [ask(PLAIN), ask(ROLLOUT), ask(FIVE_RULES)],
    })
}

fn context(user: &str) -> Result<Context, String> {
    let mut builder = ContextBuilder::new(user);
    for (name, value) in ATTRIBUTES {
        builder.set_string(name, value);
    }
    builder.build()
}
