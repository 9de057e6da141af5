//! What a commit can change: one exhaustive enum.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::flag::Flag;
use crate::key::{EnvironmentKey, FlagKey, SegmentKey};
use crate::kill::{Kill, KillId};
use crate::ping::PingId;
use crate::record::{Record, RecordKey};
use crate::revision::Position;
use crate::role::Role;
use crate::segment::Segment;
use crate::settings::Settings;
use crate::table::Entry;

/// One change of a commit. Its JSON is an object with one member that names the change: `{"delete_flag": "checkout"}`.
#[derive(Debug, Clone)]
pub enum Change {
    /// A flag as it is from now on.
    PutFlag(Arc<Entry<Flag>>),
    /// A flag is gone.
    DeleteFlag(FlagKey),
    /// A segment as it is from now on.
    PutSegment(Arc<Entry<Segment>>),
    /// A segment is gone.
    DeleteSegment(SegmentKey),
    /// A kill as it is from now on: pulled, merged, given its reason, or latched onto more flags.
    PutKill(Arc<Entry<Kill>>),
    /// A kill is lifted. Its id never enters the log again.
    Restore(KillId),
    /// The environment's settings from now on.
    PutSettings(Settings),
    /// A record as it is from now on.
    PutRecord(Record),
    /// A record is gone.
    DeleteRecord(RecordKey),
    /// Changes nothing: a revision that measures how fast changes reach all applications.
    Ping(PingId),
    /// The log continues in a new epoch.
    NewEpoch(EpochCause),
    /// (system log) An environment exists.
    PutEnvironment(EnvironmentRecord),
    /// (system log) An environment is gone.
    DeleteEnvironment(EnvironmentKey),
    /// (system log) A key exists.
    PutKey(KeyRecord),
    /// (system log) A key is revoked, by its id.
    RevokeKey(String),
}

impl Change {
    /// The flag that it puts or deletes.
    pub fn flag(&self) -> Option<&FlagKey> {
        if let Self::DeleteFlag(key) = self {
            return Some(key);
        }
        if let Self::PutFlag(entry) = self { Some(entry.key()) } else { None }
    }

    /// The segment that it puts or deletes.
    pub fn segment(&self) -> Option<&SegmentKey> {
        if let Self::DeleteSegment(key) = self {
            return Some(key);
        }
        if let Self::PutSegment(entry) = self { Some(entry.key()) } else { None }
    }

    /// The record that it puts.
    pub fn record(&self) -> Option<&Record> {
        if let Self::PutRecord(record) = self { Some(record) } else { None }
    }

    /// The kill that it puts.
    pub fn kill(&self) -> Option<&Kill> {
        if let Self::PutKill(entry) = self { entry.value().ok() } else { None }
    }

    /// The kill that it lifts.
    pub fn restored(&self) -> Option<&KillId> {
        if let Self::Restore(id) = self { Some(id) } else { None }
    }
}

/// Why an epoch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EpochCause {
    /// The store had lost its state and was filled from a node's memory.
    Reseeded,
    /// A backup was restored.
    BackupRestored,
}

/// An environment, as the system log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnvironmentRecord {
    /// The environment's name: 1 to 63 lower-case letters, digits and `-`.
    pub key: EnvironmentKey,
    /// A description for people; it has no effect on what is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: jiff::Timestamp,
}

/// A key, as the system log keeps it: never the secret, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyRecord {
    /// The key's id, which is not secret: `key_…`.
    pub id: String,
    /// The name of the key.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where it may do it; empty only for admins, who may everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<EnvironmentKey>,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: jiff::Timestamp,
}

/// A change as stored in a log, its entries not parsed yet.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawChange {
    PutFlag { key: FlagKey, flag: Box<RawValue> },
    DeleteFlag(FlagKey),
    PutSegment { key: SegmentKey, segment: Box<RawValue> },
    DeleteSegment(SegmentKey),
    PutKill { key: KillId, kill: Box<RawValue> },
    Restore(KillId),
    PutSettings(Settings),
    PutRecord(Record),
    DeleteRecord(RecordKey),
    Ping(PingId),
    NewEpoch(EpochCause),
    PutEnvironment(EnvironmentRecord),
    DeleteEnvironment(EnvironmentKey),
    PutKey(KeyRecord),
    RevokeKey(String),
}

impl RawChange {
    /// The change with its entries parsed; `at` is the position of the commit that it belongs to.
    pub(crate) fn at(self, at: Position) -> Change {
        match self {
            Self::PutFlag { key, flag } => Change::PutFlag(Arc::new(Entry::from_raw(key, flag, at))),
            Self::DeleteFlag(key) => Change::DeleteFlag(key),
            Self::PutSegment { key, segment } => Change::PutSegment(Arc::new(Entry::from_raw(key, segment, at))),
            Self::DeleteSegment(key) => Change::DeleteSegment(key),
            Self::PutKill { key, kill } => Change::PutKill(Arc::new(Entry::from_raw(key, kill, at))),
            Self::Restore(id) => Change::Restore(id),
            Self::PutSettings(settings) => Change::PutSettings(settings),
            Self::PutRecord(record) => Change::PutRecord(record),
            Self::DeleteRecord(key) => Change::DeleteRecord(key),
            Self::Ping(id) => Change::Ping(id),
            Self::NewEpoch(cause) => Change::NewEpoch(cause),
            Self::PutEnvironment(record) => Change::PutEnvironment(record),
            Self::DeleteEnvironment(key) => Change::DeleteEnvironment(key),
            Self::PutKey(record) => Change::PutKey(record),
            Self::RevokeKey(id) => Change::RevokeKey(id),
        }
    }
}

impl serde::Serialize for Change {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Flag<'a> {
            key: &'a FlagKey,
            flag: &'a RawValue,
        }
        #[derive(serde::Serialize)]
        struct Segment<'a> {
            key: &'a SegmentKey,
            segment: &'a RawValue,
        }
        #[derive(serde::Serialize)]
        struct Kill<'a> {
            key: &'a KillId,
            kill: &'a RawValue,
        }
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::PutFlag(entry) => map.serialize_entry(
                "put_flag",
                &Flag {
                    key: entry.key(),
                    flag: entry.json(),
                },
            )?,
            Self::DeleteFlag(key) => map.serialize_entry("delete_flag", key)?,
            Self::PutSegment(entry) => map.serialize_entry(
                "put_segment",
                &Segment {
                    key: entry.key(),
                    segment: entry.json(),
                },
            )?,
            Self::DeleteSegment(key) => map.serialize_entry("delete_segment", key)?,
            Self::PutKill(entry) => map.serialize_entry(
                "put_kill",
                &Kill {
                    key: entry.key(),
                    kill: entry.json(),
                },
            )?,
            Self::Restore(id) => map.serialize_entry("restore", id)?,
            Self::PutSettings(settings) => map.serialize_entry("put_settings", settings)?,
            Self::PutRecord(record) => map.serialize_entry("put_record", record)?,
            Self::DeleteRecord(key) => map.serialize_entry("delete_record", key)?,
            Self::Ping(id) => map.serialize_entry("ping", id)?,
            Self::NewEpoch(cause) => map.serialize_entry("new_epoch", cause)?,
            Self::PutEnvironment(record) => map.serialize_entry("put_environment", record)?,
            Self::DeleteEnvironment(key) => map.serialize_entry("delete_environment", key)?,
            Self::PutKey(record) => map.serialize_entry("put_key", record)?,
            Self::RevokeKey(id) => map.serialize_entry("revoke_key", id)?,
        }
        map.end()
    }
}
