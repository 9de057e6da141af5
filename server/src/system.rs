//! The system log: which environments there are, and which keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ripcord_proto::change::{Change, EnvironmentRecord, KeyRecord};
use ripcord_proto::commit::{Commit, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::table::Table;
use ripcord_proto::{EnvironmentKey, Sequence, ValidationErrors, limits};

use crate::commit::traits::{AdmittedDraft, LogDraft, LogState};
use crate::commit::{Applied, Author, CommitError, IdempotentCall, MissingItem, Renderer, StateConflict, UnknownName};
use crate::store::{Head, Loaded};

/// Most revocations that one node tells another at a time, and most that a node keeps of keys that it does not know.
pub const REVOCATIONS: usize = limits::KEYS;
/// Longest id of a key that is taken from another node, in bytes.
const ID_BYTES: usize = 64;

/// Environments and keys. Copying it copies them; there are few.
#[derive(Debug, Clone)]
pub struct SystemState {
    /// Where the log ends.
    pub head: Head,
    /// All environments.
    pub environments: BTreeMap<EnvironmentKey, EnvironmentRecord>,
    /// All valid keys, by id.
    pub keys: BTreeMap<String, KeyRecord>,
    /// The digest of the first entry, by which nodes know that they share their logs.
    pub history: Option<Digest>,
    /// Ids of keys that were revoked, and the entries that say so.
    revoked: BTreeMap<String, Sequence>,
    /// Ids of keys that were revoked although this log does not say so: by entries that it lost, or that another node has. They are not
    /// valid.
    withheld: BTreeSet<String>,
    by_hash: HashMap<Digest, String>,
}

impl Default for SystemState {
    fn default() -> Self {
        Self {
            head: Head::START,
            environments: BTreeMap::new(),
            keys: BTreeMap::new(),
            history: None,
            revoked: BTreeMap::new(),
            withheld: BTreeSet::new(),
            by_hash: HashMap::new(),
        }
    }
}

impl SystemState {
    /// The environment `key` does not exist.
    pub(crate) fn no_environment(&self, key: &EnvironmentKey) -> MissingItem {
        let names = self.environments.keys().map(EnvironmentKey::as_str);
        MissingItem::Environment(UnknownName::among(key.clone(), names))
    }

    /// What a store holds of the system log.
    pub fn restore(loaded: &Loaded) -> Self {
        // Thousands of keys are made one by one: the state is never copied in between.
        loaded.tail.iter().fold(Self::default(), Self::followed_by)
    }

    /// The key whose secret has this SHA-256.
    pub fn key_by_hash(&self, hash: &Digest) -> Option<&KeyRecord> {
        self.by_hash.get(hash).and_then(|id| self.keys.get(id))
    }

    /// The keys whose revocation the log has to record again.
    pub fn withheld(&self) -> &BTreeSet<String> {
        &self.withheld
    }

    /// The state in which these keys are not valid, whatever the log says, until it says so itself.
    #[must_use]
    pub fn withholding(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        for id in keys {
            if self.revoked.contains_key(&id) {
                continue;
            }
            if let Some(record) = self.keys.remove(&id) {
                self.by_hash.remove(&record.hash);
            }
            self.withheld.insert(id);
        }
        self
    }

    /// Ids of revoked keys that a node whose log ends at `theirs` may hold valid: those revoked since then, the newest first, and those
    /// that no log says yet.
    pub fn revoked_since(&self, theirs: Head) -> Vec<String> {
        // Entries of another epoch may be others.
        let known = if theirs.epoch == self.head.epoch { theirs.sequence } else { Sequence(0) };
        let mut since: Vec<(Sequence, &String)> = self.revoked.iter().map(|(id, at)| (*at, id)).filter(|(at, _)| *at > known).collect();
        since.sort_unstable_by(|a, b| b.cmp(a));
        let ids = self.withheld.iter().chain(since.into_iter().map(|(_, id)| id));
        ids.take(REVOCATIONS).cloned().collect()
    }

    /// Those of `keys` that are revoked as another node says, and that this node does not know to be. Keys that it does not know itself
    /// may come later; of them it keeps [`REVOCATIONS`].
    pub fn unknown_revocations<'k>(&self, keys: impl IntoIterator<Item = &'k String>) -> BTreeSet<String> {
        let mut room = REVOCATIONS.saturating_sub(self.withheld.len());
        let news = keys.into_iter().filter(|id| {
            let is_known = self.revoked.contains_key(*id) || self.withheld.contains(*id);
            if is_known || id.is_empty() || id.len() > ID_BYTES {
                return false;
            }
            if self.keys.contains_key(*id) {
                return true;
            }
            let fits = room > 0;
            room = room.saturating_sub(1);
            fits
        });
        news.cloned().collect()
    }

    /// The state after one more entry of its log.
    fn followed_by(mut self, entry: &Sealed) -> Self {
        self.change(&entry.commit.changes);
        self.head = self.head.after(entry);
        self.history = self.history.or(Some(entry.digest));
        self
    }

    fn change(&mut self, changes: &[Change]) {
        let at = self.head.sequence.next();
        for change in changes {
            match change {
                Change::PutEnvironment(record) => drop(self.environments.insert(record.key.clone(), record.clone())),
                Change::DeleteEnvironment(key) => drop(self.environments.remove(key.as_str())),
                Change::PutKey(record) if self.withheld.contains(&record.id) => {}
                Change::PutKey(record) => {
                    self.by_hash.insert(record.hash, record.id.clone());
                    self.keys.insert(record.id.clone(), record.clone());
                }
                Change::RevokeKey(id) => {
                    if let Some(record) = self.keys.remove(id) {
                        self.by_hash.remove(&record.hash);
                    }
                    self.withheld.remove(id);
                    self.revoked.entry(id.clone()).or_insert(at);
                }
                Change::PutFlag(_)
                | Change::DeleteFlag(_)
                | Change::PutSegment(_)
                | Change::DeleteSegment(_)
                | Change::PutKill(_)
                | Change::Restore(_)
                | Change::PutSettings(_)
                | Change::PutRecord(_)
                | Change::DeleteRecord(_)
                | Change::Ping(_)
                | Change::NewEpoch(_) => {}
            }
        }
    }
}

