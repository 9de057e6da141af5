//! unleash-yggdrasil: `EngineState::is_enabled`. Strategies are tried in order like rules.

use std::collections::HashMap;

use ripcord_benches::interleaved::batch;
use ripcord_benches::workload::{ATTRIBUTES, DOMAIN, FIVE_RULES, PLAIN, ROLLOUT, USERS, countries};
use serde_json::{Value, json};
use unleash_yggdrasil::{Context, EngineState, UpdateMessage};

use crate::engine::Engine;

fn rollout(flag: &str) -> Value {
    json!({"name": "flexibleRollout", "parameters": {"rollout": "25", "stickiness": "userId", "groupId": flag}, "constraints": []})
}

fn rule(attribute: &str, operator: &str, values: &[String], value: Option<&str>) -> Value {
    json!({"name": "default", "parameters": {}, "constraints": [{"contextName": attribute, "operator": operator, "values": values, "value": value}]})
}

fn state() -> Value {
    let feature = |name: &str, strategies: Value| json!({"name": name, "type": "release", "enabled": true, "strategies": strategies});
    let five = json!([
        rule("plan", "IN", &["enterprise".to_owned()], None),
        rule("country", "IN", &countries(), None),
        rule("app.version", "SEMVER_GT", &[], Some("3.0.0")),
        rule("email", "STR_ENDS_WITH", &[DOMAIN.to_owned()], None),
        rule("device", "IN", &["tablet".to_owned()], None),
        rollout(FIVE_RULES)
    ]);
    json!({"version": 2, "features": [feature(PLAIN, json!([])), feature(ROLLOUT, json!([rollout(ROLLOUT)])), feature(FIVE_RULES, five)]})
}

pub fn engine<'b>(users: &[String]) -> anyhow::Result<Engine<'b>> {
    let engine = || -> anyhow::Result<EngineState> {
        let state = EngineState::default();
        state.take_state(UpdateMessage::FullResponse(serde_json::from_value(self::state())?));
        Ok(state)
    };
    let contexts: Vec<Context> = users.iter().map(|user| context(user)).collect();
    let ask = |flag: &'static str| -> anyhow::Result<_> {
        let (engine, contexts) = (engine()?, contexts.clone());
        Ok(batch(USERS, move |number| engine.is_enabled(flag, &contexts[number % USERS], &None)))
    };
    Ok(Engine {
        name: "unleash-yggdrasil",
        batches: [ask(PLAIN)?, ask(ROLLOUT)?, ask(FIVE_RULES)?],
    })
}

fn context(user: &str) -> Context {
    let properties: HashMap<String, String> = ATTRIBUTES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Context {
        user_id: Some(user.to_owned()),
        session_id: None,
        environment: None,
        app_name: None,
        current_time: None,
        remote_address: None,
        properties: Some(properties),
    }
}
