//! Promise 8: the same snapshot and context give the same answer in the SDK and in the server's remote evaluation.

use anyhow::{Context as _, ensure};
use ripcord_tests::{App, Outcome, World, flags, on_both_stores};
use serde_json::{Value, json};

/// Flags that between them use every part of the model.
fn model() -> Vec<(&'static str, Value)> {
    let string = |rules: Value| json!({"variants": {"a": "A", "b": "B", "c": "C"}, "default": "c", "safe": null, "rules": rules});
    vec![
        ("static", flags::boolean("on")),
        (
            "off-switch",
            json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off", "enabled": false}),
        ),
        ("rollout", flags::rollout(30)),
        (
            "number",
            json!({"variants": {"few": 1.5, "many": 900}, "default": "few", "safe": "few", "rules": [{"when": {"attribute": "age", "gte": 40}, "serve": "many"}]}),
        ),
        (
            "object",
            json!({"variants": {"x": {"deep": {"n": [1, 2]}}, "y": {}}, "default": "x", "safe": "y"}),
        ),
        (
            "text",
            string(json!([
                {"id": "staff", "when": {"any": [{"attribute": "email", "ends_with": "@example.com"}, {"segment": "beta"}]}, "serve": "a"},
                {"id": "semver", "when": {"attribute": "app.version", "semver_in": ">=2.1, <3"}, "serve": "b"},
                {"id": "split", "when": {"attribute": "country", "one_of": ["CH", "AT"]}, "serve": {"split": [{"variant": "a", "weight": 1}, {"variant": "b", "weight": 1}, {"variant": "c", "weight": 2}], "by": "country", "salt": "s"}}
            ])),
        ),
        (
            "network",
            string(json!([
                {"when": {"all": [{"attribute": "ip", "in_cidr": ["10.0.0.0/8"]}, {"not": {"attribute": "email", "exists": true}}]}, "serve": "a"},
                {"when": {"attribute": "joined", "before": "2024-01-01T00:00:00Z"}, "serve": "b"}
            ])),
        ),
        (
            "logic",
            string(
                json!([{"when": {"jsonlogic": {"in": ["x", {"var": "tags"}]}}, "serve": "a"}, {"serve": {"jsonlogic": {"if": [{"==": [{"var": "country"}, "CH"]}, "b", "c"]}}}]),
            ),
        ),
        (
            "pattern",
            string(
                json!([{"when": {"attribute": "email", "matches": "^[a-m].*@"}, "serve": "a"}, {"when": {"attribute": "tags", "contains": "x"}, "serve": "b"}]),
            ),
        ),
        (
            "needy",
            json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "requires": [{"flag": "static", "variant": "on"}, {"flag": "rollout", "variant": "on"}], "rules": [{"serve": "on"}]}),
        ),
        ("killed", flags::boolean("on")),
    ]
}

fn contexts() -> Vec<Value> {
    let mut all = vec![json!({}), json!({"targetingKey": ""}), json!({"age": "40", "email": 7, "tags": "x"})];
    let countries = ["CH", "AT", "FR"];
    for n in 0..40_u32 {
        let name = char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
        all.push(json!({
            "targetingKey": format!("user-{n}"),
            "email": format!("{name}@{}", if n % 3 == 0 { "example.com" } else { "elsewhere.net" }),
            "age": n * 2,
            "app": {"version": format!("{}.{}.0", n % 4, n % 7)},
            "country": countries[n as usize % countries.len()],
            "ip": format!("{}.0.0.{n}", if n % 2 == 0 { 10 } else { 192 }),
            "joined": format!("20{:02}-06-01T00:00:00Z", 20 + n % 8),
            "tags": if n % 5 == 0 { json!(["x", "y"]) } else { json!([]) },
            "plan": if n % 6 == 0 { "beta" } else { "free" },
        }));
    }
    for n in 0..20_u32 {
        let mut other = all[3 + n as usize].clone();
        if let Some(object) = other.as_object_mut() {
            object.remove("email");
        }
        all.push(other);
    }
    all
}

async fn the_sdk_and_the_server_give_every_user_the_same_answer(world: World) -> Outcome {
    let admin = world.admin();
    let mut changes = vec![json!({"put_segment": {"key": "beta", "segment": {"attribute": "plan", "equals": "beta"}}})];
    changes.extend(model().iter().map(|(key, flag)| flags::put(key, flag)));
    admin.commit(&changes).await?.ok()?;
    admin.kill_flag("killed").await?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    app.reaches(2).await?;
    let mut seen = std::collections::BTreeSet::new();
    for (key, flag) in model() {
        for context in contexts() {
            let remote = admin.post("explain", &json!({"flag": key, "context": context})).await?.ok()?;
            let local = app.evaluate(key, &flag, context.as_object().context("a context is an object")?)?;
            for member in ["value", "variant", "reason", "rule"] {
                ensure!(
                    remote[member] == local[member],
                    "{key} for {context}: the server says {member} {}, the SDK {}",
                    remote[member],
                    local[member]
                );
            }
            seen.insert(format!("{key} {} {}", remote["variant"], remote["reason"]));
        }
    }
    ensure!(seen.len() >= 20, "the contexts tell too little apart: {seen:?}");
    Ok(())
}

on_both_stores!(the_sdk_and_the_server_give_every_user_the_same_answer);
