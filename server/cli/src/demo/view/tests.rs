use super::super::shop::FEATURES;
use super::*;

fn exposure(variants: &[(&str, u32)], killed: bool) -> Exposure {
    Exposure {
        variants: variants.iter().map(|(variant, users)| ((*variant).to_owned(), *users)).collect(),
        killed,
    }
}

#[test]
fn a_flag_is_a_bar_with_its_figures() {
    insta::assert_snapshot!(line(FEATURES[0], &exposure(&[("on", 401), ("off", 599)], false), Paint::Plain), @"checkout-v2     on      [#############                 ]   40.1 %  off 599, on 401");
    insta::assert_snapshot!(line(FEATURES[0], &exposure(&[("off", 1_000)], true), Paint::Plain), @"checkout-v2     on      [                              ]    0.0 %  off 1000  killed");
}

#[test]
fn without_a_terminal_only_what_changes_is_told() {
    let before = vec![(FEATURES[0], exposure(&[("on", 401), ("off", 599)], false))];
    assert_eq!(steps(&before, &before), Vec::<String>::new());
    let after = vec![(FEATURES[0], exposure(&[("off", 1_000)], true))];
    assert_eq!(steps(&before, &after), ["checkout-v2  40.1 % -> 0.0 % on  killed  (off 1000)"]);
    assert_eq!(steps(&[], &before), ["checkout-v2  40.1 % on  (off 599, on 401)"]);
}
