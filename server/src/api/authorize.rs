//! Permits as extractors. They come first among a handler's arguments, so that no body is read for a caller who may not send it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use ripcord_proto::actor::Origin;
use ripcord_proto::problem::Code;
use ripcord_proto::role::Action;
use ripcord_proto::visible::check_name;
use ripcord_proto::{EnvironmentKey, ValidationErrors, limits};

use crate::access::evaluator::unknown_environment;
use crate::access::permit::Allows;
use crate::access::{Access, AccessError, GlobalPermit, Permit, Principal};
use crate::commit::Author;
use crate::http::request_id::RequestId;
use crate::http::{ApiError, credentials};

/// An authenticated caller.
#[derive(Debug)]
pub struct Caller {
    /// Whose key it is.
    pub principal: Principal,
    /// Recorded in the log with each commit.
    pub author: Author,
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let retry_after = error.retry_after;
        let error = Self::from(error.into_problem());
        match retry_after {
            Some(seconds) => error.retry_after(seconds),
            None => error,
        }
    }
}

fn access(request: &HttpRequest) -> Result<&Access, ApiError> {
    let found = request.app_data::<web::Data<Access>>().map(web::Data::get_ref);
    found.ok_or_else(|| ApiError::new(Code::Internal, "This route was set up without access control."))
}

fn caller(request: &HttpRequest) -> Result<Caller, ApiError> {
    let access = access(request)?;
    let address = request.peer_addr().map(|address| address.ip());
    let principal = access.authenticate_from(credentials::presented(request.headers()), address)?;
    let actor = principal.actor(said_name(request)?);
    tracing::Span::current().record("actor", actor.name.as_str());
    let origin = Origin {
        node: access.node().to_owned(),
        address: request.peer_addr().map(|address| address.ip().to_string()),
        request: request.extensions().get::<RequestId>().map(ToString::to_string),
    };
    Ok(Caller {
        principal,
        author: Author { actor, origin },
    })
}

/// The name that the caller gives in `X-Ripcord-Actor`.
fn said_name(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers().get("x-ripcord-actor") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim();
    if let Err(problem) = check_name(text, limits::KEY_CHARACTERS) {
        return Err(ApiError::bad_parameter("X-Ripcord-Actor", ValidationErrors::one("", problem)));
    }
    Ok(Some(text))
}

/// The principal of a request that reads over all of its environments.
pub(super) fn reader(request: &HttpRequest) -> Result<Principal, ApiError> {
    let Caller { principal, .. } = caller(request)?;
    principal.check_any(&[Action::Read]).map_err(AccessError::from)?;
    access(request)?.limits().check(&principal.id, Action::Read)?;
    Ok(principal)
}

fn permit<A: Allows>(request: &HttpRequest) -> Result<Permit<A>, ApiError> {
    let Caller { principal, author } = caller(request)?;
    let environment = environment(request, &principal)?;
    tracing::Span::current().record("env", environment.as_str());
    let permit = access(request)?.permit(&principal, author, &environment)?;
    access(request)?.limits().check(&principal.id, A::COUNTS_AS)?;
    Ok(permit)
}

/// The environment named by the path or by `?environment=`, else the only one of the key.
fn environment(request: &HttpRequest, principal: &Principal) -> Result<EnvironmentKey, ApiError> {
    let in_path = request.match_info().get("env").map(ToOwned::to_owned);
    let requested = in_path.or_else(|| {
        web::Query::<EnvironmentParam>::from_query(request.query_string())
            .ok()?
            .into_inner()
            .environment
    });
    match requested {
        Some(name) => EnvironmentKey::new(&name).map_err(|faults| unknown_environment(&faults).into()),
        None => Ok(principal.only_environment()?.clone()),
    }
}

#[derive(serde::Deserialize)]
struct EnvironmentParam {
    environment: Option<String>,
}

fn global_permit<A: Allows>(request: &HttpRequest) -> Result<GlobalPermit<A>, ApiError> {
    let Caller { principal, author } = caller(request)?;
    let permit = Access::permit_globally(&principal, author)?;
    access(request)?.limits().check(&principal.id, A::COUNTS_AS)?;
    Ok(permit)
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    /// Handlers that take a caller read over several environments; this counts as a read.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let counted = |caller: Caller| {
            access(request)?.limits().check(&caller.principal.id, Action::Read)?;
            Ok(caller)
        };
        ready(caller(request).and_then(counted))
    }
}

impl<A: Allows> FromRequest for Permit<A> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(permit(request))
    }
}

impl<A: Allows> FromRequest for GlobalPermit<A> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(global_permit(request))
    }
}
