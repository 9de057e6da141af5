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
        rollouts: Vec::new(),
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
    describe(answer, None, "production on http://127.0.0.1:8016", Paint::Plain)
}

#[test]
fn a_kill_says_what_it_killed_and_what_is_served_now() {
    insta::assert_snapshot!(described(&answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))])), @r"
    Killed checkout-v2 in production on http://127.0.0.1:8016, revision 42. Reason: 5xx spike
      flag         serves
      checkout-v2  off
    ");
}

#[test]
fn a_flag_without_a_safe_variant_serves_the_callers_default() {
    let killed = answer(tag("payments"), &[("payments-api", None), ("refunds", Some("classic"))]);
    insta::assert_snapshot!(described(&killed), @r"
    Killed 2 flags in production on http://127.0.0.1:8016 (tag payments), revision 42. Reason: 5xx spike
      flag          serves
      payments-api  the caller's default
      refunds       classic
    ");
}

fn view(id: &str, scope: &KillScope, reason: Option<&str>) -> KillView {
    let value = serde_json::json!({
        "id": id, "scope": scope, "reason": reason, "actor": {"name": "ada (via oncall key)", "role": "oncall"}, "at": "2026-11-29T14:39:46Z",
        "epoch": 1, "revision": 41, "serves": [], "serves_total": 3
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_kill_that_exists_says_who_made_it() {
    let killed = answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))]);
    let before = view(ID, &flag("checkout-v2"), None);
    let text = describe(&killed, Some(&before), "production", Paint::Plain);
    let text = text.replace(&moment(before.kill.at), "MOMENT");
    insta::assert_snapshot!(text, @r"
    Already killed: checkout-v2 in production, revision 42, by ada (via oncall key) at MOMENT. Reason: 5xx spike
      flag         serves
      checkout-v2  off
    ");
}

#[test]
fn the_list_of_kills_fits_on_a_terminal() {
    let kills = [
        view(ID, &tag("payments"), Some("the provider answers 5xx since the failover")),
        view("k_01jd3x7q8v9w1y2z4a6b8c0d2e", &flag("checkout-v2"), None),
    ];
    let now = "2026-11-29T23:00:00Z".parse().unwrap();
    let short = short_moment(kills[0].kill.at, now);
    insta::assert_snapshot!(listed(&kills, now).fitted(Some(80)).replace(&short, "TODAY"), @r"
    kill             scope             flags  since     by
    k_01jd3x7q8v9w0  tag payments      3      TODAY  ada (via oncall key)
        reason  the provider answers 5xx since the failover
    k_01jd3x7q8v9w1  flag checkout-v2  3      TODAY  ada (via oncall key)
        reason  (none given)
    ");
}

#[test]
fn a_provisional_kill_says_so_and_one_that_is_not_on_disk_too() {
    let mut killed = answer(flag("checkout-v2"), &[("checkout-v2", Some("off"))]);
    killed.revision = None;
    killed.provisional = true;
    killed.reason = None;
    insta::assert_snapshot!(described(&killed), @r"
    Killed checkout-v2 in production on http://127.0.0.1:8016.
    PROVISIONAL: the store cannot be reached. The kill is active on this node, which sends it to the others, and saved on its disk; it gets its revision when the store returns. Do not stop this node.
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
    assert!(text.contains("and 4,980 more flags"), "{text}");
}

#[test]
fn the_command_that_says_why_names_the_same_scope() {
    assert_eq!(arguments(&flag("checkout-v2")), "checkout-v2");
    assert_eq!(arguments(&tag("payments")), "--tag payments");
    assert_eq!(arguments(&KillScope::All(AllFlags)), "--all");
}
