//! The worked examples of the protocols, and what a split does with odd attributes.

use ripcord_proto::settings::Bucketing;

use super::*;
use crate::engine::bucket::{Salt, hash_bytes, project};

/// The hash of `salt + value`.
fn hash_text(bucketing: Bucketing, salt: &str, value: &str) -> u32 {
    Salt::new(salt, bucketing).hash(value)
}

#[test]
fn the_hash_is_that_of_the_reference_implementation_however_it_is_fed() {
    let text = "The quick brown fox jumps over the lazy dög, again and again";
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        let whole = &text[..end];
        let reference = murmur3::murmur3_32(&mut whole.as_bytes(), 0).unwrap();
        assert_eq!(hash_bytes(whole.as_bytes()), reference);
        for cut in (0..=end).filter(|cut| text.is_char_boundary(*cut)) {
            assert_eq!(hash_text(Bucketing::V2, &whole[..cut], &whole[cut..]), reference, "{whole:?} cut at {cut}");
        }
    }
}

#[test]
fn a_text_of_any_length_is_hashed_as_its_cbor_in_v3() {
    for length in [0, 1, 22, 23, 24, 25, 255, 256, 257, 65_535, 65_536, 65_540] {
        let text = "x".repeat(length);
        let head = match length {
            0..=23 => vec![0x60 | u8::try_from(length).unwrap()],
            24..=255 => vec![0x78, u8::try_from(length).unwrap()],
            256..=65_535 => [vec![0x79], u16::try_from(length).unwrap().to_be_bytes().to_vec()].concat(),
            _ => [vec![0x7a], u32::try_from(length).unwrap().to_be_bytes().to_vec()].concat(),
        };
        let reference = murmur3::murmur3_32(&mut [head.as_slice(), text.as_bytes()].concat().as_slice(), 0).unwrap();
        let cut = length / 3;
        assert_eq!(hash_text(Bucketing::V3, &text[..cut], &text[cut..]), reference, "{length}");
    }
}

#[test]
fn the_worked_examples_come_out_as_published() {
    let v2 = hash_text(Bucketing::V2, "fractional-flag", "3");
    assert_eq!((v2, project(v2, 100)), (604_371_928, 14));
    let v3 = hash_text(Bucketing::V3, "fractional-flag", "3");
    assert_eq!((v3, project(v3, 100)), (3_444_928_664, 80));
    let v2 = hash_text(Bucketing::V2, "fractional-flag-shorthand", "jon@company.com");
    assert_eq!((v2, project(v2, 2)), (618_039_204, 0));
    for (text, hash, place) in [("ejOoVL", 0, 0), ("6LvT0", 2_147_483_648, 50), ("ceQdGm", 4_294_967_295, 99)] {
        assert_eq!((hash_text(Bucketing::V2, "", text), project(hash, 100)), (hash, place));
    }
    let v2 = hash_text(Bucketing::V2, "rollout-flag", "user-42");
    assert_eq!((v2, project(v2, 10_000)), (3_271_881_330, 7617));
    let v3 = hash_text(Bucketing::V3, "rollout-flag", "user-42");
    assert_eq!((v3, project(v3, 10_000)), (1_348_096_652, 3138));
    for (user, hash, place) in [("user-7", 3_265_497_948, 3), ("user-8", 2_227_756_235, 2), ("user-9", 1_481_513_919, 1)] {
        assert_eq!((hash_text(Bucketing::V2, "neg", user), project(hash, 4)), (hash, place));
    }
}

fn split_flag(by: Option<&str>) -> Value {
    let shares = json!([{"variant": "clubs", "weight": 25}, {"variant": "diamonds", "weight": 25}, {"variant": "hearts", "weight": 25}, {"variant": "spades", "weight": 25}]);
    let mut serve = json!({ "split": shares });
    if let Some(by) = by {
        serve["by"] = json!(by);
    }
    let variants = json!({"clubs": "c", "diamonds": "d", "hearts": "h", "spades": "s", "none": "n"});
    json!({"variants": variants, "default": "none", "safe": "none", "rules": [{ "serve": serve }, {"serve": "hearts"}]})
}