/// The change that a caller requests of the system log.
#[derive(Debug, Clone)]
pub struct SystemDraft {
    /// By whom.
    pub author: Author,
    /// Why.
    pub reason: Option<String>,
    /// The operations, in order: all of them or none.
    pub operations: Vec<SystemOperation>,
    /// The idempotent call, if it is one.
    pub call: Option<IdempotentCall>,
    /// Renders the answer to be recorded with `call`.
    pub renderer: Renderer<Applied>,
}

/// One operation.
#[derive(Debug, Clone)]
pub enum SystemOperation {
    /// Create an environment.
    CreateEnvironment(EnvironmentRecord),
    /// Delete an environment.
    DeleteEnvironment(EnvironmentKey),
    /// Create a key.
    CreateKey(KeyRecord),
    /// Revoke a key.
    RevokeKey(String),
    /// Record again that a key is revoked, unless the log says so already.
    MergeRevocation(String),
}

impl LogDraft for SystemDraft {
    fn author(&self) -> &Author {
        &self.author
    }

    fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    fn call(&self) -> Option<&IdempotentCall> {
        self.call.as_ref()
    }

    fn renderer(&self) -> &Renderer<Applied> {
        &self.renderer
    }
}

impl LogState for SystemState {
    type Draft = SystemDraft;

    fn head(&self) -> Head {
        self.head
    }

