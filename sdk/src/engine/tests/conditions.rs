use super::*;

/// Whether a condition holds.
fn holds(condition: &Value, context: &Context<'_>) -> bool {
    let snapshot = snapshot(
        json!({"f": flag(json!([{"when": condition, "serve": "on"}]))}),
        json!({"beta": {"attribute": "plan", "equals": "beta"}}),
    );
    Compiled::new(&snapshot).boolean("f", context, SinceContact::FRESH, false)
}

/// Whether a test on the attribute `a` holds for a value.
fn test(operator: &str, operand: &Value, attribute: &Value) -> bool {
    let context = json!({ "a": attribute });
    holds(&json!({"attribute": "a", operator: operand}), &Context::from_json(context.as_object().unwrap()))
}

#[test]
fn each_operator_tells_apart_what_it_should() {
    let table = [
        (
            "equals",
            json!("x"),
            vec![json!("x")],
            vec![json!("X"), json!("xx"), json!(1), json!(null), json!(["x"])],
        ),
        ("equals", json!(29), vec![json!(29), json!(29.0)], vec![json!("29"), json!(29.5), json!(true)]),
        ("equals", json!(29.5), vec![json!(29.5)], vec![json!(29)]),
        ("equals", json!(true), vec![json!(true)], vec![json!(false), json!("true"), json!(1)]),
        (
            "one_of",
            json!(["a", 1, true]),
            vec![json!("a"), json!(1.0), json!(true)],
            vec![json!("b"), json!(2), json!(false), json!(["a"])],
        ),
        ("one_of", json!([]), vec![], vec![json!("a"), json!(null)]),
        (
            "contains",
            json!("b"),
            vec![json!("abc"), json!(["a", "b"])],
            vec![json!("ac"), json!(["ab"]), json!({"b": 1})],
        ),
        (
            "contains",
            json!(1),
            vec![json!([1.0]), json!([2, 1])],
            vec![json!("1"), json!(1), json!(["1"])],
        ),
        (
            "starts_with",
            json!("ab"),
            vec![json!("abc"), json!("ab")],
            vec![json!("a"), json!("ABC"), json!(12)],
        ),
        ("ends_with", json!("bc"), vec![json!("abc")], vec![json!("bcd"), json!("c")]),
        ("matches", json!("^a[0-9]+$"), vec![json!("a12")], vec![json!("a"), json!("xa1"), json!(1)]),
        (
            "lt",
            json!(10),
            vec![json!(9), json!(9.99), json!(-1)],
            vec![json!(10), json!("9"), json!(null)],
        ),
        ("lte", json!(10), vec![json!(10), json!(10.0)], vec![json!(10.1)]),
        ("gt", json!(10.5), vec![json!(11)], vec![json!(10.5), json!(10)]),
        ("gte", json!(10), vec![json!(10.0), json!(11)], vec![json!(9)]),
        (
            "semver_eq",
            json!("1.2.0"),
            vec![json!("1.2.0"), json!("v1.2"), json!("1.2.0+build"), json!(1.2)],
            vec![json!("1.2.0-rc.1"), json!("1.2.0.0"), json!("x")],
        ),
        (
            "semver_lt",
            json!("2.0.0"),
            vec![json!("2.0.0-rc.1"), json!("1.99.99"), json!(1)],
            vec![json!("2.0.0"), json!("2.0.0+a"), json!(null)],
        ),
        ("semver_lte", json!("2.0.0"), vec![json!("2"), json!("2.0.0+a")], vec![json!("2.0.1")]),
        (
            "semver_gt",
            json!("2.0.0-rc.9"),
            vec![json!("2.0.0-rc.10"), json!("2.0.0")],
            vec![json!("2.0.0-rc.9"), json!("2.0.0-beta")],
        ),
        (
            "semver_gte",
            json!("2.1.0"),
            vec![json!("2.1.0"), json!("V2.1"), json!("10.0.0")],
            vec![json!("2.0.9"), json!("2.1.0-alpha")],
        ),
        (
            "semver_in",
            json!(">=1.2, <2"),
            vec![json!("1.2.0"), json!("1.99"), json!("v1.5.0+b"), json!("1.3.0-beta.1")],
            vec![json!("2.0.0"), json!("1.1.9"), json!(""), json!("1.2.0-rc.1")],
        ),
        (
            "semver_in",
            json!(">=v1.2.0"),
            vec![json!("1.2.0"), json!("1.3.0-beta.1"), json!("2.0.0")],
            vec![json!("1.2.0-rc.1"), json!("1.1.9")],
        ),
        (
            "semver_in",
            json!("^1.2"),
            vec![json!("1.2.0"), json!("1.9.9"), json!("1.3.0-rc.1")],
            vec![json!("2.0.0-alpha"), json!("2.0.0"), json!("1.1.0")],
        ),
        (
            "semver_in",
            json!("~0.3.1"),
            vec![json!("0.3.1"), json!("0.3.9")],
            vec![json!("0.4.0"), json!("0.4.0-a"), json!("0.3.0")],
        ),
        ("semver_in", json!("^0.0.3"), vec![json!("0.0.3")], vec![json!("0.0.4"), json!("0.0.4-a")]),
        ("semver_in", json!("=1.2"), vec![json!("1.2.7")], vec![json!("1.3.0-a"), json!("1.3.0")]),
        (
            "semver_in",
            json!("1.*"),
            vec![json!("1.0.0"), json!("1.9.0-a")],
            vec![json!("2.0.0-a"), json!("0.9.9")],
        ),
        ("semver_in", json!(">1.2"), vec![json!("1.3.0")], vec![json!("1.2.9"), json!("1.3.0-a")]),
        (
            "semver_in",
            json!("<=1.2"),
            vec![json!("1.2.9"), json!("0.1.0")],
            vec![json!("1.3.0-a"), json!("1.3.0")],
        ),
        (
            "semver_in",
            json!("=1.2.3-rc.1"),
            vec![json!("1.2.3-rc.1"), json!("1.2.3-rc.1+b")],
            vec![json!("1.2.3")],
        ),
        ("semver_in", json!("*"), vec![json!("1.0.0-a"), json!("9")], vec![json!("x"), json!(true)]),
        (
            "before",
            json!("2026-01-01T00:00:00Z"),
            vec![json!("2025-12-31T23:59:59Z"), json!("2026-01-01T00:59:00+01:00")],
            vec![json!("2026-01-01T00:00:00Z"), json!("yesterday"), json!(0)],
        ),
        (
            "after",
            json!("2026-01-01T00:00:00Z"),
            vec![json!("2026-01-01T00:00:01Z"), json!("9999-12-31T23:59:59Z")],
            vec![json!("2026-01-01T00:00:00Z"), json!("2026-01-02"), json!("9999-12-31")],
        ),
        (
            "before",
            json!("9999-12-31T23:59:59Z"),
            vec![json!("2026-01-01T00:00:00Z")],
            vec![json!("9999-12-31T23:59:59Z"), json!("tomorrow")],
        ),
        (
            "in_cidr",
            json!(["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"]),
            vec![json!("10.1.2.3"), json!("192.168.1.7"), json!("2001:db8::1"), json!("::ffff:10.0.0.1")],
            vec![json!("11.0.0.1"), json!("192.168.1.8"), json!("2001:db9::1"), json!("10.0.0"), json!(10)],
        ),
        ("exists", json!(true), vec![json!(0), json!(""), json!(false), json!([])], vec![json!(null)]),
        ("exists", json!(false), vec![json!(null)], vec![json!(0), json!("")]),
    ];
    for (operator, operand, yes, no) in table {
        for attribute in yes {
            assert!(test(operator, &operand, &attribute), "{attribute} {operator} {operand}");
        }
        for attribute in no {
            assert!(!test(operator, &operand, &attribute), "not {attribute} {operator} {operand}");
        }
    }
}

