//! Authenticates a call by its metadata and selects what it sees.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::role::Role;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::environments::WatchedEnvironment;
use super::state::FlagdState;
use crate::access::{AccessError, keys};
use crate::remote::Selection;

/// The answer to a call without a key.
const NO_KEY: &str = "no key; send metadata authorization: Bearer rc_sdk_… or x-api-key, or start the server with --grpc-key. \
    An admin creates keys with `ripcord keys create`";

/// A permitted caller.
pub(super) struct GrpcCaller {
    /// The requested environment.
    pub(super) environment: EnvironmentKey,
    /// What that environment serves.
    pub(super) state: Arc<WatchedEnvironment>,
    /// The flags that the caller sees.
    pub(super) selection: Selection,
}

impl FlagdState {
    /// The caller. `selector` is the message's own, used if the metadata has none.
    pub(super) fn caller(&self, metadata: &MetadataMap, selector: &str) -> Result<GrpcCaller, Status> {
        let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
        let selector = text("flagd-selector").filter(|selector| !selector.is_empty()).unwrap_or(selector);
        let selection = Selection::parse(selector).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let sent = match text("authorization") {
            Some(value) => Some(keys::strip_bearer(value).unwrap_or(value)),
            None => text("x-api-key"),
        };
        let presented = sent.or_else(|| self.key.as_ref().map(crate::secret::Secret::expose));
        let presented = presented.ok_or_else(|| Status::unauthenticated(NO_KEY))?;
        let permit = self
            .access
            .evaluator(Some(presented), selection.environment.as_deref())
            .map_err(|error| status(&error))?;
        if permit.role() == Role::Client {
            return Err(Status::permission_denied(
                "a public key (role client) can only use OFREP; use a key of role sdk",
            ));
        }
        let state = self.environments.get(permit.environment());
        Ok(GrpcCaller {
            environment: permit.environment().clone(),
            state: state.ok_or_else(|| Status::unavailable("the environment is still loading"))?,
            selection,
        })
    }
}

fn status(error: &AccessError) -> Status {
    let problem = error.problem();
    let code = match problem.status {
        401 => tonic::Code::Unauthenticated,
        403 => tonic::Code::PermissionDenied,
        503 => tonic::Code::Unavailable,
        ..500 => tonic::Code::InvalidArgument,
        500.. => tonic::Code::Internal,
    };
    Status::new(code, problem.detail.clone())
}