    fn admit(&self, draft: &SystemDraft, _: jiff::Timestamp) -> Result<AdmittedDraft<Self>, CommitError> {
        let mut candidate = self.clone();
        let mut changes = Vec::with_capacity(draft.operations.len());
        for operation in &draft.operations {
            if let SystemOperation::MergeRevocation(id) = operation
                && candidate.revoked.contains_key(id)
            {
                continue;
            }
            let change = candidate.decide(operation)?;
            candidate.change(std::slice::from_ref(&change));
            changes.push(change);
        }
        let applied = Applied {
            position: self.head.position(),
            changes,
            flags: Vec::new(),
            still_killed: Vec::new(),
            segments: Table::default(),
            kill: None,
            records: std::sync::Arc::default(),
            commit: None,
        };
        Ok(AdmittedDraft {
            urgent: false,
            applied,
            proposal: None,
            candidate,
        })
    }

    fn seal(&self, candidate: Self, commit: Commit) -> Result<(Sealed, Self), serde_json::Error> {
        let sealed = Sealed::seal(commit, &self.head.chain)?;
        let head = self.head.after(&sealed);
        let history = self.history.or(Some(sealed.digest));
        Ok((sealed, Self { head, history, ..candidate }))
    }

    fn after(self, entry: &Sealed) -> Self {
        self.followed_by(entry)
    }

    fn replacing(self, before: &Self) -> Self {
        let revoked = before.revoked.keys().filter(|id| self.keys.contains_key(*id)).chain(&before.withheld);
        let revoked: Vec<String> = revoked.cloned().collect();
        self.withholding(revoked)
    }

    fn without_keys(self, keys: BTreeSet<String>) -> Self {
        self.withholding(keys)
    }

    fn agrees(&self, _: &Sealed) -> Result<(), Digest> {
        Ok(())
    }
}

impl SystemState {
    fn decide(&self, operation: &SystemOperation) -> Result<Change, CommitError> {
        match operation {
            SystemOperation::CreateEnvironment(record) if self.environments.contains_key(record.key.as_str()) => {
                Err(CommitError::Conflict(StateConflict::Exists {
                    what: format!("environment {}", record.key),
                }))
            }
            SystemOperation::CreateEnvironment(_) if self.environments.len() >= limits::ENVIRONMENTS => Err(full("environments", limits::ENVIRONMENTS)),
            SystemOperation::CreateEnvironment(record) => Ok(Change::PutEnvironment(record.clone())),
            SystemOperation::DeleteEnvironment(key) if !self.environments.contains_key(key.as_str()) => Err(CommitError::NotFound(self.no_environment(key))),
            SystemOperation::DeleteEnvironment(key) => {
                let holders: Vec<&str> = self
                    .keys
                    .values()
                    .filter(|record| record.environments.as_slice() == [key.clone()])
                    .map(|record| record.id.as_str())
                    .collect();
                if holders.is_empty() {
                    return Ok(Change::DeleteEnvironment(key.clone()));
                }
                Err(CommitError::Conflict(StateConflict::InUse {
                    what: format!("environment {key}"),
                    by: format!("keys that are valid only there ({}); revoke them first", holders.join(", ")),
                }))
            }
            SystemOperation::CreateKey(_) if self.keys.len() >= limits::KEYS => Err(full("valid keys", limits::KEYS)),
            SystemOperation::CreateKey(record) => match record.environments.iter().find(|key| !self.environments.contains_key(key.as_str())) {
                Some(missing) => Err(CommitError::NotFound(self.no_environment(missing))),
                None => Ok(Change::PutKey(record.clone())),
            },
            SystemOperation::RevokeKey(id) if self.keys.contains_key(id) => Ok(Change::RevokeKey(id.clone())),
            SystemOperation::RevokeKey(id) => Err(CommitError::NotFound(MissingItem::Key(id.clone()))),
            SystemOperation::MergeRevocation(id) => Ok(Change::RevokeKey(id.clone())),
        }
    }
}

/// The server has as many of these as it may have.
fn full(what: &str, most: usize) -> CommitError {
    let problem = format!("the server already has {most} {what}, the maximum; delete or revoke some first");
    CommitError::from(ValidationErrors::one("", problem))
}

#[cfg(test)]
mod tests;
