use ripcord_proto::{Epoch, KillId, Revision, VariantName};

use super::*;

const ID: &str = "k_01jd3x7q8v9w0y2z4a6b8c0d2e";

fn answer(scope: KillScope, flags: &[(&str, Option<&str>)]) -> KillResponse {
    KillResponse {
        id: KillId::new(ID).unwrap(),
        epoch: Epoch(1),
        revision: Some(Revision(42)),
        provisional: false,
        lost_on_restart: false,
        scope,
        reason: Some("5xx spike".to_owned()),
        reason_missing: false,
        flags: flags
            .iter()
            .map(|(flag, serves)| ServedFlag {
                flag: FlagKey::new(flag).unwrap(),
                serves: serves.map(|name| VariantName::new(name).unwrap()),
            })
            .collect(),
        flags_total: flags.len(),
        warnings: Vec::new(),
        confirmation: None,
    }
}

fn flag(key: &str) -> KillScope {
    KillScope::Flag(FlagKey::new(key).unwrap())
}

fn tag(name: &str) -> KillScope {
    KillScope::Tag(Tag::new(name).unwrap())
}

fn described(answer: &KillResponse) -> String {
    describe(answer, false, "production", Paint::Plain)
}

#[test]
fn a_kill_says_what_it_killed_and_what_is_served_now() {
    insta::assert_snapshot!(described(&answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))])), @r"
    Killed flag checkout-v2 in production, revision 42: 5xx spike
      flag         serves
      checkout-v2  off
    ");
}

#[test]
fn a_flag_without_a_safe_variant_serves_the_callers_default() {
    let killed = answer(tag("payments"), &[("payments-api", None), ("refunds", Some("classic"))]);
    insta::assert_snapshot!(described(&killed), @r"
    Killed tag payments in production, revision 42: 5xx spike
      flag          serves
      payments-api  the caller's default
      refunds       classic
    ");
}

#[test]
fn a_kill_that_exists_says_so() {
    let killed = answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))]);
    let text = describe(&killed, true, "production", Paint::Plain);
    assert!(text.starts_with("Already killed: flag checkout-v2 in production"), "{text}");
}

#[test]
fn a_kill_that_covers_nothing_warns_loudly() {
    insta::assert_snapshot!(described(&answer(tag("paymnets"), &[])), @r"
    Killed tag paymnets in production, revision 42: 5xx spike
    WARNING: no flag has the tag paymnets, so nothing changes now. A flag that gets this tag later will be killed.
    Did you mean another tag? `ripcord flags list` shows the tags.
    ");
}

#[test]
fn a_provisional_kill_says_so_and_one_that_is_not_on_disk_too() {
    let mut killed = answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))]);
    killed.revision = None;
    killed.provisional = true;
    killed.reason = None;
    insta::assert_snapshot!(described(&killed), @r"
    Killed flag checkout-v2 in production
    PROVISIONAL: the store cannot be reached. The kill is active on every reachable node and saved on this node's disk;
    it gets its revision when the store returns.
      flag         serves
      checkout-v2  off
    ");
    killed.lost_on_restart = true;
    assert!(described(&killed).contains("PROVISIONAL AND NOT ON DISK"));
}

#[test]
fn of_many_flags_the_first_are_listed() {
    let flags: Vec<_> = (0..30).map(|number| format!("flag-{number}")).collect();
    let flags: Vec<_> = flags.iter().map(|key| (key.as_str(), Some("off"))).collect();
    let mut killed = answer(KillScope::All(AllFlags), &flags);
    killed.flags_total = 5_000;
    let text = described(&killed);
    assert!(text.contains("flag-19") && !text.contains("flag-20"), "{text}");
    assert!(text.contains("and 4980 more flags"), "{text}");
}

#[test]
fn the_command_that_says_why_names_the_same_scope() {
    assert_eq!(arguments(&flag("checkout-v2")), "checkout-v2");
    assert_eq!(arguments(&tag("payments")), "--tag payments");
    assert_eq!(arguments(&KillScope::All(AllFlags)), "--all");
}
