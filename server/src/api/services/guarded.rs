//! Parts of the server as extractors, so that a handler's signature shows what it accesses and which permit that requires.
//!
//! `Guarded<Read, EnvironmentReader>` is an environment that the key may read; `Unguarded<Metrics>` needs no key at all. The table at
//! the end of this file is the only place that says which permission opens which part.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use jiff::Timestamp;
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::problem::Code;
use ripcord_proto::record::Records;
use ripcord_proto::{EnvironmentKey, Position, ReleaseName, Sequence, Snapshot, TargetName};

use super::AppState;
use super::confirmations::Confirmations;
use super::rollbacks::{RollbackReader, Rollbacks};
use crate::access::permit::{
    Administer, Allows, AnswerTrigger, ApproveRollout, DecideProposal, Edit, KeepDrill, Kill, ManageRelease, Read, Report, Restore, RollBack, RunRollout,
    SendPing, StopRollout, WithdrawProposal,
};
use crate::access::{GlobalPermit, Permit};
use crate::checkpoint::{self, ResolvedTarget};
use crate::commit::CommitError;
use crate::commit::state::EnvironmentState;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::kill::Kills;
use crate::outcome::Outcomes;
use crate::peer::Peers;
use crate::ping::Pings;
use crate::proposal::Proposals;
use crate::release::{self, ReleaseChanges};
use crate::rollout::Rollouts;
use crate::snapshot::publication::Served;
use crate::store::{LogName, Store};
use crate::system::SystemState;
use crate::telemetry::Metrics;
use crate::trigger::Triggers;

/// A part of the server and the permit that opened it.
#[derive(Debug)]
pub(in crate::api) struct Guarded<A, R> {
    permit: Permit<A>,
    part: R,
}

impl<A, R> Guarded<A, R> {
    /// The permit.
    pub(in crate::api) const fn permit(&self) -> &Permit<A> {
        &self.permit
    }
}

impl<A, R> Deref for Guarded<A, R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.part
    }
}

impl<A: Allows, R: OpenedBy<A> + 'static> FromRequest for Guarded<A, R> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let permit = Permit::<A>::from_request(request, payload).into_inner();
        ready(permit.and_then(|permit| {
            Ok(Self {
                part: R::open(app(request)?, &permit),
                permit,
            })
        }))
    }
}

/// A part of the server that callers reach without a key: either their requests carry their own proof, or the part holds nothing
/// secret.
#[derive(Debug)]
pub(in crate::api) struct Unguarded<R>(pub(in crate::api) R);

impl<R: Open + 'static> FromRequest for Unguarded<R> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(app(request).map(|app| Self(R::open(app))))
    }
}

/// The parts behind the API, for extractors.
pub(in crate::api) fn app(request: &HttpRequest) -> Result<&AppState, ApiError> {
    let found = request.app_data::<web::Data<AppState>>().map(web::Data::get_ref);
    found.ok_or_else(|| ApiError::new(Code::Internal, "This route was set up without the parts that it needs."))
}

/// A part that a permit for `A` opens.
pub(in crate::api) trait OpenedBy<A>: Sized {
    /// The part, for the environment of the permit.
    fn open(app: &AppState, permit: &Permit<A>) -> Self;
}

/// A part that needs no permit.
pub(in crate::api) trait Open: Sized {
    /// The part.
    fn open(app: &AppState) -> Self;
}

impl<A, R: OpenedBy<A>, S: OpenedBy<A>> OpenedBy<A> for (R, S) {
    fn open(app: &AppState, permit: &Permit<A>) -> Self {
        (R::open(app, permit), S::open(app, permit))
    }
}

/// One environment, to read.
#[derive(Debug)]
pub(in crate::api) struct EnvironmentReader {
    app: AppState,
    key: EnvironmentKey,
}

impl EnvironmentReader {
    fn new<A>(app: &AppState, permit: &Permit<A>) -> Self {
        Self {
            app: app.clone(),
            key: permit.environment().clone(),
        }
    }

    /// Its key.
    pub(in crate::api) const fn key(&self) -> &EnvironmentKey {
        &self.key
    }

    /// What it serves.
    pub(in crate::api) fn served(&self) -> Result<Arc<Served>, ApiError> {
        self.app.board(&self.key)
    }

    /// The state of its log, and its records.
    pub(in crate::api) fn state(&self) -> Result<Arc<EnvironmentState>, ApiError> {
        Ok(self.app.parts.environments.state(&self.key)?)
    }

    /// Its records: checkpoints, releases, rollouts and so on.
    pub(in crate::api) fn records(&self) -> Result<Arc<Records>, ApiError> {
        Ok(Arc::clone(&self.state()?.records))
    }

    /// How it is described in the system log.
    pub(in crate::api) fn description(&self) -> Option<EnvironmentRecord> {
        self.app.parts.environments.system().environments.get(&self.key).cloned()
    }

    /// Its log and the end of it.
    pub(in crate::api) fn log(&self) -> Result<(LogName, Sequence), ApiError> {
        Ok((LogName::Environment(self.key.clone()), self.state()?.head.sequence))
    }

    /// The store that holds its log.
    pub(in crate::api) fn store(&self) -> &dyn Store {
        &**self.app.parts.environments.store()
    }

    /// Its state at an earlier position.
    pub(in crate::api) async fn state_at(&self, position: Position) -> Result<Option<Snapshot>, ApiError> {
        let state = self.app.parts.environments.state_at(&self.key, position).await?;
        Ok(state.map(|state| state.snapshot))
    }

    /// The state that the name of a checkpoint, release or revision stands for.
    pub(in crate::api) async fn resolve(&self, name: &TargetName) -> Result<ResolvedTarget, ApiError> {
        Ok(checkpoint::resolve(&self.app.parts.environments, &self.key, name).await?)
    }

