use super::*;

const FILE: &str = "
environment: production
segments:
  beta: {attribute: plan, equals: beta}
  staff:
    description: People who work here
    when:
      any:
        - {attribute: email, ends_with: '@example.com'}
        - segment: beta
flags:
  checkout-v2:
    owner: payments
    variants: {on: true, off: false}
    default: off
    safe: off
    rules:
      - id: gradual
        when: {segment: beta}
        serve: {split: [{variant: on, weight: 25%}, {variant: off, weight: 75%}]}
  theme:
    variants: {no: yes, yes: no}
    default: no
    safe: null
";

#[test]
fn on_off_yes_and_no_stay_strings_and_a_percentage_is_a_weight() {
    let file = FlagsFile::parse(FILE).unwrap();
    assert_eq!(file.environment.as_ref().unwrap().as_str(), "production");
    assert_eq!(file.segments.len(), 2);
    assert_eq!(
        serde_json::to_string(&file.flags["checkout-v2"].rules[0].serve).unwrap(),
        r#"{"split":[{"variant":"on","weight":"25%"},{"variant":"off","weight":"75%"}]}"#
    );
    assert_eq!(
        serde_json::to_string(&file.flags["theme"]).unwrap(),
        r#"{"enabled":true,"variants":{"no":"yes","yes":"no"},"default":"no","safe":null}"#
    );
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let file = FlagsFile::parse(FILE).unwrap();
    let yaml = file.to_yaml().unwrap();
    assert_eq!(FlagsFile::parse(&yaml).unwrap(), file, "{yaml}");
    let json = serde_json::to_string_pretty(&file).unwrap();
    assert_eq!(FlagsFile::parse(&json).unwrap(), file);
}

#[test]
fn all_problems_of_all_flags_are_told_at_once() {
    let text = "flags:\n  a: {variants: {x: 1}, default: y, safe: x}\n  b: {variants: {x: 1}, safe: x}\n  c: {variants: {x: 1}, default: x, safe: x}\n";
    let faults = FlagsFile::parse(text).unwrap_err();
    let paths: Vec<_> = faults.all().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["flags.a.default", "flags.b.default"]);
}

#[test]
fn syntax_errors_name_line_and_column() {
    let broken = FlagsFile::parse("flags:\n  a: [1, 2\n  b: 3\n").unwrap_err().to_string();
    assert!(broken.contains("line "), "{broken}");
    let twice = FlagsFile::parse("flags:\n  a: {}\n  a: {}\n").unwrap_err().to_string();
    assert!(twice.contains("line 3"), "{twice}");
    let json = FlagsFile::parse("{\"flags\": {\"a\": {}, \"a\": {}}}").unwrap_err().to_string();
    assert!(json.contains("appears twice"), "{json}");
    let empty = FlagsFile::parse("").unwrap_err().to_string();
    assert!(empty.contains("is empty"), "{empty}");
}
