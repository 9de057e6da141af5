use super::*;

fn file(text: &str) -> FlagsFile {
    FlagsFile::parse(text).unwrap()
}

fn advice(text: &str) -> Vec<String> {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    advise(&file(text), now).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_careful_flag_gets_no_advice() {
    let text = "
flags:
  checkout-v2:
    description: New checkout
    owner: payments
    variants: { on: true, off: false }
    default: off
    safe: off
";
    assert_eq!(advice(text), Vec::<String>::new());
}

#[test]
fn what_is_better_done_otherwise_is_said() {
    let text = "
segments:
  Beta_Users: { attribute: plan, equals: beta }
flags:
  newCheckout:
    variants: { on: true, off: false }
    default: off
    safe: null
    expires_at: 2025-06-01T00:00:00Z
    rules:
      - { serve: on }
      - { when: { segment: Beta_Users }, serve: off }
";
    insta::assert_snapshot!(advice(text).join("\n"), @r#"
    segments.Beta_Users: use kebab-case, which works everywhere; consider "beta-users"
    flags.newCheckout: use kebab-case, which works everywhere; consider "new-checkout"
    flags.newCheckout: has no owner: name one, so that people on call know whom to ask
    flags.newCheckout: has no description
    flags.newCheckout.safe: is null: a kill serves each caller's own default, which may differ from one application to the next
    flags.newCheckout.expires_at: was 2025-06-01T00:00:00Z: clean it up, or give it more time
    flags.newCheckout.rules[1]: can never be reached, because rules[0] before it matches everyone
    "#);
}

#[test]
fn a_rule_behind_a_segment_that_everyone_is_in_is_named() {
    let text = "
segments:
  everyone: { all: [] }
flags:
  checkout:
    description: New checkout
    owner: payments
    variants: { on: true, off: false }
    default: off
    safe: off
    rules:
      - { when: { segment: everyone }, serve: off }
      - { serve: on }
";
    insta::assert_snapshot!(advice(text).join("\n"), @"
    segments.everyone.when: everyone is in it, so no rule behind one that names it is ever reached
    flags.checkout.rules[1]: can never be reached, because rules[0] before it matches everyone
    ");
}

#[test]
fn references_that_lead_nowhere_are_faults() {
    let text = "
flags:
  a:
    variants: { on: true, off: false }
    default: off
    safe: off
    rules: [{ when: { segment: nobody }, serve: on }]
    requires: [{ flag: b, variant: on }]
";
    let faults: Vec<_> = unmet(&file(text)).unwrap().into_iter().map(|fault| fault.path).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn words_are_found_however_they_are_joined() {
    assert_eq!(words("newCheckout_v2").join("-"), "new-checkout-v2");
    assert_eq!(words("HTTP.Retries").join("-"), "http-retries");
    assert_eq!(words("checkout/v2").join("-"), "checkout-v2");
}
