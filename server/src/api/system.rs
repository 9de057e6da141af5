//! Drafts for the system log, which holds the environments and the keys.

use super::write::renderer;
use crate::access::GlobalPermit;
use crate::access::permit::Administer;
use crate::commit::{Applied, IdempotentCall, RenderedAnswer};
use crate::http::ApiError;
use crate::system::{SystemDraft, SystemOperation};

/// A draft of one operation; `answer` is what its caller gets, and gets again if the call is repeated.
pub(super) fn draft(
    permit: &GlobalPermit<Administer>,
    operation: SystemOperation,
    reason: Option<String>,
    call: Option<IdempotentCall>,
    answer: impl Fn(&Applied) -> Result<RenderedAnswer, ApiError> + Send + Sync + 'static,
) -> SystemDraft {
    SystemDraft {
        author: permit.author(),
        reason,
        operations: vec![operation],
        call,
        renderer: renderer(answer),
    }
}
