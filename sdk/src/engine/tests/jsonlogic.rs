use ripcord_proto::settings::Bucketing;

use super::*;

/// A string flag whose only rule is this JSONLogic.
fn imported(rule: Value) -> Value {
    let variants = json!({"on": "on", "off": "off", "true": "true", "1": "1", "heads": "h", "tails": "t", "a": "a", "b": "b", "c": "c"});
    json!({"variants": variants, "default": "off", "safe": "off", "rules": [{"serve": {"jsonlogic": rule}}]})
}

fn served(rule: Value, context: &Context<'_>, bucketing: Bucketing) -> String {
    served_as("f", rule, context, bucketing)
}

fn served_as(key: &str, rule: Value, context: &Context<'_>, bucketing: Bucketing) -> String {
    let mut snapshot = snapshot(json!({ key: imported(rule) }), json!({}));
    snapshot.settings.bucketing = bucketing;
    answer(&Compiled::new(&snapshot), key, context)
}

#[test]
fn a_rule_names_the_variant_by_the_published_table() {
    let context = Context::new("u").with("n", 29.0);
    let table = [
        (json!({"if": [true, null, "on"]}), "off DEFAULT"),
        (json!({"if": [true, "on"]}), "on TARGETING_MATCH"),
        (json!({"==": [1, 1]}), "true TARGETING_MATCH"),
        (json!({"==": [1, 2]}), "- ERROR GENERAL"),
        (json!({"+": [1, 0]}), "1 TARGETING_MATCH"),
        (json!({"if": [true, ""]}), "- ERROR GENERAL"),
        (json!({"if": [true, "nowhere"]}), "- ERROR GENERAL"),
        (json!({"nowhere": [1]}), "- ERROR PARSE_ERROR"),
        (json!({"if": [false, {"val": "x"}, "on"]}), "- ERROR PARSE_ERROR"),
        (json!({"$ref": "x"}), "- ERROR PARSE_ERROR"),
        (json!({"if": [{"===": [{"var": "n"}, 29]}, "on"]}), "on TARGETING_MATCH"),
        (json!({"if": [{"==": [{"cat": [{"var": "n"}]}, "29"]}, "on"]}), "on TARGETING_MATCH"),
        (json!({"if": [{"==": [{"var": "$flagd.flagKey"}, "f"]}, "on"]}), "on TARGETING_MATCH"),
        (json!({"if": [{"==": [{"var": "targetingKey"}, "u"]}, "on"]}), "on TARGETING_MATCH"),
        (json!({"if": [{"==": [{"+": ["x", 1]}, null]}, "on", "off"]}), "on TARGETING_MATCH"),
        (json!({"if": [{"<": [1, {"var": "n"}, 30]}, "on"]}), "on TARGETING_MATCH"),
        (json!("on"), "on TARGETING_MATCH"),
    ];
    for (rule, expected) in table {
        assert_eq!(served(rule.clone(), &context, Bucketing::V3), expected, "{rule}");
    }
}

#[test]
fn as_a_condition_a_rule_is_truthy_or_not() {
    let compiled = compiled(json!({
        "yes": flag(json!([{"when": {"jsonlogic": {"in": ["x", {"var": "list"}]}}, "serve": "on"}])),
        "no": flag(json!([{"when": {"jsonlogic": {"var": "empty"}}, "serve": "on"}])),
    }));
    let (list, empty) = (json!(["x"]), json!([]));
    let context = Context::anonymous().with("list", &list).with("empty", &empty);
    assert_eq!(answer(&compiled, "yes", &context), "on TARGETING_MATCH");
    assert_eq!(answer(&compiled, "no", &context), "off DEFAULT");
}

#[test]
fn time_is_seen_only_where_it_is_handed_in_and_flagd_cannot_be_spoofed() {
    let rule = json!({"if": [{"==": [{"var": "$flagd.timestamp"}, 1000]}, "on", "off"]});
    let spoof = json!({"timestamp": 1000, "flagKey": "x"});
    assert_eq!(
        served(rule.clone(), &Context::anonymous().with("$flagd", &spoof), Bucketing::V3),
        "off TARGETING_MATCH"
    );
    assert_eq!(served(rule, &Context::anonymous().at(1000), Bucketing::V3), "on TARGETING_MATCH");
}

