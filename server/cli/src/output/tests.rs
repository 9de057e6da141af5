use super::*;

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
fn a_list_shows_as_much_of_a_moment_as_is_needed() {
    let short = |at: &str| short_moment(at.parse().unwrap(), "2026-11-30T12:00:00Z".parse().unwrap());
    assert_eq!(short("2026-11-30T12:00:00Z").len(), "12:00:00".len());
    assert_eq!(short("2026-11-03T12:00:00Z").len(), "Nov 03 12:00".len());
    assert_eq!(short("2025-06-15T12:00:00Z"), "2025-06-15");
}
