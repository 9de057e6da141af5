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
fn the_last_column_is_wrapped_between_words() {
    insta::assert_snapshot!(audit().fitted(Some(105)), @r"
    revision  when      who                what                                     why
    41        14:39:46  ada (via release)  set flag checkout-v2, set flag new-cart  web 12 goes out to
                                                                                    everyone
    42        14:41:07  oncall key         kill checkout-v2
    ");
}

#[test]
fn a_row_that_does_not_fit_is_a_block() {
    insta::assert_snapshot!(audit().fitted(Some(80)), @r"
    41
      when  14:39:46
      who   ada (via release)
      what  set flag checkout-v2, set flag new-cart
      why   web 12 goes out to everyone
    42
      when  14:41:07
      who   oncall key
      what  kill checkout-v2
    ");
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for limit in 40..140 {
        for line in audit().fitted(Some(limit)).lines() {
            assert!(columns(line) <= limit, "{limit}: {line}");
        }
    }
}

#[test]
fn colours_take_no_columns() {
    assert_eq!(columns("\x1b[31mkilled\x1b[0m"), 6);
    assert_eq!(wrapped("\x1b[31mkilled\x1b[0m", 6).len(), 1);
}
