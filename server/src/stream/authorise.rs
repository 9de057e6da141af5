//! Authorisation of streams, once per connection or request.

use std::net::IpAddr;

use actix_web::http::header::HeaderMap;
use ripcord_proto::role::Action;
use ripcord_proto::{EnvironmentKey, ValidationErrors};

use crate::access::{Access, Principal};
use crate::http::{ApiError, credentials};

/// Authenticates the key of a request.
pub trait Authorise: Send + Sync + 'static {
    /// The principal whose key these headers of a request from `address` carry. When a key is revoked, first refuse it here and then pass it to
    /// [`Streams::revoke`](super::Streams::revoke), so that no stream opens in between.
    fn authorise(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Principal, ApiError>;
}

impl Authorise for Access {
    fn authorise(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Principal, ApiError> {
        Ok(self.authenticate_from(credentials::presented(headers), address)?)
    }
}

/// The environment to use: the requested one, else the only one of the key.
///
/// # Errors
/// The role may not do this, the key is not valid in the environment, or the key has several and none was named.
pub(super) fn environment_of(principal: &Principal, requested: Option<&str>, action: Action) -> Result<EnvironmentKey, ApiError> {
    principal.check_any(&[action])?;
    if let Some(name) = requested {
        let environment = EnvironmentKey::new(name).map_err(|faults: ValidationErrors| ApiError::bad_parameter("environment", faults))?;
        principal.check_environment(&environment)?;
        return Ok(environment);
    }
    Ok(principal.only_environment()?.clone())
}

/// Whether streams of this key are counted in confirmations: those of applications. A person who watches is not waited
/// for, and cannot confirm what an application evaluates.
pub(super) fn is_counted(principal: &Principal) -> bool {
    principal.role.may(Action::Report)
}
