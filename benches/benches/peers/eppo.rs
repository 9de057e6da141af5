//! eppo_core: `get_assignment`. Allocations are tried in order like rules.

use std::sync::Arc;

use anyhow::anyhow;
use eppo_core::eval::get_assignment;
use eppo_core::ufc::{UniversalFlagConfig, VariationType};
use eppo_core::{Attributes, Configuration, SdkMetadata, Str};
use ripcord_benches::interleaved::batch;
use ripcord_benches::workload::{ATTRIBUTES, FIVE_RULES, PLAIN, ROLLOUT, USERS, countries};
use serde_json::{Value, json};

use crate::engine::Engine;

fn rollout(flag: &str) -> Value {
    let shard = |start: u32, end: u32| json!([{"salt": flag, "ranges": [{"start": start, "end": end}]}]);
    json!({"key": "rollout", "rules": [], "doLog": false, "splits": [{"variationKey": "on", "shards": shard(0, 2500)}, {"variationKey": "off", "shards": shard(2500, 10_000)}]})
}

fn rule(attribute: &str, operator: &str, value: &Value) -> Value {
    let conditions = json!([{"attribute": attribute, "operator": operator, "value": value}]);
    json!({"key": attribute, "rules": [{"conditions": conditions}], "doLog": false, "splits": [{"variationKey": "on", "shards": []}]})
}

fn flag(key: &str, allocations: &Value) -> Value {
    let variations = json!({"on": {"key": "on", "value": true}, "off": {"key": "off", "value": false}});
    json!({"key": key, "enabled": true, "variationType": "BOOLEAN", "variations": variations, "allocations": allocations, "totalShards": 10_000})
}

fn configuration() -> anyhow::Result<Configuration> {
    let always = json!([{"key": "always", "rules": [], "doLog": false, "splits": [{"variationKey": "on", "shards": []}]}]);
    let five = json!([
        rule("plan", "ONE_OF", &json!(["enterprise"])),
        rule("country", "ONE_OF", &json!(countries())),
        rule("app.version", "GTE", &json!("3.0.0")),
        rule("email", "MATCHES", &json!("@example\\.com$")),
        rule("device", "ONE_OF", &json!(["tablet"])),
        rollout(FIVE_RULES)
    ]);
    let flags = json!({PLAIN: flag(PLAIN, &always), ROLLOUT: flag(ROLLOUT, &json!([rollout(ROLLOUT)])), FIVE_RULES: flag(FIVE_RULES, &five)});
    let config = json!({"createdAt": "2026-01-01T00:00:00Z", "format": "SERVER", "environment": {"name": "production"}, "flags": flags});
    let metadata = SdkMetadata {
        name: "bench",
        version: "0.1.0",
    };
    let config = UniversalFlagConfig::from_json(metadata, serde_json::to_vec(&config)?).map_err(|error| anyhow!("{error:?}"))?;
    Ok(Configuration::from_server_response(config, None))
}

pub fn engine<'b>(users: &[String]) -> anyhow::Result<Engine<'b>> {
    let configuration = Arc::new(configuration()?);
    let attributes: Attributes = ATTRIBUTES.iter().map(|(name, value)| (Str::from(*name), (*value).into())).collect();
    let attributes = Arc::new(attributes);
    let subjects: Arc<Vec<Str>> = Arc::new(users.iter().map(|user| Str::from(user.as_str())).collect());
    // The time is an argument, and reading the clock is left out for all engines.
    let now = "2026-01-02T00:00:00Z".parse()?;
    let ask = |flag: &'static str| {
        let (configuration, attributes, subjects) = (Arc::clone(&configuration), Arc::clone(&attributes), Arc::clone(&subjects));
        batch(USERS, move |number| {
            let assigned = get_assignment(
                Some(&configuration),
                flag,
                &subjects[number % USERS],
                &attributes,
                Some(VariationType::Boolean),
                now,
            );
            assigned.ok().flatten().and_then(|assigned| assigned.value.as_boolean()).unwrap_or(false)
        })
    };
    Ok(Engine {
        name: "eppo_core",
        batches: [ask(PLAIN), ask(ROLLOUT), ask(FIVE_RULES)],
    })
}
