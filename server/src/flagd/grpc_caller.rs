//! Who calls, and what of: by the call's metadata.

use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::role::Role;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::FlagdState;
use super::environments::WatchedEnvironment;
use crate::access::keys;
use crate::http::ApiError;
use crate::remote::Selection;

/// A caller who may call.
pub(super) struct GrpcCaller {
    /// The requested environment.
    pub(super) environment: EnvironmentKey,
    /// What it serves.
    pub(super) state: Arc<WatchedEnvironment>,
    /// What he sees of it.
    pub(super) selection: Selection,
}

impl FlagdState {
    /// The caller; `selector` is what his message says, and counts where the metadata say nothing.
    pub(super) fn caller(&self, metadata: &MetadataMap, selector: &str) -> Result<GrpcCaller, Status> {
        let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
        let selector = text("flagd-selector").filter(|selector| !selector.is_empty()).unwrap_or(selector);
        let selection = Selection::parse(selector).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let sent = match text("authorization") {
            Some(value) => Some(keys::strip_bearer(value).unwrap_or(value)),
            None => text("x-api-key"),
        };
        let presented = sent.or_else(|| self.key.as_ref().map(crate::secret::Secret::expose));
        let presented = presented.ok_or_else(|| {
            Status::unauthenticated("send a key as metadata: authorization = Bearer rc_sdk_…, or x-api-key; `ripcord keys create` makes one, and a server started with --grpc-key needs none")
        })?;
        let permit = self
            .access
            .evaluator(presented, selection.environment.as_deref())
            .map_err(|refusal| status(&refusal))?;
        if permit.role() == Role::Client {
            return Err(Status::permission_denied("a public key evaluates by OFREP alone; use one of role sdk"));
        }
        let state = self.states.get(permit.environment());
        Ok(GrpcCaller {
            environment: permit.environment().clone(),
            state: state.ok_or_else(|| Status::unavailable("the environment is being loaded"))?,
            selection,
        })
    }
}

fn status(refusal: &ApiError) -> Status {
    let problem = refusal.problem();
    let code = match problem.status {
        401 => tonic::Code::Unauthenticated,
        403 => tonic::Code::PermissionDenied,
        503 => tonic::Code::Unavailable,
        ..500 => tonic::Code::InvalidArgument,
        500.. => tonic::Code::Internal,
    };
    Status::new(code, problem.detail.clone())
}
