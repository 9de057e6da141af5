//! What a draft would do, for its approval.

use ripcord_proto::change::Change;
use ripcord_proto::references::TouchedKeys;

use super::super::draft::Draft;
use super::super::state::EnvironmentState;

/// What a draft would do.
#[derive(Clone, Copy)]
pub(in crate::commit) struct Effect<'a> {
    pub(in crate::commit) draft: &'a Draft,
    pub(in crate::commit) before: &'a EnvironmentState,
    pub(in crate::commit) after: &'a EnvironmentState,
    pub(in crate::commit) touched: &'a TouchedKeys,
    pub(in crate::commit) changes: &'a [Change],
}