#[test]
fn fractional_buckets_as_published_in_both_generations() {
    let heads = json!({"fractional": [["heads", 1], ["tails", 1]]});
    let jon = Context::new("jon@company.com");
    assert_eq!(
        served_as("fractional-flag-shorthand", heads.clone(), &jon, Bucketing::V2),
        "heads TARGETING_MATCH"
    );
    assert_eq!(
        served_as("fractional-flag-shorthand", heads.clone(), &jon, Bucketing::V3),
        "tails TARGETING_MATCH"
    );
    for context in [Context::anonymous(), Context::new(""), Context::anonymous().with("targetingKey", 7)] {
        assert_eq!(served(heads.clone(), &context, Bucketing::V3), "off DEFAULT");
    }
    let clamped = json!({"fractional": [["a", -10], ["b", 3], ["c"]]});
    for (user, expected) in [("user-7", "c"), ("user-8", "b"), ("user-9", "b")] {
        assert_eq!(
            served_as("neg", clamped.clone(), &Context::new(user), Bucketing::V2),
            format!("{expected} TARGETING_MATCH")
        );
    }
    assert_eq!(served_as("neg", clamped, &Context::new("user-7"), Bucketing::V3), "b TARGETING_MATCH");
    for malformed in [
        json!([["a", 0.5], ["b", 1]]),
        json!([["a", 2_147_483_648_i64], ["b", 1]]),
        json!([["a", 0]]),
        json!([[], ["a", 1]]),
        json!(["x", "a"]),
    ] {
        assert_eq!(
            served(json!({ "fractional": malformed }), &Context::new("u"), Bucketing::V3),
            "off DEFAULT",
            "{malformed}"
        );
    }
    assert_eq!(
        served(json!({"fractional": [["a", 10.0]]}), &Context::new("u"), Bucketing::V3),
        "a TARGETING_MATCH"
    );
    assert_eq!(
        served(json!({"fractional": [null, ["a", 1]]}), &Context::new("u"), Bucketing::V3),
        "off DEFAULT"
    );
    assert_eq!(
        served(json!({"fractional": [null, ["a", 1]]}), &Context::new("u"), Bucketing::V2),
        "a TARGETING_MATCH"
    );
}

#[test]
fn v3_buckets_values_of_any_type_by_their_cbor() {
    let buckets: Vec<Value> = (1..=25).map(|n| json!([format!("bucket{n}"), 4])).collect();
    let variants: serde_json::Map<String, Value> = (1..=25).map(|n| (format!("bucket{n}"), json!(n))).collect();
    let mut rule = vec![json!({"var": "value"})];
    rule.extend(buckets);
    let flag = json!({"variants": variants, "default": null, "safe": null, "rules": [{"serve": {"jsonlogic": {"fractional": rule}}}]});
    let compiled = compiled(json!({ "f": flag }));
    for (value, bucket) in [
        (json!(123), 20),
        (json!(1.23), 14),
        (json!(true), 5),
        (json!(-25), 16),
        (json!({"b": 2, "a": 1}), 23),
        (json!(123.0), 20),
    ] {
        let context = Context::anonymous().with("value", &value);
        assert_eq!(answer(&compiled, "f", &context), format!("bucket{bucket} TARGETING_MATCH"), "{value}");
    }
}

