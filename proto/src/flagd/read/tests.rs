use serde_json::json;

use super::*;
use crate::flagd::SafeChoice;

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
        "no spaces": {"state": "ENABLED", "variants": {"a": 1}},
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
        "no spaces",
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
    let text = json!({"version": 2, "flags": {"f": {"variants": {"x": 1}, "description": "d"}}}).to_string();
    let places: Vec<_> = parse(&text, &SafeVariants::default())
        .unwrap()
        .warnings
        .into_iter()
        .map(|warning| warning.path)
        .collect();
    assert_eq!(places, ["version", "flags.f.description", "flags.f.state"]);
}

#[test]
fn a_file_is_known_by_what_only_one_kind_has() {
    let native = "flags: {a: {variants: {x: 1}, default: x, safe: x}}";
    assert_eq!(parse_either(native).unwrap().into_file(), FlagsFile::parse(native).unwrap());
    assert_eq!(parse_either(FILE).unwrap().into_file().flags, imported(FILE));
    assert_eq!(parse_either("flags: {}").unwrap(), ImportedFile::Native(FlagsFile::default()));
}
