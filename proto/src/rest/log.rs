//! Bodies of `revisions`, `diff` and `/v1/audit`: the contents of the logs.

use serde_json::value::RawValue;

use crate::actor::{Actor, Origin};
use crate::commit::CommitApproval;
use crate::diff::{FlagDiff, SegmentDiff, SettingsDiff};
use crate::digest::Digest;
use crate::key::ReleaseName;
use crate::revision::{Epoch, Revision, Sequence};

pub use crate::diff::ChangedBy;

/// A commit, as an item of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// The log: an environment's name, or `system`.
    pub log: String,
    /// Its position in the log.
    pub sequence: Sequence,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that it made; `null` if it changed only records.
    pub revision: Option<Revision>,
    /// When the commit was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who made the commit.
    pub actor: Actor,
    /// Where the commit came from.
    pub origin: Origin,
    /// The reason given for the commit; absent if none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The second person who approved it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<CommitApproval>,
    /// Whether it was committed ahead of all queued commits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// What it changed, in order; at most the first 100.
    pub changes: Vec<ChangeSummary>,
    /// How many changes it has.
    pub changes_total: usize,
    /// The digest of the entry, which the next entry contains.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
}

/// A change in short.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeSummary {
    /// The name of the change: `put_flag`.
    pub change: String,
    /// What it is about, for a person: a key, a kill's id and scope.
    pub subject: String,
    /// The key or the id alone, for programs; absent if the change is about a thing that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The kind of record, if a record is changed: `checkpoint`, `release`, `claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// The response to `GET revisions/{n}`: one complete commit.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEntryView {
    /// The log's name: `system`, or the name of an environment.
    pub log: String,
    /// The commit as it is stored: its digest is SHA-256 over `previous` (32 bytes) and these bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub commit: Box<RawValue>,
    /// The digest of the entry.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// The digest of the entry before it; all zeros for the first.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub previous: Digest,
}

/// The response to `GET diff?from=&to=`: the difference between two revisions.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevisionDiff {
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The older revision.
    pub from: Revision,
    /// The newer revision.
    pub to: Revision,
    /// The flags that differ.
    pub flags: Vec<FlagDiff>,
    /// The segments that differ.
    pub segments: Vec<SegmentDiff>,
    /// Kills that were made in between and are in force at the newer revision.
    pub killed: Vec<crate::Kill>,
    /// Kills that were lifted in between.
    pub restored: Vec<crate::Kill>,
    /// The settings, if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsDiff>,
}

/// The response to `GET /v1/audit/verify`: the hash chains, verified entry by entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditReport {
    /// Whether no fault was found: each chain is unbroken up to the newest entry that this node knows. Each log says
    /// what was damaged in the store and repaired, or could not be compared.
    pub whole: bool,
    /// The result for each log.
    pub logs: Vec<LogReport>,
}

/// An item of `GET /v1/audit/orphans`: an entry that a node had, but that its log lacks since another node filled the store again. Its
/// kills and revocations were merged; the rest was not applied again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrphanView {
    /// The log's name: `system`, or the name of an environment.
    pub log: String,
    /// The node that had the entry, and found that the log lacks it.
    pub node: String,
    /// When it found that; absent if an older version did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub found_at: Option<jiff::Timestamp>,
    /// Its position in the log as it was.
    pub sequence: Sequence,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that it made; `null` if it changed only records.
    pub revision: Option<Revision>,
    /// When the commit was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who made the commit.
    pub actor: Actor,
    /// The reason given for the commit; absent if none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it changed, in order; at most the first 100.
    pub changes: Vec<ChangeSummary>,
    /// How many changes it has.
    pub changes_total: usize,
}

/// The result of verifying one log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogReport {
    /// The log's name: `system`, or the name of an environment.
    pub log: String,
    /// Number of entries from the first that form an unbroken chain.
    pub entries: u64,
    /// The digest of the last of them, to compare with one that you keep elsewhere.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub head: Digest,
    /// Where and how the chain is broken, or what could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The first entry that was missing in the store, or differed there from this node's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub damaged_in_store: Option<Sequence>,
    /// Whether the store was repaired from this node's copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mended: bool,
    /// Why only this node's copy was verified, and not the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}
