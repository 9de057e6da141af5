use serde_json::json;

use super::*;

fn drill(id: &str, passed: bool) -> Drill {
    let value = json!({
        "id": id, "scenario": "store-outage", "store": "redis", "fork": "production at 1:41", "passed": passed,
        "by": {"name": "ada (via oncall key)", "role": "oncall"}, "at": "2026-11-29T14:39:46Z", "applications": 5,
        "verdicts": [{"code": "confirmed", "name": "every application confirmed", "passed": passed, "detail": ""}], "figures": {"back_ms": 12.4}
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_list_fits_on_a_terminal() {
    let drills = [drill("d_01jd3x7q8v9w0y2z4a6b8c0d2e", true), drill("d_01jd3x7q8v9w1y2z4a6b8c0d2e", false)];
    let now = "2026-11-29T23:00:00Z".parse().unwrap();
    let told = listed(&drills, now, Paint::Plain)
        .fitted(Some(80))
        .replace(&short_moment(drills[0].at, now), "TODAY");
    insta::assert_snapshot!(told, @r"
    drill            when      scenario      store  result    back in
    d_01jd3x7q8v9w0  TODAY  store-outage  redis  passed    12 ms
        by  ada (via oncall key)
    d_01jd3x7q8v9w1  TODAY  store-outage  redis  1 failed  12 ms
        by  ada (via oncall key)
    ");
}
