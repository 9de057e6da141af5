use serde_json::{Value, json};

use super::{parse, parse_with_comments};
use crate::FlagsFile;

fn value(text: &str) -> Value {
    parse(text).map_err(|faults| faults.to_string()).unwrap()
}

/// Where a file is refused: `line:column`.
fn place(text: &str) -> String {
    let faults = parse(text).unwrap_err().to_string();
    let words: Vec<&str> = faults.split([' ', ':']).collect();
    let after = |word: &str| words.iter().position(|other| *other == word).and_then(|at| words.get(at + 1).copied());
    format!("{}:{}", after("line").unwrap_or_default(), after("column").unwrap_or_default())
}

#[test]
fn plain_scalars_are_what_the_core_schema_says() {
    for (text, expected) in [
        ("123_456", json!("123_456")),
        ("0b11", json!("0b11")),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("1:30", json!("1:30")),
        ("2026-01-01", json!("2026-01-01")),
        ("1.2.3", json!("1.2.3")),
        ("0o", json!("0o")),
        ("0x", json!("0x")),
        ("0o18", json!("0o18")),
        ("1e", json!("1e")),
        (".", json!(".")),
        ("+", json!("+")),
        ("02134", json!(2134)),
        ("017", json!(17)),
        ("0o17", json!(15)),
        ("0xfF", json!(255)),
        ("-12", json!(-12)),
        ("+12", json!(12)),
        ("1e3", json!(1000.0)),
        (".5", json!(0.5)),
        ("5.", json!(5.0)),
        ("10.0", json!(10.0)),
        ("TRUE", json!(true)),
        ("False", json!(false)),
        ("~", Value::Null),
        ("Null", Value::Null),
        ("", Value::Null),
        ("\"02134\"", json!("02134")),
        ("'true'", json!("true")),
        ("!!str 5", json!("5")),
        ("! 5", json!("5")),
        ("!!int \"5\"", json!(5)),
        ("!!float 5", json!(5)),
    ] {
        assert_eq!(value(&format!("a: {text}"))["a"], expected, "{text}");
    }
    assert_eq!(
        value("1: a\ntrue: b\n.inf: c\n"),
        json!({"1": "a", "true": "b", ".inf": "c"}),
        "every key is a text"
    );
    assert_eq!(value("\u{FEFF}{\"a\": 1}"), json!({"a": 1}));
    assert_eq!(value("\u{FEFF}a: 1\r\nb: x\r\n"), json!({"a": 1, "b": "x"}));
}

#[test]
fn what_json_cannot_hold_is_refused_where_it_stands() {
    for text in [
        ".inf",
        "-.INF",
        ".nan",
        "99999999999999999999",
        "1e999",
        "!!binary aGk=",
        "!Ref x",
        "!!int x",
        "!!timestamp 2026-01-01",
    ] {
        assert!(place(&format!("b: 1\na: {text}")).starts_with("2:"), "{text}");
    }
    assert_eq!(place("b: !!set {x: null}"), "1:4");
}

#[test]
fn a_member_that_stands_twice_is_refused_with_its_place() {
    assert_eq!(place("a: 1\nb:\n  c: 1\n  c: 2\n"), "4:3");
    assert_eq!(place("{a: 1, 'a': 2}"), "1:8");
}

#[test]
fn empty_documents_are_skipped_and_a_second_one_is_refused() {
    let one = json!({"a": 1});
    for text in [
        "a: 1\n---\n",
        "---\na: 1\n...\n---\n# nothing\n",
        "--- # first\n---\na: 1\n",
        "%YAML 1.2\n---\na: 1\n",
        "{\"a\": 1}\n---\n",
    ] {
        assert_eq!(value(text), one, "{text:?}");
    }
    assert_eq!(place("a: 1\n---\nb: 2\n"), "3:1");
}

#[test]
fn aliases_and_merges_are_followed_and_bounded() {
    assert_eq!(
        value("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\nlist: [*b]\n"),
        json!({"base": {"x": 1, "y": 2}, "one": {"y": 3, "x": 1}, "list": [{"x": 1, "y": 2}]})
    );
    assert_eq!(value("'<<': 1"), json!({"<<": 1}));
    let lines = (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
    let bomb = lines.collect::<Vec<_>>().concat();
    assert!(parse(&format!("a0: &a0 x\n{bomb}")).is_err());
}

#[test]
fn comments_above_and_beside_a_member_are_kept() {
    let text = "# the file\n\nflags:\n  # first line\n  # second line\n  checkout: # beside\n    state: ENABLED\n  other:\n    # inside\n    state: ENABLED\n";
    let (_, comments) = parse_with_comments(text).unwrap();
    let of = |path: &[&str]| {
        comments
            .get(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
            .map(String::as_str)
    };
    assert_eq!(of(&["flags", "checkout"]), Some("first line\nsecond line\nbeside"));
    assert_eq!(of(&["flags", "other", "state"]), Some("inside"));
    let many = (0..300).map(|n| format!("# {n}\n")).collect::<Vec<_>>().concat();
    assert_eq!(value(&format!("{many}a: 1\n")), json!({"a": 1}));
}

#[test]
fn what_is_written_is_read_back_whatever_it_looks_like() {
    for text in [
        "02134", "123_456", "0o17", "0x1", "1e3", ".5", "true", "True", "null", "~", "", "yes", "on", ".inf", "<<", "=", "- a", "# a", "a: b", "a\nb", "!x",
        "*x", "&x", "100%", "@x", "\u{85}",
    ] {
        let flag = json!({"variants": {"a": text}, "default": "a", "safe": "a", "rules": [{"when": {"attribute": "x", "one_of": [text]}, "serve": "a"}]});
        let file = FlagsFile::from_value(&json!({"flags": {"f": flag}})).unwrap();
        let yaml = file.to_yaml().unwrap();
        assert_eq!(FlagsFile::parse(&yaml).map_err(|faults| format!("{text:?}: {faults}\n{yaml}")), Ok(file));
    }
}
