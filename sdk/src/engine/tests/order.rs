use super::*;

fn everything() -> Snapshot {
    let mut leased = flag(json!([{"id": "all", "serve": "on"}]));
    leased["lease"] = json!({"seconds": 300});
    let mut disabled = leased.clone();
    disabled["enabled"] = json!(false);
    let mut requiring = flag(json!([{"serve": "on"}]));
    requiring["requires"] = json!([{"flag": "leased", "variant": "on"}]);
    let mut unsafe_flag = flag(json!([{"serve": "on"}]));
    unsafe_flag["safe"] = json!(null);
    let plain = json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off"});
    let unset = json!({"variants": {"on": true}, "default": null, "safe": "on"});
    snapshot(
        json!({"leased": leased, "disabled": disabled, "requiring": requiring, "null-safe": unsafe_flag, "plain": plain, "unset": unset}),
        json!({}),
    )
}

#[test]
fn the_order_is_the_documented_one() {
    let context = Context::new("u");
    let mut snapshot = everything();
    let compiled = Compiled::new(&snapshot);
    assert_eq!(answer(&compiled, "nowhere", &context), "- ERROR FLAG_NOT_FOUND");
    assert_eq!(answer(&compiled, "leased", &context), "on TARGETING_MATCH");
    assert_eq!(answer(&compiled, "disabled", &context), "- DISABLED");
    assert_eq!(answer(&compiled, "requiring", &context), "on TARGETING_MATCH");
    assert_eq!(answer(&compiled, "plain", &context), "on STATIC");
    assert_eq!(answer(&compiled, "unset", &context), "- DEFAULT");
    let reason = |key: &str, seconds| compiled.evaluate(key, &context, SinceContact::seconds(seconds)).reason();
    assert_eq!(reason("leased", 299), Reason::TargetingMatch);
    assert_eq!(reason("leased", 300), Reason::LeaseExpired);
    assert_eq!(reason("disabled", 300), Reason::LeaseExpired, "a lease comes before disabled");
    assert_eq!(reason("requiring", 300), Reason::Prerequisite, "a required flag has run out too");
    assert_eq!(reason("plain", u32::MAX), Reason::Static);

    put_kill(&mut snapshot, kill(json!({"all": true}), &[], 1));
    let killed = compiled.update(&snapshot, &TouchedKeys::default());
    for (key, expected) in [
        ("leased", "off KILLED"),
        ("disabled", "off KILLED"),
        ("null-safe", "- KILLED"),
        ("plain", "off KILLED"),
        ("nowhere", "- ERROR FLAG_NOT_FOUND"),
    ] {
        assert_eq!(answer(&killed, key, &context), expected, "{key}");
    }
    let evaluation = killed.evaluate("leased", &context, SinceContact::FOREVER);
    assert_eq!(
        (evaluation.reason(), evaluation.kill().cloned()),
        (Reason::Killed, Some(KillId::from_parts(1, 0))),
        "a kill comes before a lease, and is named"
    );
}

#[test]
fn a_type_that_was_not_asked_for_gives_the_callers_default() {
    let compiled = compiled(json!({
        "bool": {"variants": {"on": true}, "default": "on", "safe": "on"},
        "text": {"variants": {"a": "x"}, "default": "a", "safe": "a"},
        "number": {"variants": {"a": 10.0}, "default": "a", "safe": "a"},
        "object": {"variants": {"a": {"n": 1}}, "default": "a", "safe": "a"},
    }));
    let context = Context::anonymous();
    assert!(compiled.boolean("bool", &context, SinceContact::FRESH, false));
    assert_eq!(compiled.string("text", &context, SinceContact::FRESH, "d"), "x");
    assert!((compiled.number("number", &context, SinceContact::FRESH, 0.0) - 10.0).abs() < f64::EPSILON);
    assert_eq!(
        serde_json::to_string(compiled.evaluate("number", &context, SinceContact::FRESH).value().unwrap()).unwrap(),
        "10.0",
        "the spelling is kept"
    );
    assert_eq!(compiled.object("object", &context, SinceContact::FRESH).unwrap()["n"], 1);
    assert_eq!(compiled.string("bool", &context, SinceContact::FRESH, "d"), "d");
    assert!(compiled.boolean("text", &context, SinceContact::FRESH, true));
    assert_eq!(compiled.evaluate("bool", &context, SinceContact::FRESH).number(), Err(TypeMismatch));
    assert_eq!(
        compiled.evaluate("bool", &context, SinceContact::FRESH).mismatched().reason().error_code(),
        Some(ErrorCode::TypeMismatch)
    );
    assert_eq!(compiled.evaluate("text", &context, SinceContact::FRESH).boolean(), Err(TypeMismatch));
    assert_eq!(compiled.evaluate("nowhere", &context, SinceContact::FRESH).boolean(), Ok(None));
}