#[test]
fn versions_and_affixes_answer_null_where_they_cannot_tell() {
    let version = |one: Value, operator: &str, other: Value| {
        served(
            json!({"if": [{"sem_ver": [one, operator, other]}, "on", "off"]}),
            &Context::anonymous(),
            Bucketing::V3,
        )
    };
    for (one, operator, other) in [
        (json!("1.0.0+a"), "=", json!("1.0.0+b")),
        (json!(1), "=", json!("1.0.0")),
        (json!("v1.2"), "<", json!("1.2.1")),
        (json!("1.2.3"), "^", json!("1.9.9")),
        (json!("1.2.3"), "~", json!("1.2.9")),
        (json!("2.0.0-rc.1"), "<", json!("2.0.0")),
    ] {
        assert_eq!(version(one.clone(), operator, other.clone()), "on TARGETING_MATCH", "{one} {operator} {other}");
    }
    assert_eq!(version(json!("2.0.0.0"), "=", json!("2.0.0")), "off TARGETING_MATCH");
    for rule in [
        json!({"sem_ver": ["1.0.0", "?", "1.0.0"]}),
        json!({"sem_ver": ["x", "=", "1.0.0"]}),
        json!({"starts_with": [1, "a"]}),
        json!({"ends_with": ["abc"]}),
    ] {
        assert_eq!(served(rule.clone(), &Context::anonymous(), Bucketing::V3), "off DEFAULT", "{rule}");
    }
    assert_eq!(
        served(json!({"starts_with": ["abc", "ab"]}), &Context::anonymous(), Bucketing::V3),
        "true TARGETING_MATCH"
    );
}

