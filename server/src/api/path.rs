//! Keys and ids in paths.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use ripcord_proto::ValidationErrors;

use crate::http::ApiError;

/// The environment in the path, for the OpenAPI document; [`Permit`](crate::access::Permit) reads it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it only describes the parameter")]
pub(super) struct EnvironmentPath {
    /// The environment.
    #[param(example = "production")]
    env: String,
}

/// The `{key}` of the path, checked. A `/` within a key is sent as `%2F`.
#[derive(Debug)]
pub(super) struct PathKey<K>(pub(super) K);

#[derive(serde::Deserialize)]
struct InPath {
    key: String,
}

impl<K: FromStr<Err = ValidationErrors>> FromRequest for PathKey<K> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().load::<InPath>().map(|path| path.key).unwrap_or_default();
        let read = text
            .parse()
            .map(Self)
            .map_err(|faults: ValidationErrors| ApiError::invalid(faults.under("key")));
        ready(read)
    }
}
