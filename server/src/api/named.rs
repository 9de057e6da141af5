//! Keys and ids in paths.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use ripcord_proto::ValidationErrors;

use crate::http::Refusal;

/// What the path names as `{key}`, checked. A `/` within a key is sent as `%2F`.
#[derive(Debug)]
pub(super) struct Named<K>(pub(super) K);

#[derive(serde::Deserialize)]
struct InPath {
    key: String,
}

impl<K: FromStr<Err = ValidationErrors>> FromRequest for Named<K> {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().load::<InPath>().map(|path| path.key).unwrap_or_default();
        let read = text.parse().map(Self).map_err(|faults: ValidationErrors| Refusal::invalid(faults.under("key")));
        ready(read)
    }
}
