use serde_json::json;

use super::*;

fn view(name: &str) -> ReleaseView {
    let value = json!({
        "revision": null, "name": name, "baseline": format!("before-{name}"), "state": "open", "by": {"name": "pipeline key", "role": "pipeline"},
        "at": "2026-11-29T14:39:46Z", "commits": 3, "artifact": "web 2026.11.29", "commit": "8f2c1d9",
        "window": {"ends": "2026-11-29T16:39:46Z", "remaining_seconds": 4321}
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_list_fits_on_a_terminal() {
    let views = [view("web-2026.11.29")];
    let now = "2026-11-29T23:00:00Z".parse().unwrap();
    let told = list(&views, now).fitted(Some(80)).replace(&short_moment(views[0].release.at, now), "TODAY");
    insta::assert_snapshot!(told, @r"
    release         state  commits  begun     by            window
    web-2026.11.29  open   3        TODAY  pipeline key  1 h 12 min left
        deployed  web 2026.11.29, commit 8f2c1d9
    ");
}

#[test]
fn what_a_release_changed_is_shown_flag_by_flag() {
    let changed = json!({
        "flags": [{"key": "gift-cards", "from": {}, "to": {}, "was": "on 10%, off 90%", "is": "on 50%, off 50%", "differs": ["rules[0]: on 10% -> 50%"]}],
        "segments": [], "back": ["banner"], "commits": [],
        "foreign_flags": {"gift-cards": [{"sequence": 10, "epoch": 1, "revision": 9, "at": "2026-11-29T14:39:46Z", "actor": {"name": "editor key", "role": "editor"}, "reason": "sale"}]}
    });
    let told = diff(&serde_json::from_str(&changed.to_string()).unwrap(), Paint::Plain);
    insta::assert_snapshot!(told, @r"
    Against its baseline:
    ~ flag gift-cards
        was  on 10%, off 90%
        is   on 50%, off 50%
        rules[0]: on 10% -> 50%
        also changed in revision 9 by editor key: sale
    Back to their earlier state: banner
    ");
}
