//! Fields of flags, segments and commits.

use anyhow::ensure;
use ripcord_tests::{Outcome, Server, Setup, flags};
use serde_json::{Value, json};

use super::names;

/// A valid flag with one part replaced.
fn with(member: &str, value: Value) -> Value {
    let mut flag = flags::boolean("on");
    flag[member] = value;
    flag
}

fn rule(rule: &Value) -> Value {
    with("rules", json!([rule]))
}

fn when(condition: &Value) -> Value {
    rule(&json!({"when": condition, "serve": "on"}))
}

fn split(shares: &Value) -> Value {
    rule(&json!({"serve": {"split": shares}}))
}

fn deep(depth: usize) -> Value {
    (0..depth).fold(json!({"attribute": "a", "exists": true}), |inner, _| json!({"not": inner}))
}

/// A flag, and the field that is wrong.
fn wrong_flags() -> Vec<(Value, &'static str)> {
    vec![
        (with("enabeld", json!(true)), "enabeld"),
        (json!({"variants": {"on": true}, "default": "on"}), "safe"),
        (json!({"variants": {"on": true}, "safe": null}), "default"),
        (json!({"default": null, "safe": null}), "variants"),
        (with("default", json!("onn")), "default"),
        (with("safe", json!("blue")), "safe"),
        (with("default", json!(7)), "default"),
        (with("variants", json!({"on": true, "off": "false"})), "variants.off"),
        (with("variants", json!({"on": [1], "off": [2]})), "variants.on"),
        (with("variants", json!({})), "variants"),
        (with("enabled", json!("yes")), "enabled"),
        (with("tags", json!("payments")), "tags"),
        (with("lease", json!({"seconds": 1})), "lease.seconds"),
        (with("lease", json!({"minutes": 1})), "lease.minutes"),
        (with("one_way", json!(true)), "one_way"),
        (with("expires_at", json!("tomorrow")), "expires_at"),
        (rule(&json!({"serve": "blue"})), "rules[0].serve"),
        (rule(&json!({"when": {"attribute": "a", "equals": 1}})), "rules[0].serve"),
        (when(&json!({"attribute": "a"})), "rules[0].when"),
        (when(&json!({"attribute": "a", "equalz": 1})), "rules[0].when.equalz"),
        (when(&json!({"attribute": "a", "equals": 1, "lt": 3})), "rules[0].when"),
        (when(&json!({"attribute": "a", "lt": "three"})), "rules[0].when.lt"),
        (when(&json!({"attribute": "a", "semver_gte": "two"})), "rules[0].when.semver_gte"),
        (when(&json!({"attribute": "a", "before": "yesterday"})), "rules[0].when.before"),
        (when(&json!({"attribute": "a", "in_cidr": ["10.0.0.0/99"]})), "rules[0].when.in_cidr[0]"),
        (when(&json!({"attribute": "a", "matches": "("})), "rules[0].when.matches"),
        (when(&json!({"attribute": "a", "matches": "(a{1000}){1000}"})), "rules[0].when.matches"),
        (split(&json!([])), "rules[0].serve.split"),
        (
            split(&json!([{"variant": "on", "weight": 0}, {"variant": "off", "weight": 0}])),
            "rules[0].serve.split",
        ),
        (
            split(&json!([{"variant": "on", "weight": 2_147_483_647_u32}, {"variant": "off", "weight": 1}])),
            "rules[0].serve.split",
        ),
        (split(&json!([{"variant": "blue", "weight": 1}])), "rules[0].serve.split[0].variant"),
        (split(&json!([{"variant": "on", "weight": -1}])), "rules[0].serve.split[0].weight"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_field_of_a_flag_is_named_with_the_way_out() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let mut wrong = Vec::new();
    for (flag, path) in wrong_flags() {
        let answer = admin.put_flag("flag", &flag).await?;
        let judged = answer.problem(422, "INVALID").and_then(|problem| names(&problem, path));
        if let Err(error) = judged {
            wrong.push(format!("{flag}\n  {error}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(admin.revision().await? == 0, "something was applied");
    Ok(())
}

/// What the schema cannot see in a wrong flag: names that stand elsewhere in it, sums, and what an expression says.
const BEYOND_THE_SCHEMA: [&str; 11] = [
    "\"onn\"",
    "\"safe\":\"blue\"",
    "tomorrow",
    "\"serve\":\"blue\"",
    "\"semver_gte\"",
    "yesterday",
    "10.0.0.0/99",
    "\"matches\"",
    "\"weight\":0",
    "2147483647",
    "\"variant\":\"blue\"",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_schema_takes_what_is_right_and_refuses_what_it_can_see_is_wrong() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let schema: Value = reqwest::get(format!("{}/schema/flags.json", server.url())).await?.json().await?;
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler
        .add_resource("http://schema/flags.json", schema)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let index = compiler
        .compile("http://schema/flags.json", &mut schemas)
        .map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let takes = |flag: &Value| schemas.validate(&json!({"flags": {"checkout-v2": flag}}), index).is_ok();
    let large = json!({"attribute": "a", "one_of": ["x", 1, true]});
    let conditions = [
        json!({"all": [{"attribute": "a", "exists": true}, {"not": {"segment": "beta"}}]}),
        json!({"attribute": "app.version", "semver_in": ">=1.2, <2"}),
        json!({"attribute": "ip", "in_cidr": ["10.0.0.0/8"]}),
        json!({"jsonlogic": {"==": [1, 1]}}),
        large,
    ];
    let mut right: Vec<Value> = vec![flags::boolean("on"), flags::rollout(30), flags::number(7), flags::large(1024, 'x')];
    right.extend(conditions.iter().map(when));
    right.push(split(&json!([{"variant": "on", "weight": "12.5%"}, {"variant": "off", "weight": "87.5%"}])));
    right.push(with(
        "checks",
        json!([{"name": "up", "url": "http://127.0.0.1:1/x", "pointer": "/a", "equals": 1, "when": ["before", "after"]}]),
    ));
    right.push(with("one_way", json!({"from": "on", "reason": "orders are written in the new format"})));
    right.push(with("expires_at", json!("2026-12-31T23:59:59Z")));
    for flag in &right {
        ensure!(takes(flag), "the schema refuses what the parser takes: {flag}");
        ripcord_proto::Flag::from_value(flag).map_err(|faults| anyhow::anyhow!("{flag}: {faults}"))?;
    }
    for (flag, path) in wrong_flags() {
        let beyond = BEYOND_THE_SCHEMA.iter().any(|words| flag.to_string().contains(words));
        ensure!(takes(&flag) == beyond, "{path} of {flag}: beyond the schema is {beyond}");
    }
    ensure!(!takes(
        &json!({"variants": {"on": true}, "default": "on", "safe": "on", "rules": [{"serve": {"split": [{"variant": "on", "weight": "101%"}]}}]})
    ));
    for (file, is_right) in files() {
        let parsed = ripcord_proto::FlagsFile::from_value(&file);
        ensure!(parsed.is_ok() == is_right, "the parser of {file}: {parsed:?}");
        ensure!(schemas.validate(&file, index).is_ok() == is_right, "the schema of {file}: right is {is_right}");
    }
    Ok(())
}

/// Whole files, and whether they are right.
fn files() -> Vec<(Value, bool)> {
    let beta = json!({"attribute": "plan", "equals": "beta"});
    vec![
        (json!({}), true),
        (json!({"flags": {}, "segments": {}}), true),
        (
            json!({"environment": "staging", "set": "payments", "flags": {"a": flags::boolean("on")}, "segments": {"beta": beta}}),
            true,
        ),
        (json!({"segments": {"beta": {"description": "who asked for it", "when": beta}}}), true),
        (json!({"flag": {}}), false),
        (json!({"flags": []}), false),
        (json!({"flags": {"a b": flags::boolean("on")}}), true),
        (json!({"flags": {"a\tb": flags::boolean("on")}}), false),
        (json!({"flags": {" a": flags::boolean("on")}}), false),
        (json!({"flags": {"..": flags::boolean("on")}}), false),
        (json!({"environment": "Staging"}), false),
        (json!({"environment": "system"}), false),
        (json!({"set": "-x"}), false),
        (json!({"segments": {"beta": {"when": beta, "serve": "on"}}}), false),
        (json!({"segments": {"beta": {}}}), false),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_is_told_at_once() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let flag = json!({
        "variants": {"on": true, "off": false}, "default": "onn", "safe": "of", "enabeld": true,
        "rules": [{"serve": "on"}, {"serve": "on"}, {"serve": {"split": [{"variant": "on", "weight": 1}, {"variant": "blue", "weight": 1}]}}]
    });
    let problem = server.admin().put_flag("flag", &flag).await?.problem(422, "INVALID")?;
    for path in ["default", "safe", "enabeld"] {
        names(&problem, path)?;
    }
    names(&problem, "rules[2].serve.split[1].variant")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_weight_of_zero_is_fine() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    server.admin().put_flag("flag", &flags::rollout(0)).await?.ok()?;
    server.admin().put_flag("flag", &flags::rollout(100)).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_stated_and_kept() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let variants = |count: usize| -> Value {
        let all: serde_json::Map<_, _> = (0..count).map(|n| (format!("v{n}"), json!(n))).collect();
        json!({"variants": all, "default": "v0", "safe": "v0"})
    };
    let rules = |count: usize| {
        with(
            "rules",
            (0..count).map(|n| json!({"when": {"attribute": "a", "equals": n}, "serve": "on"})).collect(),
        )
    };
    let within = [variants(64), rules(256), when(&deep(15))];
    let beyond = [variants(65), rules(257), when(&deep(17)), flags::large(65 * 1024, 'x')];
    for flag in within {
        admin.put_flag("flag", &flag).await?.ok()?;
    }
    let before = admin.revision().await?;
    for flag in beyond {
        let problem = admin.put_flag("flag", &flag).await?.problem(422, "INVALID")?;
        ensure!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{problem}");
    }
    ensure!(admin.revision().await? == before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_checked_and_keep_their_case() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for good in [
        "Checkout_V2",
        "a",
        "team:checkout.new-flow",
        "Zürich",
        "new checkout",
        "a/b?c=d&e#f+g@h%20%",
        "_beta",
        "-x",
        ".x",
        "🚀",
        "e\u{301}",
        &"x".repeat(255),
    ] {
        admin.commit(&[flags::put(good, &flags::boolean("on"))]).await?.ok()?;
        ensure!(admin.snapshot().await?["flags"][good].is_object(), "{good} is not there");
    }
    for bad in ["", ".", "..", " a", "a ", "a\u{0}b", "a\nb", "a\u{202e}b", &"x".repeat(256)] {
        let problem = admin.commit(&[flags::put(bad, &flags::boolean("on"))]).await?.problem(422, "INVALID")?;
        names(&problem, "changes[0].put_flag.key")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_references_and_cycles_are_refused() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let needs = |flag: &str| with("requires", json!([{"flag": flag, "variant": "on"}]));
    let unknown_segment = admin.put_flag("flag", &when(&json!({"segment": "nobody"}))).await?.problem(422, "INVALID")?;
    names(&unknown_segment, "flags.flag.rules[0].when.segment")?;
    let unknown_flag = admin.put_flag("flag", &needs("nobody")).await?.problem(422, "INVALID")?;
    names(&unknown_flag, "flags.flag.requires[0].flag")?;
    let itself = admin.put_flag("flag", &needs("flag")).await?;
    itself.problem(422, "INVALID")?;
    let cycle = [flags::put("a", &needs("b")), flags::put("b", &needs("c")), flags::put("c", &needs("a"))];
    admin.commit(&cycle).await?.problem(422, "INVALID")?;
    admin.put_flag("base", &flags::boolean("on")).await?.ok()?;
    let unknown_variant = with("requires", json!([{"flag": "base", "variant": "blue"}]));
    let problem = admin.put_flag("flag", &unknown_variant).await?.problem(422, "INVALID")?;
    names(&problem, "flags.flag.requires[0].variant")?;
    admin.get("flags/nobody").await?.problem(404, "FLAG_NOT_FOUND")?;
    admin
        .post("explain", &json!({"flag": "nobody", "context": {}}))
        .await?
        .problem(404, "FLAG_NOT_FOUND")?;
    admin.environment("nowhere").get("flags").await?.problem(404, "ENVIRONMENT_NOT_FOUND")?;
    ensure!(admin.revision().await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_rules_name_cannot_be_deleted() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin
        .put("segments/beta?reason=a+test", &json!({"attribute": "plan", "equals": "beta"}))
        .await?
        .ok()?;
    admin.put_flag("flag", &when(&json!({"segment": "beta"}))).await?.ok()?;
    let problem = admin.delete("segments/beta?reason=a+test").await?.problem(422, "INVALID")?;
    names(&problem, "segments.beta")?;
    admin.get("segments/beta").await?.ok()?;
    Ok(())
}
