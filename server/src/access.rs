//! Authentication and authorization. Data and the commit path are only reached with a [`Permit`], which only this room makes.
//!
//! ```text
//! key -> keys::presented -> SHA-256 -> Principal (identity, role, environments) -> limits -> Permit<Edit> in one environment
//!                                                                                         -> GlobalPermit<Administer> in all
//! ```
//!
//! Keys are stored as SHA-256 in the `system` log; the key of `RIPCORD_ADMIN_KEY` is kept in memory only, also as SHA-256. A revoked key
//! is refused from the moment its commit is in memory.

mod error;
pub mod evaluator;
pub mod keys;
pub mod limits;
pub mod permit;
mod permit_cache;
pub mod principal;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use subtle::ConstantTimeEq as _;

pub use self::error::AccessError;
pub use self::limits::RateLimits;
use self::permit::Allows;
pub use self::permit::{GlobalPermit, Permit};
use self::permit_cache::PermitCache;
pub use self::principal::{EnvironmentAccess, Principal};
use crate::commit::Author;
use crate::environment::Environments;
use crate::secret::Secret;
use crate::telemetry::names;

/// Authenticates callers and issues permits. Cheap to clone.
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
    /// Recent permits to evaluate.
    evaluators: ArcSwap<PermitCache>,
}

impl Access {
    /// Accepts the keys of the system log, and `admin` if given. `node` is this node's name in the log.
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

    /// The principal of this key; `None` means that the caller sent none.
    pub fn authenticate(&self, presented: Option<&str>) -> Result<Principal, AccessError> {
        let principal = keys::presented(presented).and_then(|key| self.principal_of(key));
        Ok(Self::count_refused(principal)?)
    }

    /// The same for a request from this address: of wrong keys from one address, only so many are answered at a time.
    pub fn authenticate_from(&self, presented: Option<&str>, address: Option<IpAddr>) -> Result<Principal, AccessError> {
        self.authenticate(presented).map_err(|error| self.counted_by_address(error, address))
    }

    /// Counts a wrong key against the address that it came from. One that is missing is no guess.
    pub(crate) fn counted_by_address(&self, error: AccessError, address: Option<IpAddr>) -> AccessError {
        let problem = error.problem();
        let is_guess = problem.code == Code::Unauthenticated && problem.members.get("key").is_some_and(|key| key != "missing");
        if is_guess && let Err(limited) = self.limits().wrong_key(address) {
            return limited;
        }
        error
    }

    fn count_refused<T>(found: Result<T, Box<Problem>>) -> Result<T, Box<Problem>> {
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
        if let Some(record) = system.key_by_hash(&hash).filter(|record| same(&record.hash)) {
            Ok(Principal::of(record))
        } else {
            let detail = "The server does not know this key: it is mistyped, revoked, or for another server.";
            Err(Box::new(Problem::new(Code::Unauthenticated, detail).with("key", "unknown")))
        }
    }

    fn environments(&self) -> &Environments {
        &self.inner.environments
    }

    /// This node's name in the log.
    pub(crate) fn node(&self) -> &str {
        &self.inner.node
    }

    /// Permits `A` in `environment`, or names the roles that may. Only a key that covers the environment learns whether it exists.
    pub fn permit<A: Allows>(&self, principal: &Principal, author: Author, environment: &EnvironmentKey) -> Result<Permit<A>, AccessError> {
        Permit::issue(&self.environments().system(), principal, author, environment)
    }

    /// Permits `A` in each environment of the principal.
    pub fn permits<A: Allows>(&self, principal: &Principal, author: &Author) -> Result<Vec<Permit<A>>, AccessError> {
        Permit::issue_all(&self.environments().system(), principal, author)
    }

    /// Permits `A` in every environment, or names the roles that may.
    pub fn permit_globally<A: Allows>(principal: &Principal, author: Author) -> Result<GlobalPermit<A>, AccessError> {
        GlobalPermit::issue(principal, author)
    }

    /// The limits of requests.
    pub(crate) fn limits(&self) -> &RateLimits {
        &self.inner.limits
    }
}
