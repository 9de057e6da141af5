//! Commits: the entries of a log, sealed into its hash chain.
//!
//! `digest = SHA-256(digest of the entry before ‖ body)`, where the body is the commit's JSON exactly as it is stored. The first
//! entry of a log follows [`Digest::ZERO`]. Anyone who has the bodies can verify the chain with SHA-256 alone.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::actor::{Actor, Origin};
use crate::change::{Change, RawChange};
use crate::digest::Digest;
use crate::key::ReleaseName;
use crate::proposal::ProposalId;
use crate::revision::{Epoch, Position, Revision, Sequence};
use crate::snapshot::ContentHash;
use crate::validation::ValidationErrors;

/// One atomic change with an actor and a reason.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Commit {
    /// Its position in the log.
    pub sequence: Sequence,
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision that it made; absent if it changed only records, which affect no evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The time, by the clock of the node that made it.
    pub at: jiff::Timestamp,
    /// Who made the commit.
    pub actor: Actor,
    /// Where the commit came from.
    pub origin: Origin,
    /// The reason given for the commit; absent if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The second person who approved it, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<CommitApproval>,
    /// Whether it was committed ahead of all queued commits, as kills, restores and rollbacks are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// The changes, in order. Empty only if it records the response to an idempotent request that changed nothing.
    pub changes: Vec<Change>,
    /// The content hash of the resulting snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// The idempotent request that it responds to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Recorded>,
}

/// A second person's approval of a commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitApproval {
    /// Who approved it. The commit's actor proposed it.
    pub by: Actor,
    /// The proposal that was approved.
    pub proposal: ProposalId,
}

/// An idempotent request and its response. They are stored in the commit itself, so that they are saved if and only if it is.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Recorded {
    /// The caller: the key's id, or `admin`.
    pub caller: String,
    /// The method and path of the request.
    pub route: String,
    /// The caller's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request's body.
    pub request: Digest,
    /// The HTTP status of the response.
    pub status: u16,
    /// The body of the response, without members that are looked up again (the confirmation) or never shown twice (a key's secret).
    pub answer: Box<RawValue>,
}

#[derive(serde::Deserialize)]
struct RawCommit {
    sequence: Sequence,
    epoch: Epoch,
    #[serde(default)]
    revision: Option<Revision>,
    at: jiff::Timestamp,
    actor: Actor,
    origin: Origin,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    release: Option<ReleaseName>,
    #[serde(default)]
    approved: Option<CommitApproval>,
    #[serde(default)]
    urgent: bool,
    changes: Vec<RawChange>,
    #[serde(default)]
    hash: Option<ContentHash>,
    #[serde(default)]
    idempotency: Option<Recorded>,
}

impl Commit {
    /// Parses the JSON body of a commit.
    pub fn parse(body: &str) -> Result<Self, ValidationErrors> {
        let raw: RawCommit = serde_json::from_str(body).map_err(|error| ValidationErrors::one("", format!("not a commit: {error}")))?;
        let at = Position {
            epoch: raw.epoch,
            revision: raw.revision.unwrap_or_default(),
        };
        Ok(Self {
            sequence: raw.sequence,
            epoch: raw.epoch,
            revision: raw.revision,
            at: raw.at,
            actor: raw.actor,
            origin: raw.origin,
            reason: raw.reason,
            release: raw.release,
            approved: raw.approved,
            urgent: raw.urgent,
            changes: raw.changes.into_iter().map(|change| change.at(at)).collect(),
            hash: raw.hash,
            idempotency: raw.idempotency,
        })
    }

    /// The position that it made, if it made a revision.
    pub fn position(&self) -> Option<Position> {
        self.revision.map(|revision| Position { epoch: self.epoch, revision })
    }
}

/// A commit with its bytes and its digest in the chain.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The commit that was sealed.
    pub commit: Arc<Commit>,
    /// Its JSON, from which the digest is computed.
    pub body: Arc<str>,
    /// The digest of the entry, which the next entry contains.
    pub digest: Digest,
}

/// A broken hash chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The entry, or one before it, was altered.
    #[error("entry {sequence} does not follow the entry before it: its digest is {stated}, its contents give {computed}")]
    Broken {
        /// The sequence number of the entry.
        sequence: Sequence,
        /// The digest that is stored.
        stated: Digest,
        /// The digest computed from the entry.
        computed: Digest,
    },
    /// The body cannot be read.
    #[error("entry {sequence} cannot be read: {faults}")]
    Unreadable {
        /// The sequence number of the entry.
        sequence: Sequence,
        /// Why the entry cannot be read.
        faults: ValidationErrors,
    },
}

impl Sealed {
    /// Seals a commit as the successor of `previous`.
    pub fn seal(commit: Commit, previous: &Digest) -> Result<Self, serde_json::Error> {
        let body: Arc<str> = serde_json::to_string(&commit)?.into();
        let digest = Digest::of([previous.bytes().as_slice(), body.as_bytes()]);
        Ok(Self {
            commit: Arc::new(commit),
            body,
            digest,
        })
    }

    /// Verifies that a stored entry follows `previous`.
    pub fn open(sequence: Sequence, body: &str, stated: Digest, previous: &Digest) -> Result<Self, ChainError> {
        let computed = Digest::of([previous.bytes().as_slice(), body.as_bytes()]);
        if computed != stated {
            return Err(ChainError::Broken { sequence, stated, computed });
        }
        let commit = Commit::parse(body).map_err(|faults| ChainError::Unreadable { sequence, faults })?;
        Ok(Self {
            commit: Arc::new(commit),
            body: body.into(),
            digest: stated,
        })
    }
}
