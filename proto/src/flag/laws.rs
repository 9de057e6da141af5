//! Laws of reading and writing.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::table::Entity as _;
use crate::{Flag, FlagsFile, Segment};

/// Any JSON, made mostly of names that occur in flags.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "variants",
        "default",
        "safe",
        "rules",
        "when",
        "serve",
        "split",
        "variant",
        "weight",
        "by",
        "salt",
        "attribute",
        "equals",
        "one_of",
        "matches",
        "semver_in",
        "in_cidr",
        "before",
        "all",
        "any",
        "not",
        "segment",
        "jsonlogic",
        "lease",
        "seconds",
        "requires",
        "flag",
        "on",
        "off",
        "25%",
        "1.2.3",
        "10.0.0.0/8",
        "2026-01-01T00:00:00Z",
        "(",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000..1000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>()
            .prop_filter("in range", |number| number.abs() < 9e15)
            .prop_map(|number| json!({"attribute": "n", "gte": number})),
        ".{0,12}".prop_map(|text| json!({"attribute": "a.b", "equals": text})),
        prop::collection::vec(
            prop_oneof![
                any::<i32>().prop_map(Value::from),
                ".{0,5}".prop_map(Value::from),
                any::<bool>().prop_map(Value::from)
            ],
            0..12
        )
        .prop_map(|values| json!({"attribute": "a", "one_of": values})),
        (0..9_u64, 0..9_u64, 0..9_u64, "(-[a-z]{1,4})?")
            .prop_map(|(major, minor, patch, pre)| json!({"attribute": "v", "semver_lt": format!("{major}.{minor}.{patch}{pre}")})),
        prop::sample::select(vec![">=1.2, <2", "^1", "~1.2.3", "*", "=1.0.0-rc.1"]).prop_map(|range| json!({"attribute": "v", "semver_in": range})),
        (any::<[u8; 4]>(), 0..=32_u8)
            .prop_map(|(address, length)| json!({"attribute": "ip", "in_cidr": format!("{}/{length}", std::net::Ipv4Addr::from(address))})),
        (-9_000_000_000_i64..9_000_000_000).prop_map(|seconds| json!({"attribute": "t", "after": jiff::Timestamp::from_second(seconds).unwrap().to_string()})),
        Just(json!({"segment": "s"})),
        Just(json!({"jsonlogic": {"in": ["x", {"var": "list"}]}})),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!({ "all": items })),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!({ "any": items })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
}

fn flag() -> impl Strategy<Value = Value> {
    let counts = (0..1000_u32, 1..1000_u32).prop_map(|(on, off)| (json!(on), json!(off)));
    let percentages = (0..=100_000_u32).prop_map(|part| (json!(percent(part)), json!(percent(100_000 - part))));
    let split = (prop_oneof![counts, percentages], prop::option::of("[a-z.]{1,8}"), prop::option::of(".{1,8}")).prop_map(|((on, off), by, salt)| {
        let mut split = json!({"split": [{"variant": "off", "weight": off}, {"variant": "on", "weight": on}]});
        let members = split.as_object_mut().unwrap();
        members.extend(by.filter(|by| !by.is_empty()).map(|by| ("by".to_owned(), json!(by))));
        members.extend(salt.map(|salt| ("salt".to_owned(), json!(salt))));
        split
    });
    let rule = (
        condition(),
        prop_oneof![Just(json!("on")), split, Just(json!({"jsonlogic": {"if": [true, "on"]}}))],
    )
        .prop_map(|(when, serve)| json!({"when": when, "serve": serve}));
    (prop::collection::vec(rule, 0..4), any::<bool>(), prop::option::of(5..10_000_u32), any::<[Option<()>; 3]>()).prop_map(|(rules, enabled, lease, given)| {
        let mut flag = json!({"variants": {"on": 1.5, "off": 2}, "default": given[0].map(|()| "on"), "safe": given[1].map(|()| "off"), "enabled": enabled, "rules": rules, "tags": ["b", "a"]});
        if let Some(seconds) = lease {
            flag["lease"] = json!({ "seconds": seconds });
        }
        flag
    })
}

fn percent(part: u32) -> String {
    format!("{}.{:03}%", part / 1000, part % 1000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_json_makes_the_parser_panic(value in any_json(), text in ".{0,200}") {
        let _ = Flag::from_value(&value);
        let _ = Segment::from_value(&value);
        let _ = Flag::parse(&text);
        let _ = FlagsFile::parse(&text);
        let _ = FlagsFile::parse(&json!({"flags": {"a": value.clone()}, "segments": value}).to_string());
    }

    #[test]
    fn what_is_written_is_read_back_the_same(value in flag()) {
        let flag = Flag::from_value(&value).unwrap();
        let written = serde_json::to_string(&flag).unwrap();
        let read = Flag::parse(&written).unwrap();
        prop_assert_eq!(&read, &flag);
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), written, "writing is stable");
        let file = FlagsFile { flags: [("f".parse().unwrap(), flag)].into_iter().collect(), ..FlagsFile::default() };
        let yaml = file.to_yaml().unwrap();
        prop_assert_eq!(FlagsFile::parse(&yaml).map_err(|faults| format!("{faults}\n{yaml}")), Ok(file));
    }
}
