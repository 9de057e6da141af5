//! The permits to evaluate that were issued lately.

use std::collections::HashMap;
use std::sync::Arc;

use ripcord_proto::digest::Digest;

use super::permit::{Evaluate, Permit};
use crate::system::SystemState;

/// The permits given under `system`. Only permits are cached, no refusals, so there are at most as many as keys times environments.
#[derive(Debug, Default)]
pub(super) struct PermitCache {
    pub(super) system: Arc<SystemState>,
    /// By the key's digest.
    permits: HashMap<Digest, Vec<CachedPermit>>,
}

/// The requested environment and the permit.
type CachedPermit = (Option<Box<str>>, Arc<Permit<Evaluate>>);

impl PermitCache {
    pub(super) fn find(&self, hash: &Digest, requested: Option<&str>) -> Option<Arc<Permit<Evaluate>>> {
        let permits = self.permits.get(hash)?;
        let (_, permit) = permits.iter().find(|(own, _)| own.as_deref() == requested)?;
        Some(Arc::clone(permit))
    }

    /// This cache with one more permit.
    pub(super) fn with(&self, system: &Arc<SystemState>, hash: Digest, requested: Option<&str>, permit: &Arc<Permit<Evaluate>>) -> Self {
        let still_stands = Arc::ptr_eq(&self.system, system);
        let mut permits = if still_stands { self.permits.clone() } else { HashMap::new() };
        permits.entry(hash).or_default().push((requested.map(Box::from), Arc::clone(permit)));
        Self {
            system: Arc::clone(system),
            permits,
        }
    }
}