#[test]
fn the_generation_is_the_environments() {
    let mut snapshot = snapshot(json!({"fractional-flag": split_flag(Some("user.name"))}), json!({}));
    let user = json!({"name": "3"});
    let context = Context::anonymous().with("user", &user);
    let v3 = Compiled::new(&snapshot);
    assert_eq!(answer(&v3, "fractional-flag", &context), "spades SPLIT");
    snapshot.settings.bucketing = Bucketing::V2;
    let v2 = v3.with_overlay(&[]).update(&snapshot, &TouchedKeys::default());
    assert_eq!(
        answer(&v2, "fractional-flag", &context),
        "clubs SPLIT",
        "changing the generation recompiles everything"
    );
    assert_eq!(v2.counters(), v3.counters(), "what is counted keeps its numbers");
}

#[test]
fn what_cannot_be_bucketed_gets_the_default_and_no_later_rule() {
    let compiled = compiled(json!({"f": split_flag(None), "by": split_flag(Some("id"))}));
    assert_eq!(answer(&compiled, "f", &Context::anonymous()), "none DEFAULT");
    assert_eq!(answer(&compiled, "f", &Context::new("")), "none DEFAULT");
    let list = json!([1]);
    for odd in [
        Attribute::Null,
        Attribute::from(&list),
        Attribute::Texts(&["a"]),
        Attribute::Number(f64::NAN),
        Attribute::Text(""),
    ] {
        assert_eq!(answer(&compiled, "by", &Context::new("u").with("id", odd)), "none DEFAULT", "{odd:?}");
        assert_eq!(compiled.evaluate("by", &Context::new("u").with("id", odd), SinceContact::FRESH).rule(), None);
    }
}

#[test]
fn numbers_and_booleans_are_bucketed_as_the_text_that_cat_makes_of_them() {
    let compiled = compiled(json!({"by": split_flag(Some("id"))}));
    let place = |attribute: Attribute<'_>| {
        let explanation = compiled.explain("by", &Context::anonymous().with("id", attribute), SinceContact::FRESH);
        serde_json::to_value(explanation).unwrap()["steps"][2]["bucket"]["place"].clone()
    };
    let pairs = [
        (Attribute::Integer(29), "29"),
        (Attribute::Number(29.0), "29"),
        (Attribute::Number(-0.0), "0"),
        (Attribute::Number(1.5), "1.5"),
        (Attribute::Integer(-3), "-3"),
        (Attribute::Number(0.1), "0.1"),
        (Attribute::Boolean(true), "true"),
        (Attribute::Boolean(false), "false"),
    ];
    for (attribute, text) in pairs {
        assert_eq!(place(attribute), place(Attribute::Text(text)), "{attribute:?}");
        assert!(place(attribute).is_number());
    }
    assert!(place(Attribute::Number(f64::MIN_POSITIVE)).is_number(), "the longest text fits");
    assert!(place(Attribute::Number(f64::MIN)).is_number());
}

#[test]
fn a_weight_of_zero_serves_no_one_and_a_salt_moves_everyone() {
    let split = |on: Value, off: Value, salt: Value| {
        flag(json!([{"serve": {"split": [{"variant": "on", "weight": on}, {"variant": "off", "weight": off}], "salt": salt}}]))
    };
    let compiled = compiled(json!({
        "none": split(json!("0%"), json!("100%"), json!("a")), "all": split(json!(1), json!(0), json!("a")),
        "half-a": split(json!("50%"), json!("50%"), json!("a")), "half-b": split(json!("50%"), json!("50%"), json!("b")),
    }));
    let served = |key: &str, user: usize| compiled.boolean(key, &Context::new(&user.to_string()), SinceContact::FRESH, false);
    let users = || 0..2000_usize;
    assert_eq!(users().filter(|user| served("none", *user)).count(), 0);
    assert_eq!(users().filter(|user| served("all", *user)).count(), 2000);
    let half = users().filter(|user| served("half-a", *user)).count();
    assert!((900..1100).contains(&half), "{half}");
    let both = users().filter(|user| served("half-a", *user) && served("half-b", *user)).count();
    assert!((400..600).contains(&both), "{both}");
}
