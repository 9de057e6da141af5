use std::sync::Arc;

use super::*;
use crate::revision::Position;
use crate::table::{Entity, Entry};

fn table<M: Entity>(entries: &[(&str, &str)], key: impl Fn(&str) -> M::Key) -> Table<M> {
    entries
        .iter()
        .map(|(name, json)| Arc::new(Entry::new(key(name), M::parse(json).unwrap(), Position::START).unwrap()))
        .collect()
}

fn flags(entries: &[(&str, &str)]) -> Table<Flag> {
    table(entries, |name| FlagKey::new(name).unwrap())
}

fn segments(entries: &[(&str, &str)]) -> Table<Segment> {
    table(entries, |name| SegmentKey::new(name).unwrap())
}

fn touched(flags: &[&str], segments: &[&str]) -> TouchedKeys {
    TouchedKeys {
        flags: flags.iter().map(|key| FlagKey::new(key).unwrap()).collect(),
        segments: segments.iter().map(|key| SegmentKey::new(key).unwrap()).collect(),
    }
}

fn problems(flags: &Table<Flag>, segments: &Table<Segment>, touched: &TouchedKeys) -> Vec<String> {
    check(flags, segments, touched).iter().map(ToString::to_string).collect()
}

fn paths(flags: &Table<Flag>, segments: &Table<Segment>, touched: &TouchedKeys) -> Vec<String> {
    check(flags, segments, touched).iter().map(|problem| problem.path.clone()).collect()
}

const PLAIN: &str = r#"{"variants":{"on":true,"off":false},"default":"off","safe":"off"}"#;
const REQUIRES_A: &str = r#"{"variants":{"on":true},"default":"on","safe":"on","requires":[{"flag":"a","variant":"on"}]}"#;
const REQUIRES_B: &str = r#"{"variants":{"on":true},"default":"on","safe":"on","requires":[{"flag":"b","variant":"on"}]}"#;
const USES_BETA: &str = r#"{"variants":{"on":true},"default":"on","safe":"on","rules":[{"when":{"any":[{"attribute":"x","exists":true},{"not":{"segment":"beta"}}]},"serve":"on"}]}"#;

#[test]
fn a_flag_may_only_refer_to_what_exists() {
    let all = flags(&[("b", REQUIRES_A), ("c", USES_BETA)]);
    insta::assert_snapshot!(problems(&all, &segments(&[("betta", r#"{"all":[]}"#)]), &touched(&["b", "c"], &[])).join("\n"), @r#"
    flags.b.requires[0].flag: "a" is not a flag in this environment
    flags.c.rules[0].when.any[1].not.segment: "beta" is not a segment in this environment; did you mean "betta"?
    "#);
    assert_eq!(
        problems(&all, &segments(&[]), &touched(&[], &[])),
        Vec::<String>::new(),
        "only what changed is checked"
    );
    let wrong = flags(&[("a", r#"{"variants":{"x":1},"default":"x","safe":"x"}"#), ("b", REQUIRES_A)]);
    insta::assert_snapshot!(
        problems(&wrong, &segments(&[]), &touched(&["b"], &[])).join("\n"),
        @r#"flags.b.requires[0].variant: "on" is not a variant of "a"; it has "x""#
    );
    insta::assert_snapshot!(
        problems(&wrong, &segments(&[]), &touched(&["a"], &[])).join("\n"),
        @r#"flags.a.variants: must keep "on": "b" requires it (requires[0])"#
    );
}

#[test]
fn what_others_refer_to_cannot_be_removed() {
    insta::assert_snapshot!(
        problems(&flags(&[("b", REQUIRES_A)]), &segments(&[]), &touched(&["a"], &[])).join("\n"),
        @r#"flags.a: cannot be removed: "b" requires it (requires[0]); change that flag first, or in the same commit"#
    );
    insta::assert_snapshot!(
        problems(&flags(&[("c", USES_BETA)]), &segments(&[]), &touched(&[], &["beta"])).join("\n"),
        @r#"segments.beta: cannot be removed: flag "c" uses it (rules[0].when.any[1].not.segment); change that flag first, or in the same commit"#
    );
    assert_eq!(
        paths(&flags(&[]), &segments(&[("outer", r#"{"segment":"beta"}"#)]), &touched(&[], &["beta"])),
        ["segments.outer.segment"]
    );
    assert_eq!(problems(&flags(&[]), &segments(&[]), &touched(&["a"], &["beta"])), Vec::<String>::new());
}

#[test]
fn circles_are_refused() {
    let both = flags(&[("a", REQUIRES_B), ("b", REQUIRES_A)]);
    assert_eq!(
        problems(&both, &segments(&[]), &touched(&["a"], &[])),
        ["flags.a.requires: is circular: a → b → a"]
    );
    let own = flags(&[("a", REQUIRES_A)]);
    assert_eq!(problems(&own, &segments(&[]), &touched(&["a"], &[])), ["flags.a.requires: is circular: a → a"]);
    let circle = segments(&[("a", r#"{"segment":"b"}"#), ("b", r#"{"not":{"segment":"a"}}"#)]);
    assert_eq!(
        problems(&flags(&[]), &circle, &touched(&[], &["a", "b"])),
        ["segments.a: is circular: a → b → a"]
    );
}

#[test]
fn the_nesting_of_segments_is_limited() {
    let chain: Vec<(String, String)> = (0..=limits::SEGMENT_DEPTH)
        .map(|n| {
            (
                format!("s{n:02}"),
                if n == 0 {
                    r#"{"all":[]}"#.to_owned()
                } else {
                    format!(r#"{{"segment":"s{:02}"}}"#, n - 1)
                },
            )
        })
        .collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(key, json)| (key.as_str(), json.as_str())).collect();
    assert_eq!(paths(&flags(&[]), &segments(&chain), &touched(&[], &["s00"])), ["segments.s16"]);
    assert_eq!(
        problems(&flags(&[]), &segments(&chain[..limits::SEGMENT_DEPTH]), &touched(&[], &["s00"])),
        Vec::<String>::new()
    );
}

#[test]
fn flags_that_require_and_are_required_by_plain_ones_pass() {
    let all = flags(&[("a", PLAIN), ("b", REQUIRES_A), ("c", REQUIRES_B), ("d", USES_BETA)]);
    let segments = segments(&[("beta", r#"{"attribute":"plan","equals":"beta"}"#)]);
    assert_eq!(problems(&all, &segments, &TouchedKeys::everything(&all, &segments)), Vec::<String>::new());
}

#[test]
fn the_length_of_a_chain_of_requirements_is_limited() {
    let requiring = |n: usize| {
        format!(
            r#"{{"variants":{{"on":true}},"default":"on","safe":"on","requires":[{{"flag":"f{:02}","variant":"on"}}]}}"#,
            n - 1
        )
    };
    let chain: Vec<(String, String)> = (0..=limits::REQUIREMENT_DEPTH)
        .map(|n| (format!("f{n:02}"), if n == 0 { PLAIN.to_owned() } else { requiring(n) }))
        .collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(key, json)| (key.as_str(), json.as_str())).collect();
    assert_eq!(paths(&flags(&chain), &segments(&[]), &touched(&["f00"], &[])), ["flags.f16.requires"]);
    assert_eq!(
        problems(&flags(&chain[..limits::REQUIREMENT_DEPTH]), &segments(&[]), &touched(&["f00"], &[])),
        Vec::<String>::new()
    );
}
