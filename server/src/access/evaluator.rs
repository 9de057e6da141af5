//! Who may have flags evaluated: asked with what a request carries, whatever protocol it came by.
//!
//! Callers ask thousands of times a second with the same key, so a permit that was given is given again as long as keys and
//! environments are what they were then: a key that is revoked is worth nothing from the moment in which its commit is in memory.

use std::collections::HashMap;
use std::sync::Arc;

use ripcord_proto::actor::Origin;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::{EnvironmentKey, ValidationErrors};
use subtle::ConstantTimeEq as _;

use super::permit::Evaluate;
use super::{Access, EnvironmentAccess, Permit, Principal, keys};
use crate::commit::Author;
use crate::http::ApiError;
use crate::system::SystemState;

/// What separates the digests of tokens from those of anything else.
const EVENTS: &[u8] = b"ripcord ofrep events";

/// The permits that were given while keys and environments stood as `system` has them. There are at most as many as keys times the
/// environments that each reaches, since only what was permitted is kept.
#[derive(Debug, Default)]
pub(super) struct PermitCache {
    system: Arc<SystemState>,
    /// By the key's digest, and the environment that was asked for.
    permits: HashMap<Digest, Vec<CachedPermit>>,
}

/// A permit, and the environment that was asked for.
type CachedPermit = (Option<Box<str>>, Arc<Permit<Evaluate>>);

impl PermitCache {
    fn find(&self, hash: &Digest, asked: Option<&str>) -> Option<Arc<Permit<Evaluate>>> {
        let permits = self.permits.get(hash)?;
        let (_, permit) = permits.iter().find(|(own, _)| own.as_deref() == asked)?;
        Some(Arc::clone(permit))
    }

    /// The same with one more.
    fn with(&self, system: &Arc<SystemState>, hash: Digest, asked: Option<&str>, permit: &Arc<Permit<Evaluate>>) -> Self {
        let still_stands = Arc::ptr_eq(&self.system, system);
        let mut permits = if still_stands { self.permits.clone() } else { HashMap::new() };
        permits.entry(hash).or_default().push((asked.map(Box::from), Arc::clone(permit)));
        Self {
            system: Arc::clone(system),
            permits,
        }
    }
}

impl Access {
    /// Permits evaluation with the key `presented`, in the requested environment or else in the only one of the key.
    pub fn evaluator(&self, presented: &str, asked: Option<&str>) -> Result<Arc<Permit<Evaluate>>, ApiError> {
        // Taken first: what is permitted by a later state is not kept as one of this.
        let system = self.environments().system();
        let key = Self::told(keys::fit(presented))?;
        let hash = keys::hash(key);
        let given = self.inner.evaluators.load();
        if Arc::ptr_eq(&given.system, &system)
            && let Some(permit) = given.find(&hash, asked)
        {
            return Ok(permit);
        }
        let permit = Arc::new(self.decide_evaluator(key, asked)?);
        self.inner.evaluators.rcu(|given| given.with(&system, hash, asked, &permit));
        Ok(permit)
    }

    fn decide_evaluator(&self, key: &str, asked: Option<&str>) -> Result<Permit<Evaluate>, ApiError> {
        let principal = Self::told(self.principal_of(key))?;
        let environment = environment_of(&principal, asked)?;
        let author = Author {
            actor: principal.actor(None),
            origin: Origin {
                node: self.node().to_owned(),
                address: None,
                request: None,
            },
        };
        self.permit(&principal, author, &environment)
    }

    /// What lets a browser listen to changes of the permitted environment, and nothing else: it goes where no header can be sent.
    pub fn events_token(&self, permit: &Permit<Evaluate>) -> Option<Digest> {
        self.token(&permit.principal().id, permit.environment().as_str())
    }

    /// Whether `token` was made by [`Self::events_token`] for the key of this id, and the key is still valid.
    pub fn knows_events_token(&self, key: &str, environment: &str, token: &Digest) -> bool {
        self.token(key, environment).is_some_and(|own| bool::from(own.bytes().ct_eq(token.bytes())))
    }

    fn token(&self, key: &str, environment: &str) -> Option<Digest> {
        let secret = if key == super::principal::ADMIN {
            self.inner.admin?
        } else {
            self.environments().system().keys.get(key)?.hash
        };
        Some(Digest::of([EVENTS, secret.bytes().as_slice(), environment.as_bytes()]))
    }
}

fn environment_of(principal: &Principal, asked: Option<&str>) -> Result<EnvironmentKey, ApiError> {
    if let Some(asked) = asked {
        let missing = |faults: ValidationErrors| ApiError::new(Code::EnvironmentNotFound, format!("There is no such environment: {faults}."));
        return EnvironmentKey::new(asked).map_err(missing);
    }
    match &principal.environments {
        EnvironmentAccess::Only(own) if own.len() == 1 => own.first().cloned().ok_or_else(unnamed),
        EnvironmentAccess::Only(_) | EnvironmentAccess::All => Err(unnamed()),
    }
}

fn unnamed() -> ApiError {
    ApiError::new(
        Code::BadRequest,
        "This key is valid in more than one environment; name one as ?environment=production, or by the selector source=production.",
    )
}
