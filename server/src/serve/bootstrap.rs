//! The first start of a store: creates the environment `production`, and an admin key if none was given.

use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::{EnvironmentRecord, KeyRecord};
use ripcord_proto::role::Role;

use crate::access::keys;
use crate::commit::{Author, CommitError, Renderer, StateConflict};
use crate::environment::Environments;
use crate::secret::Secret;
use crate::system::{SystemDraft, SystemOperation};

/// The environment that exists from the first start.
const PRODUCTION: &str = "production";

/// Whether an admin key comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdminKey {
    /// It is in `RIPCORD_ADMIN_KEY`.
    Given,
    /// One must be created, unless the store already has an admin key.
    Wanted,
}

/// How often a start that could not reach its store tries again.
const AGAIN: Duration = Duration::from_secs(1);

/// Creates what is missing, now or, if the store is away, as soon as it is back. Until then the node serves its mirror, and
/// reports that it is not ready if the mirror is empty. Returns the admin key if it created one.
pub(super) async fn prepare_or_wait(environments: &Environments, node: &str, admin: AdminKey) -> Result<Option<Secret>, CommitError> {
    match prepare(environments, node, admin).await {
        Err(error) if error.is_store_away() => {
            tracing::warn!(%error, "cannot write to the store yet; retrying in the background");
            let (waiting, node, stop) = (environments.clone(), node.to_owned(), environments.tasks().stop_token());
            environments.tasks().short_lived(async move {
                let ended = stop.run_until_cancelled(keep_trying(&waiting, &node, admin));
                ended.await;
            });
            Ok(None)
        }
        prepared => prepared,
    }
}

/// Tries until the store accepts it. Creates no key, because it could not be shown to anyone.
async fn keep_trying(environments: &Environments, node: &str, admin: AdminKey) {
    while let Err(error) = prepare(environments, node, AdminKey::Given).await {
        tracing::debug!(%error, "still waiting for the store");
        tokio::time::sleep(AGAIN).await;
    }
    if admin == AdminKey::Wanted && !has_admin_key(environments) {
        tracing::warn!("no admin key exists yet: restart this node to create one, or set RIPCORD_ADMIN_KEY");
    }
}

fn has_admin_key(environments: &Environments) -> bool {
    environments.system().keys.values().any(|record| record.role == Role::Admin)
}

/// Creates what is missing. Returns the admin key if it created one; it can be shown only now.
async fn prepare(environments: &Environments, node: &str, admin: AdminKey) -> Result<Option<Secret>, CommitError> {
    let system = environments.system();
    if system.environments.is_empty() {
        let key = EnvironmentKey::new(PRODUCTION).map_err(CommitError::from)?;
        let record = EnvironmentRecord {
            key,
            description: None,
            created: environments.clock().now(),
        };
        match environments.submit_system(draft(node, SystemOperation::CreateEnvironment(record))).await {
            // Another node over the same store was faster.
            Ok(_) | Err(CommitError::Conflict(StateConflict::Exists { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    if admin == AdminKey::Given || has_admin_key(environments) {
        return Ok(None);
    }
    let secret = keys::mint(Role::Admin);
    let record = KeyRecord {
        id: keys::mint_id(),
        name: "first admin".to_owned(),
        role: Role::Admin,
        environments: Vec::new(),
        hash: keys::hash(secret.expose()),
        created: environments.clock().now(),
    };
    environments.submit_system(draft(node, SystemOperation::CreateKey(record))).await?;
    Ok(Some(secret))
}

fn draft(node: &str, ask: SystemOperation) -> SystemDraft {
    SystemDraft {
        author: Author {
            actor: Actor::server(node),
            origin: Origin {
                node: node.to_owned(),
                address: None,
                request: None,
            },
        },
        reason: Some("the first start".to_owned()),
        operations: vec![ask],
        call: None,
        renderer: Renderer::default(),
    }
}
