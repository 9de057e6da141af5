//! Messages in both formats that callers may choose: protobuf and its JSON.

use bytes::Bytes;
use connectrpc::{CodecFormat, ConnectError, ErrorCode};
use ripcord_proto::grpc::evaluation_v1::any_flag::Value as AnyValue;
use ripcord_proto::grpc::evaluation_v1::{AnyFlag, ResolveAllRequest, ResolveAllResponse};
use ripcord_proto::grpc::evaluation_v2::{
    EventStreamRequest, EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatResponse, ResolveIntResponse, ResolveObjectResponse,
    ResolveStringResponse,
};
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsResponse, GetMetadataRequest, GetMetadataResponse, SyncFlagsRequest, SyncFlagsResponse};
use serde_json::{Map, Value, json};

use super::context;
use super::error::flagd_error;
use crate::http::surrogates;

/// A message that callers send.
pub(super) trait RequestMessage: prost::Message + Default {
    /// Reads it from its JSON, in which unknown members are ignored.
    fn from_json(members: &Map<String, Value>) -> Self;
}

/// A message that callers get.
pub(super) trait ResponseMessage: prost::Message {
    /// As JSON, with the zero values that protobuf leaves out.
    fn to_json(&self) -> Value;
}

/// Reads a request.
pub(super) fn decode<M: RequestMessage>(bytes: &[u8], format: CodecFormat) -> Result<M, ConnectError> {
    let unreadable = |why: String| flagd_error(ErrorCode::InvalidArgument, format!("the request cannot be read: {why}"));
    if format == CodecFormat::Proto {
        return M::decode(bytes).map_err(|error| unreadable(error.to_string()));
    }
    if bytes.is_empty() {
        return Ok(M::default());
    }
    // As OFREP reads it: a text that a browser cut in the middle of an emoji fails no evaluation.
    let bytes = surrogates::replaced(Bytes::copy_from_slice(bytes));
    let members = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok(M::from_json(&members))
}

/// Writes a response.
pub(super) fn encode<M: ResponseMessage>(message: &M, format: CodecFormat) -> Bytes {
    if format == CodecFormat::Proto {
        message.encode_to_vec().into()
    } else {
        message.to_json().to_string().into()
    }
}

/// A member's text, by its JSON name or its field's name.
fn text(members: &Map<String, Value>, names: [&str; 2]) -> String {
    let found = names.into_iter().find_map(|name| members.get(name));
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn object(members: &Map<String, Value>, name: &str) -> Option<prost_types::Struct> {
    members.get(name).and_then(Value::as_object).map(context::write_object)
}

fn object_json(message: Option<&prost_types::Struct>) -> Value {
    message.map_or(json!({}), |message| Value::Object(context::read(message)))
}

/// All five kinds of resolve requests have this one's fields.
impl RequestMessage for ResolveBooleanRequest {
    fn from_json(members: &Map<String, Value>) -> Self {
        Self {
            flag_key: text(members, ["flagKey", "flag_key"]),
            context: object(members, "context"),
        }
    }
}

impl RequestMessage for ResolveAllRequest {
    fn from_json(members: &Map<String, Value>) -> Self {
        Self {
            context: object(members, "context"),
        }
    }
}

impl RequestMessage for EventStreamRequest {
    fn from_json(_: &Map<String, Value>) -> Self {
        Self {}
    }
}

impl RequestMessage for GetMetadataRequest {
    fn from_json(_: &Map<String, Value>) -> Self {
        Self {}
    }
}

/// A request for all flags has this one's fields.
impl RequestMessage for SyncFlagsRequest {
    fn from_json(members: &Map<String, Value>) -> Self {
        Self {
            provider_id: text(members, ["providerId", "provider_id"]),
            selector: text(members, ["selector", "selector"]),
        }
    }
}

/// A value of one type, as protobuf's JSON writes it.
trait ValueJson {
    fn value_json(&self) -> Value;
}

impl ValueJson for bool {
    fn value_json(&self) -> Value {
        json!(self)
    }
}

impl ValueJson for String {
    fn value_json(&self) -> Value {
        json!(self)
    }
}

impl ValueJson for f64 {
    fn value_json(&self) -> Value {
        json!(self)
    }
}

impl ValueJson for i64 {
    /// A text, since JavaScript would round it.
    fn value_json(&self) -> Value {
        json!(self.to_string())
    }
}

impl ValueJson for prost_types::Struct {
    fn value_json(&self) -> Value {
        object_json(Some(self))
    }
}

macro_rules! resolve_responses {
    ($($message:ident),*) => {
        $(impl ResponseMessage for $message {
            fn to_json(&self) -> Value {
                let mut members = Map::new();
                members.extend(self.value.as_ref().map(|value| ("value".to_owned(), value.value_json())));
                members.insert("reason".to_owned(), self.reason.as_str().into());
                members.extend(self.variant.as_ref().map(|variant| ("variant".to_owned(), variant.as_str().into())));
                members.insert("metadata".to_owned(), object_json(self.metadata.as_ref()));
                Value::Object(members)
            }
        })*
    };
}

resolve_responses!(
    ResolveBooleanResponse,
    ResolveStringResponse,
    ResolveFloatResponse,
    ResolveIntResponse,
    ResolveObjectResponse
);

impl ResponseMessage for ResolveAllResponse {
    fn to_json(&self) -> Value {
        let flags: Map<String, Value> = self.flags.iter().map(|(key, flag)| (key.clone(), any_flag(flag))).collect();
        json!({"flags": flags, "metadata": object_json(self.metadata.as_ref())})
    }
}

fn any_flag(flag: &AnyFlag) -> Value {
    let mut members = json!({"reason": flag.reason, "variant": flag.variant, "metadata": object_json(flag.metadata.as_ref())});
    let (name, value) = match &flag.value {
        None => return members,
        Some(AnyValue::BoolValue(value)) => ("boolValue", json!(value)),
        Some(AnyValue::StringValue(value)) => ("stringValue", json!(value)),
        Some(AnyValue::DoubleValue(value)) => ("doubleValue", json!(value)),
        Some(AnyValue::ObjectValue(value)) => ("objectValue", object_json(Some(value))),
    };
    if let Some(members) = members.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    members
}

impl ResponseMessage for EventStreamResponse {
    fn to_json(&self) -> Value {
        match &self.data {
            Some(data) => json!({"type": self.r#type, "data": object_json(Some(data))}),
            None => json!({"type": self.r#type}),
        }
    }
}

impl ResponseMessage for SyncFlagsResponse {
    fn to_json(&self) -> Value {
        json!({"flagConfiguration": self.flag_configuration, "syncContext": object_json(self.sync_context.as_ref())})
    }
}

impl ResponseMessage for FetchAllFlagsResponse {
    fn to_json(&self) -> Value {
        json!({"flagConfiguration": self.flag_configuration})
    }
}

impl ResponseMessage for GetMetadataResponse {
    fn to_json(&self) -> Value {
        json!({"metadata": object_json(self.metadata.as_ref())})
    }
}
