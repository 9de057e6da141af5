use super::*;

fn audit() -> Table {
    let rows = [
        [
            "41",
            "14:39:46",
            "ada (via release)",
            "set flag checkout-v2, set flag new-cart",
            "web 12 goes out to everyone",
        ],
        ["42", "14:41:07", "oncall key", "kill checkout-v2", ""],
    ];
    Table::new(["revision", "when", "who", "what", "why"], rows.map(|row| row.map(str::to_owned)))
}

#[test]
fn a_table_is_aligned_and_has_no_lines() {
    let rows = [
        ["checkout-v2".to_owned(), "on".to_owned(), "a reason".to_owned()],
        ["a".to_owned(), "the caller's default".to_owned(), String::new()],
    ];
    insta::assert_snapshot!(Table::new(["flag", "serves", "why"], rows).fitted(None), @r"
    flag         serves                why
    checkout-v2  on                    a reason
    a            the caller's default
    ");
}

#[test]
fn wide_columns_are_wrapped_between_words() {
    insta::assert_snapshot!(audit().fitted(Some(88)), @r"
    revision  when      who                what                     why
    41        14:39:46  ada (via release)  set flag checkout-v2,    web 12 goes out to
                                           set flag new-cart        everyone
    42        14:41:07  oncall key         kill checkout-v2
    ");
}

#[test]
fn columns_that_do_not_fit_follow_below_each_row() {
    insta::assert_snapshot!(audit().fitted(Some(70)), @r"
    revision  when      who
    41        14:39:46  ada (via release)
        what  set flag checkout-v2, set flag new-cart
        why   web 12 goes out to everyone
    42        14:41:07  oncall key
        what  kill checkout-v2
    ");
    let digest = ["production".to_owned(), "0123456789abcdef".repeat(4), "intact".to_owned()];
    insta::assert_snapshot!(Table::new(["log", "digest", "state"], [digest]).fitted(Some(74)), @r"
    production
      digest  0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
      state   intact
    ");
}

#[test]
fn no_column_becomes_so_narrow_that_it_cannot_be_read() {
    let state = "on if in segment staff; on if country is in Germany or Austria; on 25%, off 75% for everyone else";
    let row = ["checkout-v2".to_owned(), state.to_owned(), state.to_owned()];
    let told = Table::new(["flag", "now", "then"], [row]).fitted(Some(60));
    assert!(told.starts_with("checkout-v2\n  now   on if in segment staff"), "{told}");
}

#[test]
fn a_colour_ends_where_its_line_does() {
    let row = ["a".to_owned(), "\x1b[31mthe application has failed\x1b[0m".to_owned(), "web".to_owned()];
    assert_eq!(
        Table::new(["id", "state", "node"], [row]).fitted(Some(28)),
        "id  state               node\na   \x1b[31mthe application\x1b[0m     web\n    \x1b[31mhas failed\x1b[0m"
    );
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for limit in 40..140 {
        for line in audit().fitted(Some(limit)).lines() {
            assert!(columns(line) <= limit, "{limit}: {line}");
        }
    }
}
