//! The flags and users that the engine's benches evaluate. Peers are given flags of the same meaning.

use std::sync::Arc;

use anyhow::anyhow;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot};
use ripcord_sdk::Context;
use serde_json::{Value, json};

/// A boolean flag without rules that serves `true`.
pub const PLAIN: &str = "plain-flag";
/// A rollout of 25 % by user id.
pub const ROLLOUT: &str = "checkout-v2";
/// Five rules that miss, then a rollout of 25 %.
pub const FIVE_RULES: &str = "new-search";
/// How many users the benches go through.
pub const USERS: usize = 1024;
/// The domain that the fourth rule looks for.
pub const DOMAIN: &str = "@example.com";

/// The countries of the second rule; no user lives in one of them.
pub fn countries() -> Vec<String> {
    let codes = "AT BE BG CH CY CZ DK EE ES FI FR GB GR HR HU IE IT LT LU LV";
    codes.split(' ').map(str::to_owned).collect()
}

/// The ids of the users.
pub fn user_ids() -> Vec<String> {
    (0..USERS).map(|number| format!("user-{number:06}")).collect()
}

/// The attributes of every user beside the id.
pub const ATTRIBUTES: [(&str, &str); 5] = [
    ("plan", "free"),
    ("country", "DE"),
    ("app.version", "2.4.1"),
    ("email", "someone@elsewhere.org"),
    ("device", "phone"),
];

/// A user, with five attributes.
#[inline]
pub fn context(user: &str) -> Context<'_> {
    let [plan, country, version, email, device] = ATTRIBUTES;
    Context::new(user)
        .with(plan.0, plan.1)
        .with(country.0, country.1)
        .with(version.0, version.1)
        .with(email.0, email.1)
        .with(device.0, device.1)
}

/// The definition of [`PLAIN`].
pub fn plain() -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off"})
}

fn rollout_rule() -> Value {
    json!({"serve": {"split": [{"variant": "on", "weight": "25%"}, {"variant": "off", "weight": "75%"}]}})
}

/// The definition of [`ROLLOUT`].
pub fn rollout() -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": [rollout_rule()]})
}

/// The definition of [`FIVE_RULES`].
pub fn five_rules() -> Value {
    let rules = json!([
        {"when": {"attribute": "plan", "equals": "enterprise"}, "serve": "on"},
        {"when": {"attribute": "country", "one_of": countries()}, "serve": "on"},
        {"when": {"attribute": "app.version", "semver_gte": "3.0.0"}, "serve": "on"},
        {"when": {"attribute": "email", "ends_with": DOMAIN}, "serve": "on"},
        {"when": {"attribute": "device", "equals": "tablet"}, "serve": "on"},
        rollout_rule()
    ]);
    json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": rules})
}

/// `flags` flags, a third each of the three kinds, the three named ones among them.
pub fn snapshot(flags: usize) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production")?);
    snapshot.position = Position::new(1, 1);
    let kinds = [(PLAIN, plain()), (ROLLOUT, rollout()), (FIVE_RULES, five_rules())];
    let entries: anyhow::Result<Vec<_>> = (0..flags)
        .map(|number| {
            let (name, definition) = kinds.get(number % kinds.len()).ok_or_else(|| anyhow!("three kinds"))?;
            let key = if number < kinds.len() {
                (*name).to_owned()
            } else {
                format!("flag-number-{number}")
            };
            Ok(Arc::new(Entry::new(FlagKey::new(&key)?, Flag::from_value(definition)?, snapshot.position)?))
        })
        .collect();
    snapshot.flags = entries?.into_iter().collect();
    Ok(snapshot)
}
