use serde_json::json;

use super::*;

fn view(name: &str, standing: &str, note: &str) -> CheckpointView {
    let value = json!({
        "name": name, "note": note, "epoch": 1, "revision": 41, "sequence": 40, "hash": "0".repeat(64), "flags": 128,
        "by": {"name": "ada (via oncall key)", "role": "oncall"}, "at": "2026-11-29T14:39:46Z", "standing": standing,
        "last_known_good": standing == "known-good"
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_list_fits_on_a_terminal() {
    let views = [
        view("before-web-2026.11.29", "unvouched", ""),
        view("quiet", "known-good", "the last quiet evening before the sale"),
    ];
    let now = "2026-11-29T23:00:00Z".parse().unwrap();
    let told = list(&views, now).fitted(Some(80)).replace(&short_moment(views[0].checkpoint.at, now), "TODAY");
    insta::assert_snapshot!(told, @r"
    checkpoint             revision  standing         flags  taken
    before-web-2026.11.29  41        not vouched for  128    TODAY
        by    ada (via oncall key)
    quiet                  41        last-known-good  128    TODAY
        by    ada (via oncall key)
        note  the last quiet evening before the sale
    ");
}