#[test]
fn an_entry_that_cannot_be_compiled_degrades_itself_alone() {
    let mut snapshot = everything();
    let raw = serde_json::value::RawValue::from_string(r#"{"variants":{"on":true},"default":"on","safe":"on","from_the_future":1}"#.into()).unwrap();
    snapshot
        .flags
        .insert(Arc::new(Entry::from_raw(FlagKey::new("newer").unwrap(), raw, snapshot.position)));
    put_flag(
        &mut snapshot,
        "unknown-operator",
        &flag(json!([{"when": {"jsonlogic": {"frobnicate": [1]}}, "serve": "on"}])),
    );
    put_flag(
        &mut snapshot,
        "lost-segment",
        &flag(json!([{"when": {"not": {"segment": "nowhere"}}, "serve": "on"}])),
    );
    let compiled = Compiled::new(&snapshot);
    let context = Context::new("u");
    for key in ["newer", "unknown-operator", "lost-segment"] {
        assert_eq!(answer(&compiled, key, &context), "- ERROR PARSE_ERROR", "{key}");
    }
    assert_eq!(answer(&compiled, "plain", &context), "on STATIC");
    let problems: Vec<String> = compiled.issues().iter().map(|problem| format!("{} {}", problem.kind, problem.key)).collect();
    assert_eq!(problems, ["flag newer", "flag unknown-operator"]);

    put_kill(&mut snapshot, kill(json!({"all": true}), &[], 1));
    let killed = Compiled::new(&snapshot);
    assert_eq!(
        answer(&killed, "unknown-operator", &context),
        "off KILLED",
        "a flag whose rules cannot be compiled still has its safe variant"
    );
}

#[test]
fn an_overlay_of_provisional_kills_lies_over_any_revision() {
    let mut snapshot = everything();
    let compiled = Compiled::new(&snapshot);
    let context = Context::new("u");
    let covered = compiled.with_overlay(&[kill(json!({"tag": "risky"}), &["leased"], 7), kill(json!({"flag": "plain"}), &[], 8)]);
    assert_eq!(answer(&covered, "leased", &context), "off KILLED");
    assert_eq!(answer(&covered, "plain", &context), "off KILLED");
    assert_eq!(answer(&covered, "null-safe", &context), "on TARGETING_MATCH");

    put_flag(&mut snapshot, "leased", &flag(json!([{"serve": "on"}])));
    snapshot.position = Position::new(1, 2);
    let updated = covered.update(&snapshot, &touched(&["leased"]));
    assert_eq!(answer(&updated, "leased", &context), "off KILLED", "an edit does not lift it");
    assert_eq!(updated.position().revision.0, 2);
    assert_eq!(answer(&updated.with_overlay(&[]), "leased", &context), "on TARGETING_MATCH");

    snapshot.flags.remove("leased");
    let gone = updated.update(&snapshot, &touched(&["leased"]));
    assert_eq!(answer(&gone, "leased", &context), "- ERROR FLAG_NOT_FOUND");
    put_flag(&mut snapshot, "leased", &flag(json!([{"serve": "on"}])));
    assert_eq!(
        answer(&gone.update(&snapshot, &touched(&["leased"])), "leased", &context),
        "off KILLED",
        "nor does a flag that is created again"
    );
}

#[test]
fn a_flag_keeps_its_counters_while_its_variants_stay() {
    let mut snapshot = everything();
    let compiled = Compiled::new(&snapshot);
    let base = compiled.flag("leased").unwrap().counter_base();
    put_flag(&mut snapshot, "leased", &flag(json!([])));
    let edited = compiled.update(&snapshot, &touched(&["leased"]));
    assert_eq!((edited.flag("leased").unwrap().counter_base(), edited.counters()), (base, compiled.counters()));
    put_flag(
        &mut snapshot,
        "leased",
        &json!({"variants": {"on": true, "off": false, "x": true}, "default": "on", "safe": "off"}),
    );
    let widened = edited.update(&snapshot, &touched(&["leased"]));
    assert_eq!(
        (widened.flag("leased").unwrap().counter_base(), widened.counters()),
        (compiled.counters(), compiled.counters() + 4)
    );
    let mut bases: Vec<_> = compiled
        .flags()
        .flat_map(|flag| flag.counter_base()..flag.counter_base() + flag.counters())
        .collect();
    bases.sort_unstable();
    assert_eq!(bases, (0..compiled.counters()).collect::<Vec<_>>(), "they are dense");
    let context = Context::new("u");
    let evaluation = compiled.evaluate("disabled", &context, SinceContact::FRESH);
    assert_eq!(
        evaluation.counter(),
        Some(compiled.flag("disabled").unwrap().counter_base() + 2),
        "the caller's own default is counted last"
    );
}

#[test]
fn prerequisites_that_branch_without_end_are_cut_off() {
    let mut flags = serde_json::Map::new();
    for n in 0..40 {
        let mut made = flag(json!([{"serve": "on"}]));
        if n > 0 {
            made["requires"] = json!([{"flag": format!("f{}", n - 1), "variant": "on"}, {"flag": format!("f{}", n - 1), "variant": "on"}]);
        }
        flags.insert(format!("f{n}"), made);
    }
    let mut circle = flag(json!([{"serve": "on"}]));
    circle["requires"] = json!([{"flag": "circle", "variant": "on"}]);
    flags.insert("circle".into(), circle);
    let compiled = compiled(Value::Object(flags));
    assert_eq!(answer(&compiled, "f5", &Context::new("u")), "on TARGETING_MATCH");
    assert_ne!(answer(&compiled, "f39", &Context::new("u")), "on TARGETING_MATCH");
    assert_ne!(answer(&compiled, "circle", &Context::new("u")), "on TARGETING_MATCH");
}

#[test]
fn an_explanation_tells_what_each_condition_saw() {
    let mut explained = flag(json!([
        {"id": "staff", "when": {"any": [{"attribute": "email", "ends_with": "@example.com"}, {"segment": "beta"}]}, "serve": "on"},
        {"serve": {"split": [{"variant": "on", "weight": "25%"}, {"variant": "off", "weight": "75%"}]}}
    ]));
    explained["lease"] = json!({"seconds": 300});
    let snapshot = snapshot(json!({"checkout": explained}), json!({"beta": {"attribute": "plan", "equals": "beta"}}));
    let explanation = Compiled::new(&snapshot).explain("checkout", &Context::new("user-42").with("email", "ada@other.org"), SinceContact::FRESH);
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        json!({
            "value": false, "variant": "off", "reason": "SPLIT", "rule": "rules[1]", "revision": 1,
            "steps": [
                {"step": "kill", "kill": null},
                {"step": "lease", "seconds": 300, "expired": false},
                {"step": "enabled", "enabled": true},
                {"step": "rule", "index": 0, "id": "staff", "matches": false, "when": {"condition": "any", "holds": false, "within": [
                    {"condition": {"attribute": "email", "ends_with": "@example.com"}, "saw": "ada@other.org", "holds": false},
                    {"condition": {"segment": "beta"}, "holds": false, "within": [
                        {"condition": {"attribute": "plan", "equals": "beta"}, "saw": null, "holds": false}
                    ]}
                ]}},
                {"step": "rule", "index": 1, "matches": true, "when": null, "bucket": {"by": "targetingKey", "saw": "user-42", "salt": "checkout", "place": 49394, "of": 100_000}}
            ]
        })
    );
}
