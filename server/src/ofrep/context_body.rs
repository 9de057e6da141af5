//! The evaluation context in a request's body, borrowed from the body as far as possible.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use ripcord_proto::role::Role;
use ripcord_sdk::Context;
use ripcord_sdk::engine::Attribute;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::error::OfrepError;
use crate::http::surrogates;
use crate::remote::ContextLimits;

/// Most contexts have fewer attributes.
const ATTRIBUTES: usize = 8;

/// How long a body may take to arrive: the key may be public, and a body that never ends would keep its connection.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Reads a body up to the limit.
pub(super) async fn read(headers: &HeaderMap, payload: actix_http::Payload, limits: ContextLimits) -> Result<Bytes, OfrepError> {
    let collected = tokio::time::timeout(BODY_TIME, collect(headers, payload, limits)).await;
    collected.unwrap_or_else(|_| {
        let detail = format!("The body did not arrive within {} s, the limit of this path.", BODY_TIME.as_secs());
        Err(OfrepError::request("PARSE_ERROR", detail))
    })
}

async fn collect(headers: &HeaderMap, mut payload: actix_http::Payload, limits: ContextLimits) -> Result<Bytes, OfrepError> {
    let most = limits.bytes;
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|stated| stated > most) {
        return Err(OfrepError::TooLarge(most));
    }
    let unread = |error| OfrepError::request("PARSE_ERROR", format!("The body could not be read: {error}."));
    let Some(first) = payload.next().await.transpose().map_err(unread)? else {
        return Ok(Bytes::new());
    };
    // Most bodies come in one piece, and are not copied.
    if stated == Some(first.len()) {
        return Ok(surrogates::replaced(first));
    }
    let mut whole = BytesMut::from(first);
    while let Some(chunk) = payload.next().await.transpose().map_err(unread)? {
        if whole.len() + chunk.len() > most {
            return Err(OfrepError::TooLarge(most));
        }
        whole.extend_from_slice(&chunk);
    }
    if whole.len() > most {
        return Err(OfrepError::TooLarge(most));
    }
    Ok(surrogates::replaced(whole.freeze()))
}

/// Whether a body with a public key is a context.
pub fn is_context(body: &[u8]) -> bool {
    let body = surrogates::replaced(Bytes::copy_from_slice(body));
    ContextBody::read(&HeaderMap::new(), &body, ContextLimits::of(Role::Client)).is_ok()
}

/// The attributes of a context, borrowed from the body if they need no unescaping.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ContextBody<'b>(Vec<(Cow<'b, str>, ContextValue<'b>)>);

/// The value of one attribute.
#[derive(Debug, PartialEq)]
enum ContextValue<'b> {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'b, str>),
    Json(Value),
}

impl<'b> ContextBody<'b> {
    /// Reads a body. An empty body, `{}` and an empty context are valid.
    pub(super) fn read(headers: &HeaderMap, body: &'b [u8], limits: ContextLimits) -> Result<Self, OfrepError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        check_kind(headers)?;
        let parsed = serde_json::from_slice(body).map_err(|error| OfrepError::request("PARSE_ERROR", format!("Invalid JSON: {error}.")))?;
        match parsed {
            ParsedBody::Of(request) if request.0.len() > limits.attributes => Err(OfrepError::request(
                "INVALID_CONTEXT",
                format!(
                    "The context has {} attributes; at most {} are allowed with this key.",
                    request.0.len(),
                    limits.attributes
                ),
            )),
            ParsedBody::Of(request) => Ok(request),
            ParsedBody::NoObject => Err(OfrepError::request(
                "PARSE_ERROR",
                "The body must be an object such as {\"context\": {\"targetingKey\": \"user-7\"}}.",
            )),
            ParsedBody::NoContext => Err(OfrepError::request(
                "INVALID_CONTEXT",
                "\"context\" must be an object such as {\"targetingKey\": \"user-7\"}.",
            )),
        }
    }

    /// As a context for the engine.
    pub(super) fn context(&self) -> Context<'_> {
        let mut context = Context::anonymous();
        for (name, member) in &self.0 {
            context.set(name, member);
        }
        context
    }
}

impl<'m> From<&'m ContextValue<'_>> for Attribute<'m> {
    fn from(member: &'m ContextValue<'_>) -> Self {
        match member {
            ContextValue::Null => Self::Null,
            ContextValue::Boolean(boolean) => Self::Boolean(*boolean),
            ContextValue::Integer(number) => Self::Integer(*number),
            ContextValue::Number(number) => Self::Number(*number),
            ContextValue::Text(text) => Self::Text(text),
            ContextValue::Json(value) => Self::from(value),
        }
    }
}

fn check_kind(headers: &HeaderMap) -> Result<(), OfrepError> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let suffix = essence.rsplit(|byte| *byte == b'+').next().unwrap_or_default();
    if essence.eq_ignore_ascii_case(b"application/json") || (suffix.len() < essence.len() && suffix.eq_ignore_ascii_case(b"json")) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(kind.as_bytes());
    Err(OfrepError::request(
        "PARSE_ERROR",
        format!("Unsupported Content-Type {said:?}; send application/json."),
    ))
}

