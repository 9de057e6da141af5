use ripcord_proto::table::Table;

use super::*;

fn set(arguments: &[&str]) -> FlagEdit {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        set: FlagEdit,
    }
    let line = ["set", "checkout-v2"].iter().chain(arguments);
    <Line as clap::Parser>::try_parse_from(line).unwrap().set
}

fn as_flag(value: &Value) -> Flag {
    Flag::from_value(value).unwrap()
}

#[test]
fn a_new_boolean_flag_is_valid_and_serves_off() {
    let flag = as_flag(&edited(&set(&["--boolean"]), None).unwrap());
    assert!(flag.enabled);
    assert_eq!(flag.default.unwrap().as_str(), "off");
    assert_eq!(flag.safe.unwrap().as_str(), "off");
}

#[test]
fn a_flag_that_is_not_there_is_not_made_by_accident() {
    let error = edited(&set(&["--percent", "25"]), None).unwrap_err().to_string();
    assert!(error.contains("--boolean"), "{error}");
}

#[test]
fn parts_that_are_not_named_stay() {
    let before = r#"{"enabled":false,"owner":"payments","tags":["a"],"variants":{"yes":true,"no":false},"default":"no","safe":"no","rules":[{"id":"staff","serve":"yes","when":{"segment":"staff"}}]}"#;
    let after = edited(&set(&["--percent", "12.5", "--default", "null", "--tag", "b", "--tag", "a"]), Some(before)).unwrap();
    let flag = as_flag(&after);
    assert!(!flag.enabled);
    assert_eq!(flag.owner.as_deref(), Some("payments"));
    assert_eq!(flag.default, None);
    assert_eq!(after["tags"], json!(["a", "b"]));
    assert_eq!(after["rules"][0]["id"], "staff");
    assert_eq!(
        after["rules"][1],
        json!({"id": "percent", "serve": {"split": [{"variant": "yes", "weight": "12.5%"}, {"variant": "no", "weight": "87.5%"}]}})
    );
}

#[test]
fn raising_the_percentage_changes_the_rule_in_its_place() {
    let first = edited(&set(&["--boolean", "--percent", "25"]), None).unwrap().to_string();
    let second = edited(&set(&["--percent", "50"]), Some(&first)).unwrap();
    assert_eq!(second["rules"].as_array().unwrap().len(), 1);
    assert_eq!(second["rules"][0]["serve"]["split"][0], json!({"variant": "on", "weight": "50%"}));
}

const SPLIT: &str = r#"{"variant":"on","weight":50},{"variant":"off","weight":50}"#;

fn with_rules(rules: &str) -> String {
    format!(r#"{{"enabled":true,"variants":{{"on":true,"off":false}},"default":"off","safe":"off","rules":[{rules}]}}"#)
}

#[test]
fn the_one_split_for_everyone_is_changed_whatever_its_id() {
    let staff = r#"{"id":"staff","when":{"segment":"staff"},"serve":{"split":[{"variant":"on","weight":1},{"variant":"off","weight":1}]}}"#;
    let before = with_rules(&format!(r#"{staff},{{"id":"all","serve":{{"split":[{SPLIT}],"by":"team","salt":"s"}}}}"#));
    let after = edited(&set(&["--percent", "0"]), Some(&before)).unwrap();
    assert_eq!(after["rules"].as_array().unwrap().len(), 2);
    assert_eq!(after["rules"][1]["id"], "all");
    assert_eq!(
        after["rules"][1]["serve"],
        json!({"split": [{"variant": "on", "weight": "0%"}, {"variant": "off", "weight": "100%"}], "by": "team", "salt": "s"})
    );
    assert!(as_flag(&after).dead_rules(&Table::default()).is_empty());
    let swapped = with_rules(r#"{"serve":{"split":[{"variant":"off","weight":50},{"variant":"on","weight":50}]}}"#);
    let after = edited(&set(&["--percent", "75"]), Some(&swapped)).unwrap();
    assert_eq!(
        after["rules"][0]["serve"]["split"][1],
        json!({"variant": "on", "weight": "75%"}),
        "the order stays"
    );
    let after = edited(&set(&["--percent", "75", "--rule", "staff"]), Some(&before)).unwrap();
    assert_eq!(after["rules"][0]["serve"]["split"][0]["weight"], "75%");
}

#[test]
fn a_percentage_that_would_have_no_effect_or_is_not_clear_is_refused() {
    let split = |id: &str| format!(r#"{{"id":"{id}","serve":{{"split":[{SPLIT}]}}}}"#);
    let serve = r#"{"id":"all","serve":"off"}"#;
    let refused = |rules: &str, more: &[&str]| {
        let arguments = [&["--percent", "25"], more].concat();
        match edited(&set(&arguments), Some(&with_rules(rules))) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{rules} {more:?}: {other:?}"),
        }
    };
    let several = refused(&format!("{},{}", split("first"), split("second")), &[]);
    assert!(several.contains("first") && several.contains("second"), "{several}");
    refused(serve, &[]);
    refused(&format!("{serve},{}", split("behind")), &[]);
    refused(&format!("{serve},{}", split("behind")), &["--rule", "behind"]);
    refused(&split("first"), &["--rule", "nobody"]);
    refused(serve, &["--rule", "all"]);
    refused(r#"{"id":"percent","when":{"segment":"staff"},"serve":"on"}"#, &[]);
    let first = format!("{},{}", split("first"), split("second"));
    assert!(edited(&set(&["--percent", "25", "--rule", "first"]), Some(&with_rules(&first))).is_ok());
}

#[test]
fn a_percentage_is_for_booleans() {
    let before = r#"{"enabled":true,"variants":{"a":"x","b":"y"},"default":"a","safe":"a"}"#;
    assert!(matches!(edited(&set(&["--percent", "25"]), Some(before)), Err(Failure::Usage(_))));
}

#[test]
fn percentages_are_taken_to_a_thousandth() {
    for (text, written) in [
        ("25", "25%"),
        ("0.001", "0.001%"),
        ("12.50", "12.5%"),
        ("100", "100%"),
        ("0", "0%"),
        ("33.333%", "33.333%"),
    ] {
        assert_eq!(text.parse::<Percentage>().unwrap().to_string(), written);
    }
    for text in ["101", "100.001", "-1", "1.2345", "", ".", "5.", "a", "+5", "99999999999"] {
        assert!(text.parse::<Percentage>().is_err(), "{text:?}");
    }
}

#[test]
fn a_flag_in_a_file_is_read_as_yaml_and_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let key = FlagKey::new("checkout-v2").unwrap();
    let yaml = directory.path().join("flag.yaml");
    std::fs::write(&yaml, "variants: { on: true, off: false }\ndefault: off\nsafe: off\n").unwrap();
    let json = directory.path().join("flag.json");
    std::fs::write(
        &json,
        "{\"variants\": {\"on\": true, \"off\": false},\n \"default\": \"off\", \"safe\": \"off\"}\n",
    )
    .unwrap();
    assert_eq!(read(&key, &yaml).unwrap(), read(&key, &json).unwrap());
    std::fs::write(&yaml, "variants: { on: true }\ndefault: blue\n").unwrap();
    let error = read(&key, &yaml).unwrap_err();
    assert!(matches!(&error, Failure::File { faults, .. } if faults.all().len() == 2), "{error:?}");
}
