//! Permits for remote evaluation, shared by all protocols.
//!
//! Callers evaluate thousands of times a second with the same key, so permits are cached for as long as keys and environments do not
//! change: a revoked key is refused from the moment its commit is in memory.

use std::sync::Arc;

use ripcord_proto::actor::Origin;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, ValidationErrors};
use subtle::ConstantTimeEq as _;

use super::permit::Evaluate;
use super::{Access, AccessError, Permit, Principal, keys};
use crate::commit::Author;

/// What separates the digests of tokens from those of anything else.
const EVENTS: &[u8] = b"ripcord ofrep events";

/// Who may listen to what with a token.
#[derive(Debug, Clone, Copy)]
pub struct EventsSubject<'s> {
    pub environment: &'s str,
    /// The id that this server gave the client.
    pub client: &'s str,
}

impl Access {
    /// Permits evaluation with the key `presented`, in the requested environment or else in the only one of the key.
    pub fn evaluator(&self, presented: Option<&str>, requested: Option<&str>) -> Result<Arc<Permit<Evaluate>>, AccessError> {
        // Loaded first, so that a permit of a later state is never cached under this one.
        let system = self.environments().system();
        let key = Self::count_refused(keys::presented(presented))?;
        let hash = keys::hash(key);
        let given = self.inner.evaluators.load();
        if Arc::ptr_eq(&given.system, &system)
            && let Some(permit) = given.find(&hash, requested)
        {
            return Ok(permit);
        }
        let permit = Arc::new(self.decide_evaluator(key, requested)?);
        self.inner.evaluators.rcu(|given| given.with(&system, hash, requested, &permit));
        Ok(permit)
    }

    fn decide_evaluator(&self, key: &str, requested: Option<&str>) -> Result<Permit<Evaluate>, AccessError> {
        let principal = Self::count_refused(self.principal_of(key))?;
        let environment = environment_of(&principal, requested)?;
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

    /// A token that lets this client listen to changes of the permitted environment, and nothing else, where no header can be sent.
    pub fn events_token(&self, permit: &Permit<Evaluate>, client: &str) -> Option<Digest> {
        let environment = permit.environment().as_str();
        self.token(&permit.principal().id, &EventsSubject { environment, client })
    }

    /// Whether `token` was made by [`Self::events_token`] for the key of this id, and the key is still valid.
    pub fn knows_events_token(&self, key: &str, subject: &EventsSubject<'_>, token: &Digest) -> bool {
        self.token(key, subject).is_some_and(|own| bool::from(own.bytes().ct_eq(token.bytes())))
    }

    /// The role of the key of this id, if `token` was made for it by [`Self::events_token`] and the key is still valid.
    pub fn role_of_events_token(&self, key: &str, subject: &EventsSubject<'_>, token: &Digest) -> Option<Role> {
        if !self.knows_events_token(key, subject, token) {
            return None;
        }
        if key == super::principal::ADMIN {
            return Some(Role::Admin);
        }
        self.environments().system().keys.get(key).map(|record| record.role)
    }

    fn token(&self, key: &str, subject: &EventsSubject<'_>) -> Option<Digest> {
        let secret = if key == super::principal::ADMIN {
            self.inner.admin?
        } else {
            self.environments().system().keys.get(key)?.hash
        };
        let EventsSubject { environment, client } = subject;
        Some(Digest::of([EVENTS, secret.bytes().as_slice(), environment.as_bytes(), &[0], client.as_bytes()]))
    }
}

fn environment_of(principal: &Principal, requested: Option<&str>) -> Result<EnvironmentKey, AccessError> {
    match requested {
        Some(name) => EnvironmentKey::new(name).map_err(|faults| unknown_environment(&faults).into()),
        None => Ok(principal.only_environment()?.clone()),
    }
}

/// The problem of a name that no environment can have.
pub fn unknown_environment(faults: &ValidationErrors) -> Problem {
    Problem::new(Code::EnvironmentNotFound, format!("No such environment: {faults}."))
}
