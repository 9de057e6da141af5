//! What many operations share in the API's description: their headers, and the answers besides success.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response};
use utoipa::{IntoParams, IntoResponses};

use super::error::MEDIA_TYPE;

/// The headers of every write.
pub struct WriteHeaders;

/// The header of a write that has no ETag.
pub struct IdempotencyHeader;

/// The answers to a request that fails.
pub struct Problems;

/// The answer to a write that waits for a second person.
pub struct MaybeProposed;

fn header(name: &str, description: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some(example.into()))
        .build()
}

fn idempotency_key() -> Parameter {
    header(
        "Idempotency-Key",
        "Unique for each write, for example a UUID. A repeat with the same key gets the first answer and changes nothing.",
        "3f1c9a52-0f5e-4c7e-9b1d-2f6f8a7f1c11",
    )
}

impl IntoParams for WriteHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            idempotency_key(),
            header(
                "If-Match",
                "The ETag of what is changed; refused if it has changed since. * = it must exist.",
                "\"1:42\"",
            ),
            header("If-None-Match", "Only *: it must not exist yet.", "*"),
        ]
    }
}

impl IntoParams for IdempotencyHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![idempotency_key()]
    }
}

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = |description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            RefOr::T(ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build())
        };
        BTreeMap::from([
            ("4XX".to_owned(), problem("Refused; `code` says why")),
            ("5XX".to_owned(), problem("The server cannot do it now; `code` says why")),
        ])
    }
}

impl IntoResponses for MaybeProposed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let proposed = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProposalAnswer"))).build();
        let location = HeaderBuilder::new()
            .description(Some("The path of the proposal"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        let response = ResponseBuilder::new()
            .description("The policy requires a second person: nothing has changed, and the proposal waits for approval")
            .header("Location", location)
            .content("application/json", proposed)
            .build();
        BTreeMap::from([("202".to_owned(), RefOr::T(response))])
    }
}
