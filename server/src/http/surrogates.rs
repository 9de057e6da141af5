//! Halves of a surrogate pair in the escapes of JSON: browsers send them for a text that was cut in the middle of an emoji. JSON readers
//! refuse them, and with them everything else in the body. They are read as U+FFFD, as browsers themselves do when they encode UTF-8.

use bytes::{Bytes, BytesMut};

/// U+FFFD, written as an escape.
const REPLACEMENT: &[u8; 4] = b"fffd";

/// The same JSON with each lone half replaced. A body without any is not copied.
pub fn replaced(body: Bytes) -> Bytes {
    let lone = lone_halves(&body);
    if lone.is_empty() {
        return body;
    }
    let mut mended = BytesMut::from(&body[..]);
    for at in lone {
        if let Some(digits) = mended.get_mut(at..at + REPLACEMENT.len()) {
            digits.copy_from_slice(REPLACEMENT);
        }
    }
    mended.freeze()
}

/// Where the four digits of each lone half begin.
fn lone_halves(body: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) = body.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += place;
        match unit(body, at) {
            Some(0xd800..=0xdbff) if matches!(unit(body, at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                found.push(at + 2);
                at += 6;
            }
            // Two characters, so that an escaped backslash begins no escape.
            _ => at += 2,
        }
    }
    found
}

/// The code unit of the escape `\uXXXX` at this place.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_half_becomes_the_replacement_character_and_all_else_stays() {
        for (text, expected) in [
            (r#"{"a": "x\ud83d"}"#, r#"{"a": "x\ufffd"}"#),
            (r#"{"a\uDE00": 1}"#, r#"{"a\ufffd": 1}"#),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#),
            (r#"["\ud83d\ud83d\ude00\ude00"]"#, r#"["\ufffd\ud83d\ude00\ufffd"]"#),
            (r#"["\\ud83d"]"#, r#"["\\ud83d"]"#),
            (r#"["\\\ud83d"]"#, r#"["\\\ufffd"]"#),
            (r#"["\ud83"]"#, r#"["\ud83"]"#),
            (r"\u+123\", r"\u+123\"),
            ("", ""),
        ] {
            assert_eq!(replaced(Bytes::copy_from_slice(text.as_bytes())), expected, "{text}");
        }
        for text in ["{\"a\": \"\\ud800\"}", "{\"\\udfff\\udbff\": 0}"] {
            let mended = replaced(Bytes::copy_from_slice(text.as_bytes()));
            assert!(serde_json::from_slice::<serde_json::Value>(&mended).is_ok(), "{text}");
        }
    }
}
