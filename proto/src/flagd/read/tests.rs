use serde_json::json;

use super::*;
use crate::flagd::SafeChoice;
use crate::rule::Serve;

const FILE: &str = r#"
metadata: {team: checkout, level: 1}
$evaluators:
  is_staff: {ends_with: [{var: email}, "@example.com"]}
flags:
  banner:
    state: ENABLED
    variants: {on: true, off: false}
    defaultVariant: off
    targeting: {if: [{$ref: is_staff}, on]}
    metadata: {level: 2}
  legacy: {state: DISABLED, variants: {a: 1, b: 2.0}, defaultVariant: b}
  own: {state: ENABLED, variants: {x: {}}, defaultVariant: null, targeting: {}}
  lost: {state: ENABLED, variants: {x: "x"}, targeting: {if: [{$ref: nowhere}, x]}}
"#;

fn imported(text: &str) -> IndexMap<FlagKey, Flag> {
    parse(text, &SafeVariants::default()).unwrap().flags
}

fn faults(text: &str) -> String {
    parse(text, &SafeVariants::default()).unwrap_err().to_string()
}

#[test]
fn every_form_of_a_flag_becomes_a_native_one() {
    let flags = imported(FILE);
    let as_json = |key: &str| serde_json::to_value(&flags[key]).unwrap();
    assert_eq!(
        as_json("banner"),
        json!({
            "enabled": true, "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
            "rules": [{"serve": {"jsonlogic": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on"]}}}],
            "metadata": {"team": "checkout", "level": 2},
        })
    );
    assert_eq!(
        as_json("legacy"),
        json!({"enabled": false, "variants": {"a": 1, "b": 2.0}, "default": "b", "safe": "b", "metadata": {"team": "checkout", "level": 1}})
    );
    assert_eq!((&flags["own"].default, &flags["own"].safe, flags["own"].rules.len()), (&None, &None, 0));
    assert_eq!(flags["lost"].rules[0].serve, Serve::JsonLogic(json!({"if": [{"$ref": "nowhere"}, "x"]})));
    for flag in flags.values() {
        assert_eq!(
            &Flag::from_value(&serde_json::to_value(flag).unwrap()).unwrap(),
            flag,
            "what is imported can be put"
        );
    }
}

#[test]
fn the_safe_variant_is_the_default_or_what_was_chosen() {
    let choose = |choices: &[&str]| {
        let safe = choices.iter().map(|choice| choice.parse::<SafeChoice>().unwrap()).collect();
        parse(FILE, &safe).map(|imported| {
            imported
                .flags
                .values()
                .map(|flag| flag.safe.as_ref().map(ToString::to_string))
                .collect::<Vec<_>>()
        })
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(choose(&[]).unwrap(), [some("off"), some("b"), None, None]);
    assert_eq!(choose(&["on", "legacy=a", "lost=x"]).unwrap(), [some("on"), some("a"), None, some("x")]);
    assert_eq!(choose(&["banner="]).unwrap(), [None, some("b"), None, None]);
    assert_eq!(
        choose(&["banner=blue"]).unwrap_err().to_string(),
        "flags.banner: has no variant \"blue\" to use as the safe one; it has on, off"
    );
    assert_eq!(
        choose(&["bannr=on"]).unwrap_err().to_string(),
        "flags: has no flag \"bannr\" to set the safe variant of"
    );
}

#[test]
fn what_is_not_accepted_is_refused_by_name() {
    let text = json!({"flags": {
        "no\tabs": {"state": "ENABLED", "variants": {"a": 1}},
        "mixed": {"state": "ENABLED", "variants": {"a": 1, "b": "x"}},
        "list": {"state": "ENABLED", "variants": {"a": []}},
        "empty": {"state": "ENABLED", "variants": {}},
        "state": {"state": "ON", "variants": {"a": 1}},
        "default": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "b"},
        "large": {"state": "ENABLED", "variants": {"a": 9_007_199_254_740_992_i64}},
        "big": {"state": "ENABLED", "variants": {"a": "x".repeat(70_000)}},
    }});
    let found = faults(&text.to_string());
    for key in [
        "no\tabs",
        "mixed.variants.b",
        "list.variants.a",
        "empty.variants",
        "state.state",
        "default.defaultVariant",
        "large.variants.a",
        "big",
    ] {
        assert!(found.contains(&format!("flags.{key}: ")), "{key} in:\n{found}");
    }
    assert_eq!(found.lines().count(), 8, "{found}");
}

#[test]
fn a_list_of_flags_is_read_unless_a_key_stands_twice() {
    let one = json!({"key": "a", "state": "ENABLED", "variants": {"x": 1}, "defaultVariant": ""});
    assert_eq!(imported(&json!({"flags": [one]}).to_string())["a"].default, None);
    assert!(faults(&json!({"flags": [one, one]}).to_string()).contains("flags.a: is in two flag sets"));
    assert!(faults(&json!({"flags": [{"variants": {}}]}).to_string()).contains("flags[0]: has no \"key\""));
}

#[test]
fn evaluators_cannot_blow_a_flag_up() {
    let evaluator = json!({"in": ["x", "y".repeat(4_000)]});
    let rule = json!({"or": vec![json!({"$ref": "e"}); 5_000]});
    let flag = json!({"state": "ENABLED", "variants": {"x": 1}, "targeting": rule});
    let found = faults(&json!({"$evaluators": {"e": evaluator}, "flags": {"f": flag}}).to_string());
    assert!(found.contains("flags.f.targeting: takes more than 65536 bytes"), "{found}");
}

#[test]
fn what_flagd_passes_over_is_passed_over_with_a_warning() {
    let text = json!({"version": 2, "flags": {"f": {"variants": {"x": 1}, "defaultVariant": "x", "colour": "d"}}}).to_string();
    let places: Vec<_> = parse(&text, &SafeVariants::default())
        .unwrap()
        .warnings
        .into_iter()
        .map(|warning| warning.path)
        .collect();
    assert_eq!(places, ["version", "flags.f.colour", "flags.f.state"]);
}

#[test]
fn a_file_is_known_by_what_only_one_kind_has() {
    let native = "flags: {a: {variants: {x: 1}, default: x, safe: x}}";
    assert_eq!(parse_either(native).unwrap().into_file(), FlagsFile::parse(native).unwrap());
    assert_eq!(parse_either(FILE).unwrap().into_file().flags, imported(FILE));
    assert_eq!(parse_either("flags: {}").unwrap(), ImportedFile::Native(FlagsFile::default()));
}

/// The file of OpenTelemetry's demo, and names that other systems let people give.
#[test]
#[expect(clippy::unicode_not_nfc, reason = "a combining mark is one of the names")]
fn whatever_flagd_takes_as_a_name_is_a_name() {
    let flags = imported(
        r##"
flags:
  loadGeneratorFloodHomepage: {state: ENABLED, variants: {"10%": 0.1, "100%": 1, off: 0}, defaultVariant: "10%"}
  "new checkout": {state: ENABLED, variants: {"a+b": 1, "@x": 2, "#1": 3, "_y": 4, "?": 5}, defaultVariant: "_y"}
  "🚀 launch/é=1": {state: ENABLED, variants: {"é": true, "=": false}, defaultVariant: "="}
"##,
    );
    assert_eq!(
        flags.keys().map(FlagKey::as_str).collect::<Vec<_>>(),
        ["loadGeneratorFloodHomepage", "new checkout", "🚀 launch/é=1"]
    );
    for (key, flag) in &flags {
        let file = FlagsFile {
            flags: [(key.clone(), flag.clone())].into_iter().collect(),
            ..FlagsFile::default()
        };
        assert_eq!(FlagsFile::parse(&file.to_yaml().unwrap()).unwrap(), file);
    }
}

#[test]
fn a_choice_of_a_safe_variant_is_told_from_the_flags_that_are_there() {
    let text = json!({"flags": {"a=b": {"state": "ENABLED", "variants": {"c=d": 1, "e": 2}, "defaultVariant": "e"}}}).to_string();
    let safe = |choice: &str| {
        let safe = [choice.parse::<SafeChoice>().unwrap()].into_iter().collect();
        parse(&text, &safe).map(|imported| imported.flags["a=b"].safe.as_ref().map(ToString::to_string))
    };
    assert_eq!(safe("a=b=c=d").unwrap().as_deref(), Some("c=d"));
    assert_eq!(safe("c=d").unwrap().as_deref(), Some("c=d"));
    assert_eq!(safe("a=b=").unwrap(), None);
    assert!(safe("x=e").is_err());
}

#[test]
fn descriptions_and_comments_are_kept() {
    let flags = imported(
        "# the whole file\nflags:\n  # asks twice\n  # before it pays\n  a: {state: ENABLED, variants: {x: 1}}\n  b:\n    description: b is old\n    $comment: ask ana\n    state: ENABLED\n    variants: {x: 1}\n  c: {state: ENABLED, variants: {x: 1}}\n",
    );
    let of = |key: &str| flags[key].description.as_deref();
    assert_eq!(
        (of("a"), of("b"), of("c")),
        (Some("asks twice\nbefore it pays"), Some("b is old\nask ana"), None)
    );
    let long = json!({"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "description": "é".repeat(3_000)}}});
    assert_eq!(imported(&long.to_string())["a"].description.as_ref().unwrap().chars().count(), 2_000);
}

#[test]
fn a_resource_of_kubernetes_is_read_at_its_flag_spec() {
    let spec = json!({"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x"}}});
    let resource = json!({"apiVersion": "core.openfeature.dev/v1beta1", "kind": "FeatureFlag", "metadata": {"name": "f"}, "spec": {"flagSpec": spec}});
    assert_eq!(imported(&resource.to_string()), imported(&spec.to_string()));
    let text = "kind: FeatureFlag\napiVersion: core.openfeature.dev/v1beta1\nspec:\n  flagSpec:\n    flags:\n      # why\n      a: {state: ENABLED, variants: {x: 1}}\n";
    assert_eq!(imported(text)["a"].description.as_deref(), Some("why"));
    assert!(matches!(parse_either(text).unwrap(), ImportedFile::Flagd(_)));
    assert!(parse("kind: ConfigMap\napiVersion: v1\ndata: {}\n", &SafeVariants::default()).is_err());
}

#[test]
fn what_fractional_splits_becomes_a_split_and_all_else_stays_as_it_is() {
    let rules = |targeting: Value| {
        let flag = json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": targeting});
        let flags = imported(&json!({"flags": {"f": flag}}).to_string());
        serde_json::to_value(&flags["f"].rules).unwrap()
    };
    let shares = json!([{"variant": "on", "weight": 10}, {"variant": "off", "weight": 90}]);
    let parts = [json!(["on", 10]), json!(["off", 90])];
    let fractional = |value: Option<Value>| json!({"fractional": value.into_iter().chain(parts.clone()).collect::<Vec<_>>()});
    let implicit = json!({"split": shares, "hash": "flagd"});
    assert_eq!(rules(fractional(None)), json!([{"serve": implicit}]));
    assert_eq!(
        rules(fractional(Some(json!({"var": "email"})))),
        json!([{"serve": {"split": shares, "by": "email", "hash": "flagd"}}])
    );
    for own in [json!({"var": "$flagd.flagKey"}), json!("f")] {
        assert_eq!(
            rules(fractional(Some(json!({"cat": [own, {"var": "user.id"}]})))),
            json!([{"serve": {"split": shares, "by": "user.id", "salt": "f", "hash": "flagd"}}])
        );
    }
    assert_eq!(
        rules(json!({"fractional": [["on"], ["off", -3], ["off", 2.0]]})),
        json!([{"serve": {"split": [{"variant": "on", "weight": 1}, {"variant": "off", "weight": 0}, {"variant": "off", "weight": 2}], "hash": "flagd"}}])
    );
    let staff = json!({"ends_with": [{"var": "email"}, "@example.com"]});
    assert_eq!(
        rules(json!({"if": [staff, "on", fractional(None)]})),
        json!([{"when": {"jsonlogic": staff}, "serve": "on"}, {"serve": implicit}])
    );
    assert_eq!(
        rules(json!({"if": [staff, fractional(None), true, null, "on"]})),
        json!([{"when": {"jsonlogic": staff}, "serve": implicit}, {"serve": {"jsonlogic": {"if": [true, null, "on"]}}}])
    );
    for kept in [
        json!({"if": [staff, "on", "off"]}),
        json!({"if": [fractional(None), "on", "off"]}),
        json!({"fractional": [["on", 0.5], ["off", 0.5]]}),
        json!({"fractional": [["on", 0], ["off", 0]]}),
        json!({"fractional": [["on", {"var": "share"}], ["off", 1]]}),
        json!({"fractional": [[true, 1], ["off", 1]]}),
        json!({"fractional": [null, ["on", 1]]}),
        json!({"fractional": [{"var": ["email", "x"]}, ["on", 1]]}),
        json!({"fractional": [{"var": "$flagd.timestamp"}, ["on", 1]]}),
        json!({"fractional": [{"cat": ["a", {"var": "email"}, "b"]}, ["on", 1]]}),
        json!({"fractional": [["blue", 1]]}),
    ] {
        assert_eq!(rules(kept.clone()), json!([{"serve": {"jsonlogic": kept}}]), "{kept}");
    }
}

#[test]
fn what_can_never_work_is_warned_of_by_its_place() {
    let warned = |targeting: Value| {
        let flag = json!({"state": "ENABLED", "variants": {"on": true, "off": false, "true": true}, "defaultVariant": "off", "targeting": targeting});
        let imported = parse(&json!({"flags": {"f": flag}}).to_string(), &SafeVariants::default()).unwrap();
        imported.warnings.into_iter().map(|warning| warning.path).collect::<Vec<_>>()
    };
    let place = "flags.f.rules[0].serve.jsonlogic";
    for (targeting, warnings) in [
        (json!({"if": [{"startswith": [{"var": "a"}, "x"]}, "on"]}), 1),
        (json!({"fractionalEvaluation": [["on", 50], ["off", 50]]}), 1),
        (json!({"if": [{"var": "a"}, "onn", "of"]}), 2),
        (json!({"if": [{"var": "a"}, "on", ["off"]]}), 1),
        (json!({"if": [{"var": "a"}, "on", false]}), 1),
        (json!({"fractional": [["on", 0.5], ["off", 0.5]]}), 2),
        (json!({"if": [{"$ref": "nowhere"}, "on"]}), 1),
        (json!({"if": [{"var": "a"}, true, {"var": "b"}]}), 0),
        (json!({"if": [{"==": [{"var": "onn"}, "x"]}, "on", null]}), 0),
    ] {
        assert_eq!(warned(targeting.clone()), vec![place; warnings], "{targeting}");
    }
}

#[test]
fn a_file_of_another_format_is_refused_and_not_half_understood() {
    let native = r#"{"flags": {"checkout": {"variants": {"on": true, "off": false}, "default": "on", "safe": "off", "rules": []}}}"#;
    let refused = parse(native, &SafeVariants::default()).unwrap_err().to_string();
    assert!(refused.contains("ripcord apply"), "{refused}");
    let other = r#"{"flags": {"checkout": {"variants": {"on": true, "off": false}, "fallthrough": {"variation": 0}}}}"#;
    let refused = parse(other, &SafeVariants::default()).unwrap_err().to_string();
    assert!(refused.contains("\"fallthrough\""), "{refused}");
    let bare = r#"{"flags": {"checkout": {"variants": {"on": true, "off": false}}}}"#;
    assert!(parse(bare, &SafeVariants::default()).is_ok(), "flagd serves nothing, and says so");
}
