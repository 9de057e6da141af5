//! Who may stream: asked once for each connection or request.

use actix_web::http::header::HeaderMap;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Action;
use ripcord_proto::{EnvironmentKey, ValidationErrors};

use crate::access::{Access, EnvironmentAccess, Principal};
use crate::http::ApiError;

/// Tells whose key a request carries.
pub trait Authorise: Send + Sync + 'static {
    /// The principal whose key these headers carry. Once a key is no longer accepted here, it is to be passed to
    /// [`Streams::revoke`](super::Streams::revoke); in this order, so that no stream slips through in between.
    fn authorise(&self, headers: &HeaderMap) -> Result<Principal, ApiError>;
}

impl Authorise for Access {
    fn authorise(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        Ok(self.authenticate(headers)?)
    }
}

/// The environment to stream: the one that was asked for, else the key's only one.
///
/// # Errors
/// The role may not stream, the environment is not the key's, or it was not named where that is needed.
pub(super) fn environment_of(principal: &Principal, asked: Option<&str>) -> Result<EnvironmentKey, ApiError> {
    principal.check_any(&[Action::Stream])?;
    if let Some(asked) = asked {
        let asked = EnvironmentKey::new(asked).map_err(|faults: ValidationErrors| ApiError::bad_parameter("environment", faults))?;
        principal.check_environment(&asked)?;
        return Ok(asked);
    }
    match &principal.environments {
        EnvironmentAccess::Only(own) => match &**own {
            [only] => Ok(only.clone()),
            several => Err(unnamed(several.iter().map(EnvironmentKey::as_str).collect())),
        },
        EnvironmentAccess::All => Err(unnamed(Vec::new())),
    }
}

fn unnamed(environments: Vec<&str>) -> ApiError {
    let detail = "This key is valid in more than one environment; name one, for example ?environment=production.";
    let problem = Problem::new(Code::BadRequest, detail);
    if environments.is_empty() {
        problem.into()
    } else {
        problem.with("environments", environments).into()
    }
}