/// What an import makes of `fractional` serves every user what the rule itself serves, in both generations.
#[test]
fn an_imported_split_serves_everyone_what_fractional_serves() {
    let parts = [json!(["on", 30]), json!(["off", 50]), json!(["a", 20])];
    let fractional = |value: Option<Value>| json!({"fractional": value.into_iter().chain(parts.clone()).collect::<Vec<_>>()});
    let staff = json!({"ends_with": [{"var": "email"}, "@example.com"]});
    let rules = [
        fractional(None),
        fractional(Some(json!({"var": "email"}))),
        fractional(Some(json!({"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}))),
        fractional(Some(json!({"cat": ["salt", {"var": ["user.id"]}]}))),
        fractional(Some(json!({"var": "targetingKey"}))),
        json!({"fractional": [["on"], ["off", -1], ["a", 2.0], ["b", null]]}),
        json!({"if": [staff, "a", fractional(None)]}),
        json!({"if": [staff, fractional(Some(json!({"var": "email"}))), {"var": "flag"}, "b"]}),
        json!({"if": [{"nowhere": 1}, fractional(None)]}),
        json!({"if": [staff, fractional(None), true, null, "on"]}),
    ];
    let values = [
        json!(null),
        json!(""),
        json!("7"),
        json!("ana@example.com"),
        json!(5),
        json!(5.5),
        json!(true),
        json!(["x"]),
        json!({"id": "z"}),
    ];
    for rule in &rules {
        let import = json!({"flags": {"f": {"state": "ENABLED", "variants": imported(json!(null))["variants"], "defaultVariant": "off", "targeting": rule}}});
        let import = ripcord_proto::flagd::parse(&import.to_string(), &ripcord_proto::flagd::SafeVariants::default()).unwrap();
        let native = serde_json::to_value(&import.flags["f"]).unwrap();
        assert!(native["rules"].to_string().contains("\"split\""), "{native}");
        for bucketing in [Bucketing::V2, Bucketing::V3] {
            let of = |flag: &Value| {
                let mut snapshot = snapshot(json!({ "f": flag }), json!({}));
                snapshot.settings.bucketing = bucketing;
                Compiled::new(&snapshot)
            };
            let (theirs, ours) = (of(&imported(rule.clone())), of(&native));
            for targeting in &values {
                for email in &values {
                    let context = json!({"targetingKey": targeting, "email": email, "user": {"id": email}, "flag": email == "7"});
                    let context = Context::from_json(context.as_object().unwrap());
                    assert_eq!(answer(&ours, "f", &context), answer(&theirs, "f", &context), "{bucketing:?} {rule} {context:?}");
                }
            }
            for user in 0..200 {
                let (user, email) = (format!("user-{user}"), format!("{user}@x"));
                let context = Context::new(&user).with("email", email.as_str());
                assert_eq!(answer(&ours, "f", &context), answer(&theirs, "f", &context), "{bucketing:?} {rule} {user}");
            }
        }
    }
}

#[test]
fn a_rule_that_could_take_gigabytes_does_not_run() {
    let doubling = json!({"reduce": [{"var": "l"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
    let rule = json!({"if": [{"==": [doubling, "x"]}, "on", "off"]});
    assert!(crate::engine::over_budget(&rule).is_some());
    let list: Value = (0..64).collect();
    assert_eq!(served(rule, &Context::new("u").with("l", &list), Bucketing::V3), "- ERROR PARSE_ERROR");
    let literal: Vec<u8> = (0..100).collect();
    let nested = (0..5).fold(json!(1), |body, _| json!({"map": [literal, body]}));
    assert!(
        crate::engine::over_budget(&nested).is_some(),
        "it is refused before the interpreter computes it"
    );
}

#[test]
fn a_rule_that_is_fine_for_usual_contexts_fails_alone_for_a_huge_one_and_explains_why() {
    let pairs = json!({"some": [{"var": "l"}, {"some": [{"var": "l"}, {"==": [{"var": ""}, "no"]}]}]});
    let rules = json!({"f": flag(json!([{"when": {"jsonlogic": pairs}, "serve": "on"}])), "g": flag(json!([]))});
    let compiled = compiled(rules);
    let (few, many): (Value, Value) = ((0..20).collect(), (0..2_000).collect());
    assert_eq!(answer(&compiled, "f", &Context::new("u").with("l", &few)), "off DEFAULT");
    let huge = Context::new("u").with("l", &many);
    assert_eq!(answer(&compiled, "f", &huge), "- ERROR GENERAL");
    assert_eq!(answer(&compiled, "g", &huge), "off STATIC");
    let explained = serde_json::to_value(compiled.explain("f", &huge, SinceContact::FRESH)).unwrap();
    assert!(explained.to_string().contains("can take more than"), "{explained:#}");
}

#[test]
fn all_rules_of_a_flag_share_one_budget() {
    let heavy = json!({"when": {"jsonlogic": {"some": [{"var": "l"}, {"some": [{"var": "l"}, {"==": [{"var": ""}, "no"]}]}]}}, "serve": "on"});
    let rules: Vec<Value> = std::iter::repeat_n(heavy, 40).collect();
    let compiled = compiled(json!({"few": flag(json!([rules[0]])), "many": flag(json!(rules))}));
    let list: Value = (0..90).collect();
    let context = Context::new("u").with("l", &list);
    assert_eq!(answer(&compiled, "few", &context), "off DEFAULT");
    assert_eq!(answer(&compiled, "many", &context), "- ERROR GENERAL");
}

#[test]
fn a_context_of_many_attributes_is_read_by_name_and_the_last_value_counts() {
    let names: Vec<String> = (0..50_000).map(|number| format!("a{number}")).collect();
    let mut context = Context::new("u");
    for (number, name) in names.iter().enumerate() {
        context.set(name, i64::try_from(number).unwrap());
    }
    context.set("a3", "inline");
    context.set("a40000", "spilled");
    let native = |name: &str, value: &str| flag(json!([{"when": {"attribute": name, "equals": value}, "serve": "on"}]));
    let compiled = compiled(json!({"inline": native("a3", "inline"), "spilled": native("a40000", "spilled"), "other": native("a5", "x")}));
    assert_eq!(answer(&compiled, "inline", &context), "on TARGETING_MATCH");
    assert_eq!(answer(&compiled, "spilled", &context), "on TARGETING_MATCH");
    assert_eq!(answer(&compiled, "other", &context), "off DEFAULT");
    let logic = json!({"if": [{"and": [{"==": [{"var": "a3"}, "inline"]}, {"==": [{"var": "a40000"}, "spilled"]}]}, "on", "off"]});
    assert_eq!(served(logic, &context, Bucketing::V3), "on TARGETING_MATCH");
}
