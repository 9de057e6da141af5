//! The cases through both versions of gRPC evaluation.

use std::path::Path;

use anyhow::Result;
use libtest_mimic::Trial;
use prost_types::value::Kind as Wire;
use prost_types::{ListValue, Struct};
use ripcord_proto::grpc::evaluation_v1::service_client::ServiceClient as V1;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient as V2;
use ripcord_proto::grpc::{evaluation_v1 as v1, evaluation_v2 as v2};
use ripcord_proto::settings::Bucketing;
use serde_json::{Map, Number, Value};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::conformance::{self, Answer, Case, Kind, Wanted};
use crate::node::Node;

pub fn trials() -> Vec<Trial> {
    conformance::trials("grpc", |_| true, |folder, bucketing| async move { run(&folder, bucketing).await })
}

async fn run(folder: &Path, bucketing: Bucketing) -> Result<()> {
    let cases = conformance::cases(folder, bucketing)?;
    let (ran, mut faults) = (2 * cases.len(), Vec::new());
    for (file, cases) in conformance::by_file(cases) {
        let node = Node::with_flags(&folder.join(&file), bucketing).await?;
        let key = node.api.role("sdk").await?.key().to_owned();
        let channel = Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?;
        for case in cases {
            let answer = through_v2(&mut V2::new(channel.clone()), &case, &key).await;
            faults.extend(case.fault(&answer).map(|fault| format!("v2: {fault}")));
            let answer = through_v1(&mut V1::new(channel.clone()), &case, &key).await;
            faults.extend(old_fault(&case, &answer).map(|fault| format!("v1: {fault}")));
        }
    }
    conformance::verdict("gRPC v1 and v2", folder, bucketing, ran, &faults)
}

/// The older version has two answers of its own: the zero value of a flag that is switched off, and `NOT_FOUND` for the code default.
fn old_fault(case: &Case, answer: &Answer) -> Option<String> {
    let by_default = case.expect.variant == Wanted::Nothing && case.expect.error_code.is_none();
    if by_default && case.expect.reason.as_deref() == Some("DISABLED") {
        let fine = answer.reason.as_deref() == Some("DISABLED") && answer.variant.is_none();
        return (!fine).then(|| format!("{}: {answer:?}", case.id));
    }
    if by_default {
        return (answer.error_code.as_deref() != Some("FLAG_NOT_FOUND")).then(|| format!("{}: {answer:?}", case.id));
    }
    case.fault(answer)
}

/// A request with what a caller sends beside it.
pub fn request<T>(message: T, key: Option<&str>, selector: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(Ok(value)) = key.map(|key| format!("Bearer {key}").parse()) {
        request.metadata_mut().insert("authorization", value);
    }
    if let Some(Ok(value)) = selector.map(str::parse) {
        request.metadata_mut().insert("flagd-selector", value);
    }
    request
}

fn failed(status: &Status) -> Answer {
    let code = match status.code() {
        Code::NotFound => "FLAG_NOT_FOUND",
        Code::InvalidArgument => "TYPE_MISMATCH",
        Code::DataLoss => "PARSE_ERROR",
        _ => "GENERAL",
    };
    Answer {
        reason: Some("ERROR".to_owned()),
        error_code: Some(code.to_owned()),
        ..Answer::default()
    }
}

macro_rules! resolve {
    ($client:ident, $module:ident, $case:ident, $key:ident, $method:ident, $request:ident, $value:expr, $variant:expr) => {{
        let message = $module::$request {
            flag_key: $case.flag.clone(),
            context: Some(to_struct(&$case.context)),
        };
        match $client.$method(request(message, Some($key), $case.selector.as_deref())).await {
            Err(status) => failed(&status),
            Ok(got) => {
                let got = got.into_inner();
                Answer {
                    value: $value(got.value),
                    variant: $variant(got.variant),
                    reason: Some(got.reason),
                    error_code: None,
                    metadata: got.metadata.as_ref().map(to_map),
                }
            }
        }
    }};
}

async fn through_v2(client: &mut V2<Channel>, case: &Case, key: &str) -> Answer {
    fn json<T: Into<Value>>(value: Option<T>) -> Option<Value> {
        value.map(Into::into)
    }
    let same = |variant: Option<String>| variant;
    match case.kind {
        Kind::Boolean => resolve!(client, v2, case, key, resolve_boolean, ResolveBooleanRequest, json, same),
        Kind::String => resolve!(client, v2, case, key, resolve_string, ResolveStringRequest, json, same),
        Kind::Integer => resolve!(client, v2, case, key, resolve_int, ResolveIntRequest, json, same),
        Kind::Float => resolve!(client, v2, case, key, resolve_float, ResolveFloatRequest, json, same),
        Kind::Object => {
            let object = |value: Option<Struct>| value.as_ref().map(|value| Value::Object(to_map(value)));
            resolve!(client, v2, case, key, resolve_object, ResolveObjectRequest, object, same)
        }
    }
}

async fn through_v1(client: &mut V1<Channel>, case: &Case, key: &str) -> Answer {
    let named = |variant: String| Some(variant).filter(|variant| !variant.is_empty());
    match case.kind {
        Kind::Boolean => resolve!(
            client,
            v1,
            case,
            key,
            resolve_boolean,
            ResolveBooleanRequest,
            |value| Some(Value::from(value)),
            named
        ),
        Kind::String => resolve!(
            client,
            v1,
            case,
            key,
            resolve_string,
            ResolveStringRequest,
            |value| Some(Value::from(value)),
            named
        ),
        Kind::Integer => resolve!(client, v1, case, key, resolve_int, ResolveIntRequest, |value| Some(Value::from(value)), named),
        Kind::Float => resolve!(
            client,
            v1,
            case,
            key,
            resolve_float,
            ResolveFloatRequest,
            |value| Some(Value::from(value)),
            named
        ),
        Kind::Object => {
            let object = |value: Option<Struct>| value.as_ref().map(|value| Value::Object(to_map(value)));
            resolve!(client, v1, case, key, resolve_object, ResolveObjectRequest, object, named)
        }
    }
}

fn to_struct(members: &Map<String, Value>) -> Struct {
    Struct {
        fields: members.iter().map(|(name, value)| (name.clone(), to_wire(value))).collect(),
    }
}

fn to_wire(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Wire::NullValue(0),
        Value::Bool(boolean) => Wire::BoolValue(*boolean),
        Value::Number(number) => Wire::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Wire::StringValue(text.clone()),
        Value::Array(items) => Wire::ListValue(ListValue {
            values: items.iter().map(to_wire).collect(),
        }),
        Value::Object(members) => Wire::StructValue(to_struct(members)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// A message as JSON.
pub fn to_map(message: &Struct) -> Map<String, Value> {
    message.fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

fn to_json(value: &prost_types::Value) -> Value {
    match &value.kind {
        None | Some(Wire::NullValue(_)) => Value::Null,
        Some(Wire::BoolValue(boolean)) => Value::Bool(*boolean),
        Some(Wire::NumberValue(number)) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Some(Wire::StringValue(text)) => Value::String(text.clone()),
        Some(Wire::ListValue(list)) => Value::Array(list.values.iter().map(to_json).collect()),
        Some(Wire::StructValue(members)) => Value::Object(to_map(members)),
    }
}