/// A body that is JSON.
enum ParsedBody<'b> {
    Of(ContextBody<'b>),
    NoObject,
    NoContext,
}

/// The member `context`.
enum ContextMember<'b> {
    Members(ContextBody<'b>),
    Nothing,
    Other,
}

/// The methods of a visitor that maps every unexpected kind of value to one result, reading it to its end.
macro_rules! otherwise {
    ($other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($other)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($other)
        }
    };
}

impl<'de: 'b, 'b> Deserialize<'de> for ParsedBody<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BodyVisitor;

        impl<'de> Visitor<'de> for BodyVisitor {
            type Value = ParsedBody<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ParsedBody::NoObject)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut request = ParsedBody::Of(ContextBody::default());
                while let Some(Name(name)) = members.next_key()? {
                    if name != "context" {
                        members.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    request = match members.next_value()? {
                        ContextMember::Members(request) => ParsedBody::Of(request),
                        ContextMember::Nothing => ParsedBody::Of(ContextBody::default()),
                        ContextMember::Other => ParsedBody::NoContext,
                    };
                }
                Ok(request)
            }

            otherwise!(ParsedBody::NoObject);
        }

        deserializer.deserialize_any(BodyVisitor)
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for ContextMember<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContextVisitor;

        impl<'de> Visitor<'de> for ContextVisitor {
            type Value = ContextMember<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of attributes")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ContextMember::Nothing)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut request = Vec::with_capacity(ATTRIBUTES);
                while let Some((Name(name), member)) = members.next_entry()? {
                    request.push((name, member));
                }
                Ok(ContextMember::Members(ContextBody(request)))
            }

            otherwise!(ContextMember::Other);
        }

        deserializer.deserialize_any(ContextVisitor)
    }
}

/// A name, borrowed if it holds no escapes.
struct Name<'b>(Cow<'b, str>);

impl<'de: 'b, 'b> Deserialize<'de> for Name<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }

        deserializer.deserialize_str(NameVisitor).map(Name)
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for ContextValue<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = ContextValue<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ContextValue::Null)
            }

            fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
                Ok(ContextValue::Boolean(boolean))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(ContextValue::Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits a number is as near as a float can be")]
                Ok(i64::try_from(number).map_or(ContextValue::Number(number as f64), ContextValue::Integer))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(ContextValue::Number(number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(ContextValue::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ContextValue::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                let items = Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(items))?;
                Ok(ContextValue::Json(Value::Array(items)))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                let members = Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(members))?;
                Ok(ContextValue::Json(Value::Object(members)))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

#[cfg(test)]
mod tests {
    use ripcord_proto::role::Role;
    use serde_json::{Map, json};

    use super::*;

    fn read(body: &str) -> Result<ContextBody<'_>, OfrepError> {
        ContextBody::read(&HeaderMap::new(), body.as_bytes(), ContextLimits::of(Role::Sdk))
    }

    #[test]
    fn attributes_are_what_they_are_as_json() {
        let body = r#"{"other": [1, {"x": []}], "context": {"targetingKey": "u\u00e9", "a": "plain", "b": null, "c": true, "d": -3, "e": 1.5,
            "f": 18446744073709551615, "g": [1, {"h": null}], "i": {"j": "k"}, "a": "again"}}"#;
        let request = read(body).unwrap();
        let whole: Value = serde_json::from_str(body).unwrap();
        let members: Map<String, Value> = whole["context"].as_object().unwrap().clone();
        let (ours, theirs) = (request.context(), Context::from_json(&members));
        assert_eq!(ours.targeting_key(), Some("ué"));
        let last = |context: &Context<'_>| {
            let attributes = context.attributes().map(|(name, value)| (name.to_owned(), json!(value)));
            attributes.collect::<Map<String, Value>>()
        };
        assert_eq!(last(&ours), last(&theirs));
        assert!(
            matches!(&request.0[1].1, ContextValue::Text(Cow::Borrowed("plain"))),
            "nothing is copied that need not be"
        );
    }

    #[test]
    fn an_absent_context_is_an_empty_one() {
        for body in ["", " \n", "{}", r#"{"context": null}"#, r#"{"context": {}}"#, r#"{"else": 1}"#] {
            assert_eq!(read(body).unwrap(), ContextBody::default(), "{body}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        let code = |body: &str| match read(body).unwrap_err() {
            OfrepError::Request { code, .. } => code,
            other @ (OfrepError::TooLarge(_) | OfrepError::Refused(_)) => panic!("{other:?}"),
        };
        for body in ["[]", "[1, [2]]", "7", "null", "\"x\"", "{", "{\"context\": {\"a\": }}", "{} {}"] {
            assert_eq!(code(body), "PARSE_ERROR", "{body}");
        }
        for body in [r#"{"context": 7}"#, r#"{"context": [{}]}"#, r#"{"context": "u"}"#] {
            assert_eq!(code(body), "INVALID_CONTEXT", "{body}");
        }
        let deep = format!("{{\"context\": {}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
        assert_eq!(code(&deep), "PARSE_ERROR");
    }
}
