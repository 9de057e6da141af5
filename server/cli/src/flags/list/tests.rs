use serde_json::json;

use super::*;

fn view(kills: &serde_json::Value) -> FlagView {
    let flag = json!({
        "description": "New checkout", "owner": "payments", "tags": ["checkout", "risky"], "enabled": true,
        "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "rules": [
            {"id": "staff", "when": {"attribute": "email", "ends_with": "@example.com"}, "serve": "on"},
            {"serve": {"split": [{"variant": "on", "weight": "12.5%"}, {"variant": "off", "weight": "87.5%"}]}},
        ],
        "requires": [{"flag": "payments-api", "variant": "on"}],
        "lease": {"seconds": 300},
    });
    let view = json!({"key": "checkout-v2", "epoch": 1, "revision": 7, "flag": flag, "kills": kills});
    serde_json::from_str(&view.to_string()).unwrap()
}

#[test]
fn the_list_has_a_line_for_each_flag() {
    let killed = json!([{"id": "k_01jd3x7q8v9w0y2z4a6b8c0d2e", "reason": "5xx spike"}]);
    insta::assert_snapshot!(list_table(&[view(&json!([])), view(&killed)], Paint::Plain).fitted(None), @r"
    flag         state   serves                                  safe  revision  tags
    checkout-v2  on      on 12.5%, off 87.5%; 1 rule for others  off   7         checkout, risky
    checkout-v2  killed  off                                     off   7         checkout, risky
    ");
}

#[test]
fn a_flag_is_shown_with_its_rules_and_its_kills() {
    let view = view(&json!([{"id": "k_01jd3x7q8v9w0y2z4a6b8c0d2e", "provisional": true}]));
    let flag: Flag = serde_json::from_str(view.flag.get()).unwrap();
    insta::assert_snapshot!(describe(&view, &flag, Paint::Plain), @r#"
    checkout-v2
      state        killed
      variants     on = true, off = false
      default      off
      safe         off
      revision     7
      description  New checkout
      owner        payments
      tags         checkout, risky
      requires     payments-api = on
      lease        5 min
      killed by k_01jd3x7q8v9w0y2z4a6b8c0d2e, provisional: no reason given

      rule      serves               for
      staff     on                   email ends with "@example.com"
      rules[1]  on 12.5%, off 87.5%  everyone
    "#);
}
