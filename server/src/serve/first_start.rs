//! What the first start of a store makes: the environment `production`, and an admin key where none was given.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::{EnvironmentRecord, KeyRecord};
use ripcord_proto::role::Role;
use serde_json::value::to_raw_value;

use crate::access::keys;
use crate::commit::{Answer, Author, CommitError, ResponseBuilder};
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
    /// One must be made, unless the store knows an admin's key already.
    Wanted,
}

/// How often a start that could not reach its store looks again.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes what is missing now, or, where the store is away, as soon as it is back: the node lives meanwhile, serves what its
/// mirror holds, and says that it is not ready where that is nothing. Answers the admin key that it made.
pub(super) async fn prepare_or_wait(environments: &Environments, node: &str, admin: AdminKey) -> Result<Option<Secret>, CommitError> {
    match prepare(environments, node, admin).await {
        Err(error @ (CommitError::Unavailable(_) | CommitError::Reseeding | CommitError::OutcomeUnknown)) => {
            tracing::warn!(%error, "the store takes nothing at the start; what the first start makes has to wait");
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

/// Tries until the store takes it. A key that nobody would see is not made.
async fn keep_trying(environments: &Environments, node: &str, admin: AdminKey) {
    while let Err(error) = prepare(environments, node, AdminKey::Given).await {
        tracing::debug!(%error, "the first start still waits for the store");
        tokio::time::sleep(AGAIN).await;
    }
    if admin == AdminKey::Wanted && !has_admin_key(environments) {
        tracing::warn!("there is no admin key yet: restart this node to have one made and shown, or set RIPCORD_ADMIN_KEY");
    }
}

fn has_admin_key(environments: &Environments) -> bool {
    environments.system().keys.values().any(|record| record.role == Role::Admin)
}

/// Makes what is missing. Answers the admin key that it made, which is shown once and never again.
async fn prepare(environments: &Environments, node: &str, admin: AdminKey) -> Result<Option<Secret>, CommitError> {
    let system = environments.system();
    if system.environments.is_empty() {
        let key = EnvironmentKey::new(PRODUCTION).map_err(CommitError::Invalid)?;
        let record = EnvironmentRecord {
            key,
            description: None,
            created: environments.clock().now(),
        };
        match environments.submit_system(draft(node, SystemOperation::CreateEnvironment(record))).await {
            // Another node over the same store was faster.
            Ok(_) | Err(CommitError::Exists { .. }) => {}
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
        answer: ResponseBuilder(Arc::new(|_| Answer {
            status: 201,
            body: to_raw_value(&()).unwrap_or_default(),
        })),
    }
}
