use super::*;

#[test]
fn facts_are_aligned() {
    insta::assert_snapshot!(facts(&[("flags", "3".to_owned()), ("kills in force", "1".to_owned())]), @r"
    flags           3
    kills in force  1
    ");
}

#[test]
fn a_long_fact_is_wrapped_within_its_column() {
    let facts = [("state", "on".to_owned()), ("description", "New checkout for all of Europe".to_owned())];
    insta::assert_snapshot!(facts_within(&facts, Some(32)), @r"
    state        on
    description  New checkout for
                 all of Europe
    ");
}

#[test]
fn colours_are_for_terminals_alone() {
    assert_eq!(Paint::Plain.bad("x"), "x");
    assert_eq!(Paint::Colours.bad("x"), "\x1b[31mx\x1b[0m");
}

#[test]
fn texts_of_others_neither_move_the_cursor_nor_turn_the_direction() {
    let own = Paint::Colours.good("killed");
    assert_eq!(
        shown(&format!("{own} a\x1b[2K\rCONFIRMED\u{9b}1A\u{202e}\n\tb")),
        format!("{own} a\\u{{1b}}[2K\\u{{d}}CONFIRMED\\u{{9b}}1A\\u{{202e}}\n\tb")
    );
    assert_eq!(shown("\x1b[5mx\x1b"), "\\u{1b}[5mx\\u{1b}");
    assert_eq!(shown("plain"), "plain");
}

#[test]
fn a_list_shows_as_much_of_a_moment_as_is_needed() {
    let short = |at: &str| short_moment(at.parse().unwrap(), "2026-11-30T12:00:00Z".parse().unwrap());
    assert_eq!(short("2026-11-30T12:00:00Z").len(), "12:00:00".len());
    assert_eq!(short("2026-11-03T12:00:00Z").len(), "Nov 03 12:00".len());
    assert_eq!(short("2025-06-15T12:00:00Z"), "2025-06-15");
}