    /// The same, as the log gives it.
    pub(in crate::api) async fn prove(&self, name: &TargetName) -> Result<ResolvedTarget, ApiError> {
        Ok(checkpoint::prove(&self.app.parts.environments, &self.key, name).await?)
    }

    /// What a release changed.
    pub(in crate::api) async fn changes_of(&self, release: &ReleaseName) -> Result<ReleaseChanges, ApiError> {
        Ok(release::touched(&self.app.parts.environments, &self.key, release).await?)
    }

    /// Since when the store is away; `None` while it is available.
    pub(in crate::api) fn stale(&self) -> Option<Timestamp> {
        self.app.stale()
    }

    /// The time.
    pub(in crate::api) fn now(&self) -> Timestamp {
        self.app.now()
    }
}

/// Keys and environments, for an administrator of the whole server.
#[derive(Debug)]
pub(in crate::api) struct Administration {
    permit: GlobalPermit<Administer>,
    app: AppState,
}

impl FromRequest for Administration {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let permit = GlobalPermit::<Administer>::from_request(request, payload).into_inner();
        ready(permit.and_then(|permit| {
            Ok(Self {
                app: app(request)?.clone(),
                permit,
            })
        }))
    }
}

impl Administration {
    /// The permit.
    pub(in crate::api) const fn permit(&self) -> &GlobalPermit<Administer> {
        &self.permit
    }

    /// Environments and their commit paths.
    pub(in crate::api) fn environments(&self) -> &Environments {
        self.app.environments()
    }

    /// Environments and keys, as the system log has them.
    pub(in crate::api) fn system(&self) -> Arc<SystemState> {
        self.app.environments().system()
    }

    /// What another environment serves, to be copied.
    pub(in crate::api) fn source(&self, environment: &EnvironmentKey) -> Result<Snapshot, ApiError> {
        let system = self.system();
        if !system.environments.contains_key(environment.as_str()) {
            return Err(CommitError::from(system.no_environment(environment)).into());
        }
        Ok(self.app.board(environment)?.snapshot.clone())
    }

    /// The whole store.
    pub(in crate::api) fn store(&self) -> &dyn Store {
        &**self.app.store()
    }

    /// Since when the store is away; `None` while it is available.
    pub(in crate::api) fn stale(&self) -> Option<Timestamp> {
        self.app.stale()
    }

    /// The time.
    pub(in crate::api) fn now(&self) -> Timestamp {
        self.app.now()
    }
}

/// This node: its name.
#[derive(Debug)]
pub(in crate::api) struct NodeName(pub(in crate::api) String);

/// What nodes exchange with each other, behind the secret that they share.
#[derive(Debug)]
pub(in crate::api) struct PeerExchange {
    /// Knows the secret.
    pub(in crate::api) peers: Peers,
    /// Provisional and committed kills.
    pub(in crate::api) kills: Kills,
    /// Confirmations.
    pub(in crate::api) fleet: Fleet,
}

macro_rules! opened_by {
    ($($part:ty: $($action:ty),+ => |$app:ident, $permit:ident| $open:expr;)*) => {
        $($(impl OpenedBy<$action> for $part {
            fn open($app: &AppState, $permit: &Permit<$action>) -> Self {
                $open
            }
        })+)*
    };
}

// Every permission to write includes reading what is to be written.
opened_by! {
    EnvironmentReader: Read, Report, Edit, Kill, Restore, Administer, KeepDrill, ManageRelease, DecideProposal, AnswerTrigger => |app, permit| Self::new(app, permit);
    NodeName: Read => |app, _permit| Self(app.parts.node.clone());
    Kills: Kill, Restore => |app, _permit| app.parts.kills.clone();
    Fleet: Read => |app, _permit| app.parts.fleet.clone();
    Outcomes: Read, Report => |app, _permit| app.parts.outcomes.clone();
    Pings: SendPing => |app, _permit| app.parts.pings.clone();
    Proposals: Read, DecideProposal, WithdrawProposal => |app, _permit| Self::new(app.parts.environments.clone(), app.parts.checks.clone());
    RollbackReader: Read => |app, permit| reader_of_rollbacks(app, permit.environment());
    Rollbacks: RollBack => |app, permit| Self { reader: reader_of_rollbacks(app, permit.environment()), checks: app.parts.checks.clone() };
    Rollouts: Read, ApproveRollout, RunRollout, StopRollout => |app, _permit| app.parts.rollouts.clone();
    Triggers: Read, AnswerTrigger => |app, _permit| app.parts.triggers.clone();
}

fn reader_of_rollbacks(app: &AppState, environment: &EnvironmentKey) -> RollbackReader {
    RollbackReader {
        app: app.clone(),
        key: environment.clone(),
    }
}

/// The writer learns who has confirmed it.
impl<A> OpenedBy<A> for Confirmations {
    fn open(app: &AppState, permit: &Permit<A>) -> Self {
        Self {
            fleet: app.parts.fleet.clone(),
            key: permit.environment().clone(),
        }
    }
}

impl Open for NodeName {
    fn open(app: &AppState) -> Self {
        Self(app.parts.node.clone())
    }
}

/// Signals are authenticated by the secret of their trigger.
impl Open for Triggers {
    fn open(app: &AppState) -> Self {
        app.parts.triggers.clone()
    }
}

/// Names and figures, for scrapers.
impl Open for Metrics {
    fn open(app: &AppState) -> Self {
        app.set_gauges();
        app.parts.metrics.clone()
    }
}

impl Open for PeerExchange {
    fn open(app: &AppState) -> Self {
        let services = &app.parts;
        Self {
            peers: services.peers.clone(),
            kills: services.kills.clone(),
            fleet: services.fleet.clone(),
        }
    }
}
