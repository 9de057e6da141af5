//! A log from the writer's view: drafts to admit, the state that its commits add up to, and a sink that publishes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use ripcord_proto::ReleaseName;
use ripcord_proto::commit::{Commit, CommitApproval, Recorded, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::proposal::Proposal;
use ripcord_proto::table::Entry;

use super::draft::Author;
use super::error::CommitError;
use super::idempotency::{IdempotentCall, Renderer};
use super::outcome::Applied;
use crate::store::Head;

/// What a draft of any log has.
pub(crate) trait LogDraft: Send + 'static {
    /// Who made it.
    fn author(&self) -> &Author;
    fn reason(&self) -> Option<String>;
    /// The release that it belongs to.
    fn release(&self) -> Option<&ReleaseName> {
        None
    }
    /// The second person's approval of it.
    fn approved(&self) -> Option<CommitApproval> {
        None
    }
    /// Its idempotent call.
    fn call(&self) -> Option<&IdempotentCall>;
    /// An answer that was given before, to be recorded with it.
    fn answered(&self) -> Option<&Recorded> {
        None
    }
    /// Renders the answer to be recorded with the call.
    fn renderer(&self) -> &Renderer<Applied>;
}

/// A draft that is allowed.
#[derive(Debug)]
pub(crate) struct AdmittedDraft<S> {
    /// Whether it goes ahead of everything on its way to the readers.
    pub(crate) urgent: bool,
    /// What it does.
    pub(crate) applied: Applied,
    /// The proposal that it becomes; if there is one, none of the requested changes is made.
    pub(crate) proposal: Option<Arc<Entry<Proposal>>>,
    /// The state with its changes made, whose head has not moved yet.
    pub(crate) candidate: S,
}

/// The state of a log: what its commits add up to.
pub(crate) trait LogState: Clone + Send + Sync + 'static {
    /// The drafts that it takes.
    type Draft: LogDraft;
    /// Where its log ends.
    fn head(&self) -> Head;
    /// Whether the draft may be committed at `now`, and what that changes.
    fn admit(&self, draft: &Self::Draft, now: Timestamp) -> Result<AdmittedDraft<Self>, CommitError>;
    /// Seals a commit behind the head; `candidate` is this state with the commit's changes made, and becomes the state that it
    /// makes.
    fn seal(&self, candidate: Self, commit: Commit) -> Result<(Sealed, Self), serde_json::Error>;
    /// The state that a sealed entry makes.
    #[must_use]
    fn after(self, entry: &Sealed) -> Self;
    /// This state, as it replaces `before` because the log was replaced.
    #[must_use]
    fn replacing(self, _before: &Self) -> Self {
        self
    }
    /// This state without these keys, if it has keys: another node says that they were revoked.
    #[must_use]
    fn without_keys(self, _keys: BTreeSet<String>) -> Self {
        self
    }
    /// Whether the state is what the entry that made it says; else its own hash.
    fn agrees(&self, entry: &Sealed) -> Result<(), Digest>;
}

/// Where states become visible.
pub(crate) trait Sink<S>: Send + Sync + 'static {
    /// `entries` are on their way to the store, and will lead from `before` to `after` if it takes them: time to work out what
    /// [`Self::advance`] will show. Nothing may be seen of them yet.
    fn prepare(&self, before: &S, after: &S, entries: &[Sealed]);
    /// `entries` are durable and lead from `before` to `after`. Returns when readers see it.
    fn advance(&self, before: &S, after: &S, entries: &[Sealed]);
    /// The log continues in a new epoch with this state; `orphaned` entries are no longer part of it.
    fn replaced(&self, after: &S, orphaned: Vec<Sealed>);
}

/// What the feed brings a writer.
#[derive(Debug)]
pub(crate) enum FeedMessage<S> {
    /// Entries of other nodes.
    Entries(Vec<Sealed>),
    /// Something may have been missed: read the store.
    Look,
    /// Ids of keys that were revoked, as another node says, although the entry that says so is not here.
    Revoked(BTreeSet<String>),
    /// A whole new state.
    Replaced {
        state: Box<S>,
        /// Entries that are no longer part of the log.
        orphaned: Vec<Sealed>,
    },
}
