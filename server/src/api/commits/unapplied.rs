//! What a file set leaves as it is, with who changed it last.

use std::collections::BTreeMap;

use ripcord_proto::Position;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rest::plan::KeptEdit as Told;

use crate::api::services::guarded::EnvironmentReader;
use crate::audit;
use crate::commit::state::EnvironmentState;
use crate::file_set::KeptDifference;
use crate::http::ApiError;
use crate::store::LogName;

/// Commits looked up in the log, at most; older ones are listed without their author.
const LOOKED_UP: usize = 100;

/// The changes that are kept, for the answer.
pub(super) async fn told(kept: Vec<KeptDifference>, environment: &EnvironmentReader, state: &EnvironmentState) -> Result<Vec<Told>, ApiError> {
    let log = LogName::Environment(environment.key().clone());
    let mut authors: BTreeMap<Position, Option<ChangedBy>> = BTreeMap::new();
    let mut told = Vec::with_capacity(kept.len());
    for KeptDifference { difference, changed, rollout } in kept {
        let mut last_change = None;
        if let Some(position) = changed {
            if !authors.contains_key(&position) && authors.len() < LOOKED_UP {
                let found = audit::at(environment.store(), &log, state.head.sequence, position).await?;
                authors.insert(position, found.map(|(_, entry)| audit::changed_by(&entry.commit, position)));
            }
            last_change = authors.get(&position).cloned().flatten();
        }
        told.push(Told {
            path: difference.path,
            file: difference.file,
            now: difference.now,
            rollout,
            last_change,
        });
    }
    Ok(told)
}
