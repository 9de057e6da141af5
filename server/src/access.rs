//! Who a caller is, and what he may do where. Nobody reaches data or the commit path without a [`Permit`], and only this room
//! makes one.
//!
//! ```text
//! headers -> keys::presented -> SHA-256 -> Principal (who, role, environments) -> limits -> Permit<Edit> in one environment
//!                                                                              -> GlobalPermit<Administer> in all of them
//! ```
//!
//! Keys are kept as SHA-256 in the `system` log; the key of `RIPCORD_ADMIN_KEY` is kept in memory, as SHA-256 too. A key that
//! is revoked is worth nothing from the moment in which its commit is in memory.

pub mod evaluator;
pub mod extract;
pub mod keys;
pub mod limits;
pub mod permit;
pub mod principal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use arc_swap::ArcSwap;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use subtle::ConstantTimeEq as _;

use self::evaluator::PermitCache;
pub use self::limits::RateLimits;
pub use self::permit::{GlobalPermit, Permit};
pub use self::principal::{EnvironmentAccess, Principal};
use crate::environment::Environments;
use crate::secret::Secret;
use crate::telemetry::names;

/// Tells who a caller is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environments: Environments,
    admin: Option<Digest>,
    node: String,
    limits: RateLimits,
    /// Permits to evaluate that were given lately.
    evaluators: ArcSwap<PermitCache>,
}

impl Access {
    /// Knows the keys of the system log, and `admin` where there is one. `node` is this node's name, for the log.
    pub fn new(environments: Environments, admin: Option<&Secret>, node: String, limits: RateLimits) -> Self {
        let admin = admin.map(|secret| keys::hash(secret.expose()));
        Self {
            inner: Arc::new(Inner {
                environments,
                admin,
                node,
                limits,
                evaluators: ArcSwap::default(),
            }),
        }
    }

    /// The principal whose key the headers carry.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Box<Problem>> {
        Self::told(keys::presented(headers).and_then(|presented| self.principal_of(presented)))
    }

    fn told<T>(found: Result<T, Box<Problem>>) -> Result<T, Box<Problem>> {
        if let Err(problem) = &found {
            metrics::counter!(names::REFUSED_KEYS, "code" => problem.code.as_str()).increment(1);
        }
        found
    }

    fn principal_of(&self, presented: &str) -> Result<Principal, Box<Problem>> {
        let hash = keys::hash(presented);
        let same = |stored: &Digest| bool::from(stored.bytes().ct_eq(hash.bytes()));
        if self.inner.admin.as_ref().is_some_and(same) {
            return Ok(Principal::admin());
        }
        let system = self.inner.environments.system();
        match system.key_by_hash(&hash).filter(|record| same(&record.hash)) {
            Some(record) => Ok(Principal::of(record)),
            None => Err(Box::new(Problem::new(
                Code::Unauthenticated,
                "This key is not valid: it was mistyped, belongs to another server, or was revoked. `ripcord keys create` makes one.",
            ))),
        }
    }

    /// The environments and keys that there are.
    fn environments(&self) -> &Environments {
        &self.inner.environments
    }

    fn node(&self) -> &str {
        &self.inner.node
    }

    fn limits(&self) -> &RateLimits {
        &self.inner.limits
    }
}
