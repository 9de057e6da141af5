//! What a draft would do, without doing it.

use std::sync::Arc;

use super::draft::Draft;
use super::error::CommitError;
use super::plan::{self, CommitPlan, PlannedCommit};
use super::state::EnvironmentState;
use super::{approval, protect, validate};

/// What a draft would do to `state`, and the hash that does exactly that.
pub(crate) fn plan_of(draft: &Draft, state: Arc<EnvironmentState>) -> Result<PlannedCommit, CommitError> {
    let validate::DraftPreview { after, touched, changes } = validate::preview(draft, &state)?;
    let refused = protect::check(draft, &state, &after, &touched).err();
    let effect = approval::Effect {
        draft,
        before: &state,
        after: &after,
        touched: &touched,
        changes: &changes,
    };
    let guarded = approval::warning(&approval::guarded(effect)?);
    let plan = CommitPlan {
        warnings: refused.iter().map(ToString::to_string).chain(guarded).collect(),
        ..plan::make(draft, &state, &after, &touched)
    };
    Ok(PlannedCommit {
        plan,
        before: state,
        after: after.snapshot,
        touched,
    })
}