#[test]
fn long_lists_answer_as_short_ones_do() {
    let texts: Vec<String> = (0..100).map(|n| format!("value-{n}")).collect();
    assert!(test("one_of", &json!(texts), &json!("value-73")));
    assert!(!test("one_of", &json!(texts), &json!("value-100")));
    let numbers: Vec<Value> = (0..100).map(|n| json!(n * 1_000)).chain([json!(0.5)]).collect();
    for (number, is_in) in [
        (json!(73_000), true),
        (json!(73_000.0), true),
        (json!(0.5), true),
        (json!(-0.0), true),
        (json!(73_001), false),
        (json!(73_000.5), false),
        (json!("73000"), false),
    ] {
        assert_eq!(test("one_of", &json!(numbers), &number), is_in, "{number}");
    }
    let networks: Vec<String> = (0..200).map(|n| format!("10.{n}.0.0/16")).collect();
    assert!(test("in_cidr", &json!(networks), &json!("10.150.3.4")));
    assert!(!test("in_cidr", &json!(networks), &json!("10.200.3.4")));
}

#[test]
fn trees_and_segments_combine() {
    let yes = json!({"attribute": "n", "equals": 1});
    let no = json!({"attribute": "n", "equals": 2});
    let context = Context::new("u").with("n", 1).with("plan", "beta");
    assert!(holds(&json!({"all": []}), &context));
    assert!(!holds(&json!({"any": []}), &context));
    assert!(holds(&json!({"all": [yes, {"not": no}]}), &context));
    assert!(!holds(&json!({"all": [yes, no]}), &context));
    assert!(holds(&json!({"any": [no, yes]}), &context));
    assert!(holds(&json!({"segment": "beta"}), &context));
    assert!(!holds(&json!({"not": {"segment": "beta"}}), &context));
    assert!(holds(&json!({"attribute": "targetingKey", "equals": "u"}), &context));
}

