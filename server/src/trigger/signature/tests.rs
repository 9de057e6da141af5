use ripcord_proto::rest::Request as _;
use ripcord_proto::rest::triggers::TriggerRequest;
use serde_json::json;

use super::*;
use crate::trigger::crud;

const BODY: &[u8] = b"{\"error_rate\": 0.2}";
const SECRET: &str = "a-secret-of-twenty-four-characters";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn trigger(source: &str, credential: &str) -> Trigger {
    let request = json!({"name": "t", "source": source, "credential": credential, "secret": SECRET, "action": {"hold": {}}});
    let request = TriggerRequest::from_value(&request).unwrap();
    crud::new_trigger(&request, ripcord_proto::actor::Actor::server("a"), at(0)).trigger
}

fn hex(parts: &[&[u8]]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    in_hex(&tag(&key, parts))
}

fn in_hex(tag: &hmac::Tag) -> String {
    let bytes: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

fn header(second: i64) -> String {
    let time = at(second).as_second().to_string();
    format!("t={time},v1={}", hex(&[time.as_bytes(), b".", BODY]))
}

fn signed_with(header: &str, body: &[u8]) -> Result<VerifiedDelivery, SignatureError> {
    let proof = SignatureHeaders {
        signature: Some(header),
        ..SignatureHeaders::default()
    };
    check(&trigger("alertmanager", "hmac"), &proof, body, at(0))
}

#[test]
fn the_signature_is_the_one_of_rfc_4231() {
    // Test case 2 of the RFC.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let tag = tag(&key, &[b"what do ya want ".as_slice(), b"for nothing?"]);
    assert_eq!(in_hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[test]
fn a_delivery_is_good_for_five_minutes_either_way_and_not_longer() {
    for second in [-300, -1, 0, 300] {
        let genuine = signed_with(&header(second), BODY).unwrap();
        assert_eq!(genuine.sent, SentAt::Signed(at(second)));
    }
    for second in [-301, 301] {
        assert_eq!(signed_with(&header(second), BODY), Err(SignatureError::OutsideWindow(second)));
    }
}

#[test]
fn what_was_signed_otherwise_is_forged() {
    let good = header(0);
    let (time, hex) = good.split_once(",v1=").unwrap();
    let later = format!("t={},v1={hex}", at(1).as_second());
    let old = format!("{time},v0={hex}");
    for (header, body) in [
        (good.as_str(), b"{\"error_rate\": 0.0}".as_slice()),
        (later.as_str(), BODY),
        (old.as_str(), BODY),
        ("", BODY),
        ("t=soon,v1=", BODY),
        (time, BODY),
    ] {
        assert_eq!(signed_with(header, body), Err(SignatureError::Invalid), "{header}");
    }
    // While a secret is being changed two signatures come, of which one is right.
    assert!(signed_with(&format!("{time},v1={},v1={hex}", "0".repeat(64)), BODY).is_ok());
    // An old delivery of somebody who has no secret is told nothing about the window.
    assert_eq!(signed_with(&header(9_999).replace("v1=", "v1=0"), BODY), Err(SignatureError::Invalid));
}

#[test]
fn a_token_is_known_by_its_digest() {
    let trigger = trigger("alertmanager", "bearer");
    assert!(!serde_json::to_string(&trigger).unwrap().contains(SECRET));
    let with = |text: &str| {
        let proof = SignatureHeaders {
            authorization: Some(text),
            ..SignatureHeaders::default()
        };
        check(&trigger, &proof, BODY, at(0)).map(|genuine| genuine.sent)
    };
    assert_eq!(with(&format!("Bearer {SECRET}")), Ok(SentAt::Unknown));
    for wrong in [SECRET.to_owned(), format!("Bearer {SECRET}x"), "Bearer ".to_owned(), format!("Basic {SECRET}")] {
        assert_eq!(with(&wrong), Err(SignatureError::Invalid), "{wrong}");
    }
}

#[test]
fn pagerduty_signs_the_body_alone_and_only_its_triggers_take_that() {
    let header = format!("v1={}", hex(&[BODY]));
    let proof = SignatureHeaders {
        pagerduty: Some(&header),
        ..SignatureHeaders::default()
    };
    let check = |source| check(&trigger(source, "hmac"), &proof, BODY, at(0)).map(|genuine| genuine.sent);
    assert_eq!(check("pagerduty"), Ok(SentAt::InBody));
    assert_eq!(check("alertmanager"), Err(SignatureError::Invalid));
}
