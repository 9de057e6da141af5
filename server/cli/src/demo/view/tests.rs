use super::super::shop::DEMO_FLAGS;
use super::*;
use crate::output::Format;

fn exposure(variants: &[(&str, u32)], killed: bool) -> Exposure {
    Exposure {
        variants: variants.iter().map(|(variant, users)| ((*variant).to_owned(), *users)).collect(),
        killed,
    }
}

#[test]
fn a_flag_is_a_bar_with_its_figures() {
    insta::assert_snapshot!(line(DEMO_FLAGS[0], &exposure(&[("on", 401), ("off", 599)], false), Paint::Plain), @"checkout-v2     on      ████████··········   40.1 %  401 of 1,000");
    insta::assert_snapshot!(line(DEMO_FLAGS[0], &exposure(&[("off", 1_000)], true), Paint::Plain), @"checkout-v2     on      ··················    0.0 %  0 of 1,000  killed");
}

#[test]
fn the_screen_fits_on_a_terminal_of_80_columns_and_24_lines() {
    let view = View {
        output: Output::new(Format::Text),
        head: "Ripcord demo  1000 applications, 100000 users, server http://127.0.0.1:33033".to_owned(),
        hint: " --server http://127.0.0.1:33033 --key rc_admin_4fK2mQ9xWz1B4fK2mQ9xWz1B4fK2mQ9xWz1B4fK2mQ9xWz1B".to_owned(),
        redraws: false,
        before: Vec::new(),
    };
    let entry = serde_json::json!({
        "log": "production", "sequence": 9, "epoch": 1, "revision": 7, "at": "2026-11-29T14:39:46Z", "actor": {"name": "demo", "role": "admin"},
        "origin": {"node": "demo"}, "reason": "the payment provider answers 5xx and everybody should know about it",
        "changes": [{"change": "put_flag", "subject": "checkout-v2"}, {"change": "put_flag", "subject": "one-click-pay"}], "changes_total": 9,
        "digest": "0".repeat(64)
    });
    let entry: LogEntry = serde_json::from_value(entry).unwrap();
    let newest = Newest {
        entries: vec![entry.clone(), entry.clone(), entry],
        confirmation: serde_json::from_value(serde_json::json!({
            "epoch": 1, "revision": 7, "complete": true,
            "applied": {"connected": 1000, "confirmed": 1000, "max_ms": 12.4, "missing": []},
            "fetched": {"connected": 0, "confirmed": 0, "missing": []}, "sent": {"connected": 0, "confirmed": 0, "missing": []},
            "nodes": [], "nodes_not_reached": []
        }))
        .unwrap(),
    };
    let killed = exposure(&[("on", 100_000), ("off", 0)], true);
    let flags: Vec<_> = DEMO_FLAGS.into_iter().map(|flag| (flag, killed.clone())).collect();
    for (width, height) in [(80, 24), (60, 20), (120, 40)] {
        let text = view.screen(&flags, Some(&newest), width, height);
        assert!(text.lines().count() < height, "{text}");
        for line in text.lines() {
            assert!(wrap::columns(line) <= width, "{width}: {line}");
        }
    }
    let text = view.screen(&flags, Some(&newest), 80, 24);
    for command in ["killed", "confirmed by 1,000 of 1,000", "ripcord kill checkout-v2", "ripcord watch", "Ctrl-C"] {
        assert!(text.contains(command), "{command} is missing:\n{text}");
    }
}

#[test]
fn without_a_terminal_only_what_changes_is_told() {
    let before = vec![(DEMO_FLAGS[0], exposure(&[("on", 401), ("off", 599)], false))];
    assert_eq!(steps(&before, &before), Vec::<String>::new());
    let after = vec![(DEMO_FLAGS[0], exposure(&[("off", 1_000)], true))];
    assert_eq!(steps(&before, &after), ["checkout-v2  40.1 % -> 0.0 % on  killed  (off 1000)"]);
    assert_eq!(steps(&[], &before), ["checkout-v2  40.1 % on  (off 599, on 401)"]);
}