#[test]
fn a_missing_attribute_makes_a_test_false() {
    for (operator, operand) in [
        ("equals", json!("")),
        ("one_of", json!([""])),
        ("contains", json!("")),
        ("starts_with", json!("")),
        ("matches", json!("")),
        ("lt", json!(1)),
        ("semver_gte", json!("0.0.0")),
    ] {
        let condition = json!({"attribute": "a", operator: operand});
        assert!(!holds(&condition, &Context::new("u")), "{condition}");
        assert!(holds(&json!({ "not": condition }), &Context::new("u")), "{condition}");
    }
}

#[test]
fn dotted_paths_reach_into_what_is_nested_and_name_what_is_flat() {
    let condition = json!({"attribute": "app.version", "equals": "2"});
    let app = json!({"version": "2", "list": [{"id": 7}]});
    assert!(holds(&condition, &Context::new("u").with("app.version", "2")));
    assert!(holds(&condition, &Context::new("u").with("app", &app)));
    assert!(
        holds(&condition, &Context::new("u").with("app", &app).with("app.version", "1")),
        "nested comes before flat"
    );
    assert!(!holds(&condition, &Context::new("u").with("app", "2")));
    assert!(holds(&json!({"attribute": "app.list.0.id", "equals": 7}), &Context::new("u").with("app", &app)));
    assert!(!holds(
        &json!({"attribute": "app.list.1.id", "exists": true}),
        &Context::new("u").with("app", &app)
    ));
    assert!(holds(
        &json!({"attribute": "roles.1", "equals": "b"}),
        &Context::new("u").with("roles", Attribute::Texts(&["a", "b"]))
    ));
    assert!(holds(
        &json!({"attribute": "roles", "contains": "b"}),
        &Context::new("u").with("roles", Attribute::Texts(&["a", "b"]))
    ));
}

#[test]
fn a_context_holds_any_number_of_attributes_and_the_last_of_a_name_counts() {
    let names: Vec<String> = (0..20).map(|n| format!("a{n}")).collect();
    let mut context = Context::new("u");
    for (n, name) in (0_i64..).zip(&names) {
        context.set(name, n);
    }
    for (n, name) in names.iter().enumerate() {
        assert!(holds(&json!({"attribute": name, "equals": n}), &context), "{name}");
    }
    let replaced = context.with("a3", "x").with("a19", "y");
    assert!(holds(&json!({"attribute": "a3", "equals": "x"}), &replaced));
    assert!(holds(&json!({"attribute": "a19", "equals": "y"}), &replaced));
    assert_eq!(Context::new("u").traffic(), ripcord_proto::outcome::Traffic::Real);
    assert_eq!(
        Context::new("u").with("traffic", "synthetic").traffic(),
        ripcord_proto::outcome::Traffic::Synthetic
    );
}

#[test]
fn an_explanation_names_the_types_if_they_differ() {
    let types = |operator: &str, operand: Value, attribute: Value| {
        let snapshot = snapshot(
            json!({"f": flag(json!([{"when": {"attribute": "a", operator: operand}, "serve": "on"}]))}),
            json!({}),
        );
        let context = json!({ "a": attribute });
        let explained = Compiled::new(&snapshot).explain("f", &Context::from_json(context.as_object().unwrap()), SinceContact::FRESH);
        let steps = serde_json::to_value(explained).unwrap()["steps"].clone();
        let rule = steps.as_array().unwrap().iter().find(|step| step["step"] == "rule").unwrap().clone();
        rule["when"]["types_differ"].clone()
    };
    for (operator, operand, attribute, wanted, found) in [
        ("equals", json!(5), json!("5"), "number", "text"),
        ("equals", json!("5"), json!(5), "text", "number"),
        ("one_of", json!(["a", 1]), json!(["a"]), "number or text", "list"),
        ("gte", json!(5), json!("7"), "number", "text"),
        ("starts_with", json!("a"), json!(true), "text", "boolean"),
        ("contains", json!(1), json!("1"), "list", "text"),
        ("semver_gte", json!("1.0.0"), json!("one"), "version", "text"),
        ("semver_in", json!("^1"), json!({"x": 1}), "version", "object"),
        ("before", json!("2026-01-01T00:00:00Z"), json!("2025-12-31"), "time", "date without a time"),
        ("after", json!("2026-01-01T00:00:00Z"), json!(1_700_000_000), "time", "number"),
        ("in_cidr", json!("10.0.0.0/8"), json!("localhost"), "address", "text"),
    ] {
        assert_eq!(types(operator, operand, attribute), json!({"wanted": wanted, "found": found}), "{operator}");
    }
    for (operator, operand, attribute) in [
        ("equals", json!(5), json!(6)),
        ("equals", json!(5), json!(null)),
        ("one_of", json!([]), json!("a")),
        ("contains", json!("a"), json!("b")),
        ("before", json!("2026-01-01T00:00:00Z"), json!("2027-01-01T00:00:00Z")),
        ("exists", json!(false), json!(5)),
    ] {
        assert!(types(operator, operand, attribute).is_null(), "{operator}");
    }
}
