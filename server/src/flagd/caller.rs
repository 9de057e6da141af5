//! Authenticates a call by its metadata and selects what it sees.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectrpc::{ConnectError, ErrorCode, RequestContext};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::role::{Action, Role};
use ripcord_proto::visible::is_hidden;
use tokio::sync::watch;
use tonic::codegen::http::HeaderMap;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::environments::WatchedEnvironment;
use super::error::{flagd_error, refusal};
use super::state::FlagdState;
use crate::access::{Access, keys};
use crate::fleet::{NewMember, Transport};
use crate::remote::Selection;
use crate::secret::Secret;
use crate::system::SystemState;

/// The answer to a call without a key.
const NO_KEY: &str = "no key; send metadata authorization: Bearer rc_sdk_… or x-api-key, or start the server with --grpc-key. \
    An admin creates keys with `ripcord keys create`";

/// Longest name of a client, in characters.
const NAME: usize = 80;

/// A permitted caller.
pub(super) struct FlagdCaller {
    /// The id of its key.
    pub(super) key: Arc<str>,
    /// The requested environment.
    pub(super) environment: EnvironmentKey,
    /// What that environment serves.
    pub(super) state: Arc<WatchedEnvironment>,
    /// The flags that the caller sees.
    pub(super) selection: Selection,
}

impl FlagdState {
    /// The caller. `selector` is the message's own, used if the metadata has none.
    pub(super) fn caller(&self, headers: &HeaderMap, selector: &str) -> Result<FlagdCaller, ConnectError> {
        let selector = header(headers, "flagd-selector").filter(|selector| !selector.is_empty()).unwrap_or(selector);
        let selection = Selection::parse(selector).map_err(|error| flagd_error(ErrorCode::InvalidArgument, error.to_string()))?;
        let presented = self.presented(headers)?;
        let permit = self
            .access
            .evaluator(Some(&presented), selection.environment.as_deref())
            .map_err(|error| refusal(&error))?;
        self.access.limits().check(permit.caller(), Action::Evaluate).map_err(|error| refusal(&error))?;
        if permit.role() == Role::Client {
            return Err(public_key());
        }
        let state = self.environments.get(permit.environment());
        Ok(FlagdCaller {
            key: Arc::clone(permit.caller()),
            environment: permit.environment().clone(),
            state: state.ok_or_else(|| flagd_error(ErrorCode::Unavailable, "the environment is still loading"))?,
            selection,
        })
    }

    /// Whether the caller may evaluate anything at all, in whatever environment.
    pub(super) fn authenticated(&self, headers: &HeaderMap) -> Result<(), ConnectError> {
        let principal = self.access.authenticate(Some(&self.presented(headers)?)).map_err(|error| refusal(&error))?;
        if principal.role == Role::Client { Err(public_key()) } else { Ok(()) }
    }

    /// The key that a call sends, or that of the listener.
    pub(super) fn presented<'k>(&'k self, headers: &'k HeaderMap) -> Result<Cow<'k, str>, ConnectError> {
        let presented = sent(headers).or_else(|| self.key.as_ref().map(|key| key.expose().into()));
        presented.ok_or_else(|| flagd_error(ErrorCode::Unauthenticated, NO_KEY))
    }

    /// Counts a wrong key against the address that it came from: of those, only so many are answered at a time. One that is missing is
    /// no guess.
    pub(super) fn counted(&self, error: ConnectError, call: &RequestContext) -> ConnectError {
        if error.code != ErrorCode::Unauthenticated || sent(call.headers()).is_none() {
            return error;
        }
        match self.access.limits().wrong_key(address(call)) {
            Ok(()) => error,
            Err(limited) => refusal(&limited),
        }
    }

    /// The key of a stream, which ends when it is revoked.
    pub(super) fn watch_key(&self, headers: &HeaderMap, caller: &FlagdCaller) -> Result<KeyWatch, ConnectError> {
        Ok(KeyWatch {
            access: self.access.clone(),
            presented: Secret::new(self.presented(headers)?),
            environment: caller.environment.clone(),
            system: self.system.clone(),
        })
    }
}

impl FlagdCaller {
    /// The caller as a reader of a stream, which cannot acknowledge.
    pub(super) fn member(&self, headers: &HeaderMap, provider_id: &str, transport: Transport) -> NewMember {
        let agent = header(headers, "user-agent").unwrap_or("flagd");
        let shown = |text: &str| text.chars().filter(|c| !is_hidden(*c)).take(NAME).collect::<String>();
        let provider = shown(provider_id);
        NewMember {
            name: if provider.is_empty() { shown(agent) } else { provider },
            id: format!("{}-{:016x}", transport.as_str(), rand::random::<u64>()),
            key: self.key.to_string(),
            sdk: shown(agent),
            position: None,
            acknowledges: false,
            transport,
        }
    }
}

/// The key that a call sends.
fn sent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    match header(headers, "authorization") {
        Some(value) => Some(basic_password(value).map_or_else(|| keys::strip_bearer(value).unwrap_or(value).into(), Cow::Owned)),
        None => header(headers, "x-api-key").map(Cow::Borrowed),
    }
}

/// Where a call comes from.
fn address(call: &RequestContext) -> Option<IpAddr> {
    let connection = call.extensions();
    let plain = connection.get::<TcpConnectInfo>();
    let secured = || connection.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref);
    Some(plain.or_else(secured)?.remote_addr()?.ip())
}

fn public_key() -> ConnectError {
    flagd_error(
        ErrorCode::PermissionDenied,
        "a public key (role client) can only use OFREP; use a key of role sdk",
    )
}

/// A header's text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The password of basic credentials: all that a client can send that takes a host and no headers (`x:KEY@host`).
fn basic_password(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// The key of a stream, and whether it is still valid.
pub(super) struct KeyWatch {
    access: Access,
    presented: Secret,
    environment: EnvironmentKey,
    system: watch::Receiver<Arc<SystemState>>,
}

impl KeyWatch {
    /// Waits until the key is refused, and says why.
    pub(super) async fn refused(&mut self) -> ConnectError {
        loop {
            if self.system.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let permit = self.access.evaluator(Some(self.presented.expose()), Some(self.environment.as_str()));
            if let Err(error) = permit {
                return refusal(&error);
            }
        }
    }
}
