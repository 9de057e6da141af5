use super::*;

#[test]
fn a_table_is_aligned_and_has_no_lines() {
    let rows = [
        ["checkout-v2".to_owned(), "on".to_owned(), "a reason".to_owned()],
        ["a".to_owned(), "the caller's default".to_owned(), String::new()],
    ];
    insta::assert_snapshot!(table(["flag", "serves", "why"], rows), @r"
    flag         serves                why
    checkout-v2  on                    a reason
    a            the caller's default
    ");
}

#[test]
fn facts_are_aligned() {
    insta::assert_snapshot!(facts(&[("flags", "3".to_owned()), ("kills in force", "1".to_owned())]), @r"
    flags           3
    kills in force  1
    ");
}

#[test]
fn colours_are_for_terminals_alone() {
    assert_eq!(Paint::Plain.bad("x"), "x");
    assert_eq!(Paint::Colours.bad("x"), "\x1b[31mx\x1b[0m");
}

#[test]
fn one_thing_is_not_many() {
    assert_eq!(count(1, "flag", "flags"), "1 flag");
    assert_eq!(count(0, "flag", "flags"), "0 flags");
}
