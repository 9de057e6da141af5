//! Records: what a log contains besides flags, segments and kills. They change no evaluation, so a commit of records alone has no
//! revision.
//!
//! All kinds are logged, stored and mirrored in the same way. This file lists them.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::drill::Drill;
use crate::driver::Driver;
use crate::key::LAST_KNOWN_GOOD;
use crate::ownership::Ownership;
use crate::ping::Ping;
use crate::policy::{Policy, SingletonKey};
use crate::proposal::Proposal;
use crate::raw_record::RawRecord;
use crate::release::Release;
use crate::revision::Position;
use crate::rollback::Rollback;
use crate::rollout::Rollout;
use crate::table::{Entity, Entry, Table};
use crate::trigger::{Firing, Trigger};
use crate::validation::ValidationErrors;

/// The key as text.
fn text<K: Borrow<str>>(key: &K) -> &str {
    key.borrow()
}

macro_rules! records {
    ($($(#[$doc:meta])* $kind:ident in $table:ident,)*) => {
        /// The new version of a record.
        #[derive(Debug, Clone)]
        pub enum Record {
            $($(#[$doc])* $kind(Arc<Entry<$kind>>),)*
        }

        /// The key of a record of any kind.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub enum RecordKey {
            $($(#[$doc])* $kind(<$kind as Entity>::Key),)*
        }

        /// All records of an environment. Cloning is cheap: entries are reference-counted.
        #[derive(Debug, Clone, Default)]
        pub struct Records {
            $($(#[$doc])* pub $table: Table<$kind>,)*
        }

        impl Record {
            /// The key of the record.
            pub fn key(&self) -> RecordKey {
                match self {
                    $(Self::$kind(entry) => RecordKey::$kind(entry.key().clone()),)*
                }
            }

            /// The encoded JSON of the record.
            pub fn json(&self) -> &RawValue {
                match self {
                    $(Self::$kind(entry) => entry.json(),)*
                }
            }

            /// SHA-256 over kind, key and JSON: the record's ETag.
            pub fn digest(&self) -> &Digest {
                match self {
                    $(Self::$kind(entry) => entry.digest(),)*
                }
            }

            /// Parses a record from a log or a store.
            pub fn from_raw(kind: &str, key: &str, json: Box<RawValue>) -> Result<Self, ValidationErrors> {
                match RecordKey::parse(kind, key)? {
                    $(RecordKey::$kind(key) => Ok(Self::$kind(Arc::new(Entry::from_raw(key, json, Position::START)))),)*
                }
            }
        }

        impl RecordKey {
            /// Its kind: `checkpoint`, `release`, …
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as Entity>::KIND,)*
                }
            }

            /// Its key as text.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$kind(key) => text(key),)*
                }
            }

            /// Parses a key.
            pub fn parse(kind: &str, key: &str) -> Result<Self, ValidationErrors> {
                $(if kind == <$kind as Entity>::KIND {
                    return key.parse().map(Self::$kind);
                })*
                Err(ValidationErrors::one("kind", format!("{kind:?} is not a kind of record that this version knows")))
            }
        }

        impl Records {
            /// Adds or replaces a record.
            pub fn put(&mut self, record: &Record) {
                match record {
                    $(Record::$kind(entry) => drop(self.$table.insert(Arc::clone(entry))),)*
                }
            }

            /// Removes a record.
            pub fn remove(&mut self, key: &RecordKey) {
                match key {
                    $(RecordKey::$kind(key) => drop(self.$table.remove(text(key))),)*
                }
            }

            /// The digest of a record, if it exists.
            pub fn digest(&self, key: &RecordKey) -> Option<Digest> {
                match key {
                    $(RecordKey::$kind(key) => self.$table.get(text(key)).map(|entry| *entry.digest()),)*
                }
            }

            /// Every record, by kind and key.
            pub fn iter(&self) -> impl Iterator<Item = Record> {
                let records = std::iter::empty();
                $(let records = records.chain(self.$table.iter().map(|entry| Record::$kind(Arc::clone(entry))));)*
                records
            }
        }

        $(impl From<Arc<Entry<$kind>>> for Record {
            fn from(entry: Arc<Entry<$kind>>) -> Self {
                Self::$kind(entry)
            }
        })*
    };
}

records! {
    /// Named pointers to revisions.
    Checkpoint in checkpoints,
    /// The commits of one deployment.
    Release in releases,
    /// Rollbacks from their commit to their end.
    Rollback in rollbacks,
    /// Rollouts from their start to their end.
    Rollout in rollouts,
    /// Changes that wait for a second person, and decided ones.
    Proposal in proposals,
    /// The policy of the environment; at most one.
    Policy in policy,
    /// The driving node; at most one.
    Driver in driver,
    /// Pings, with their confirmations.
    Ping in pings,
    /// Reports of drills.
    Drill in drills,
    /// Claims of file sets on their entries.
    Ownership in claims,
    /// Triggers.
    Trigger in triggers,
    /// Firings of triggers.
    Firing in firings,
}

impl Records {
    /// The newest known-good checkpoint.
    pub fn last_known_good(&self) -> Option<&Checkpoint> {
        let good = self.checkpoints.values();
        good.filter(|checkpoint| checkpoint.standing() == crate::checkpoint::CheckpointState::KnownGood)
            .max_by_key(|checkpoint| (checkpoint.position(), checkpoint.sequence))
    }

    /// The checkpoint with this name, which may be `last-known-good`.
    pub fn checkpoint(&self, name: &str) -> Option<&Checkpoint> {
        if name == LAST_KNOWN_GOOD {
            return self.last_known_good();
        }
        self.checkpoints.value(name)
    }

    /// The environment's policy, or the default if none was set.
    pub fn policy(&self) -> Policy {
        self.policy.value(text(&SingletonKey)).cloned().unwrap_or_default()
    }

    /// The driving node, if there is one.
    pub fn driver(&self) -> Option<&Driver> {
        self.driver.value(text(&SingletonKey))
    }
}

impl serde::Serialize for Record {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Written<'a> {
            kind: &'static str,
            key: &'a str,
            record: &'a RawValue,
        }
        let key = self.key();
        let written = Written {
            kind: key.kind(),
            key: key.as_str(),
            record: self.json(),
        };
        written.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Record {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(RawRecord::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<RawRecord> for Record {
    type Error = ValidationErrors;

    /// Fails if this version does not know the kind, or if the key is malformed.
    fn try_from(raw: RawRecord) -> Result<Self, ValidationErrors> {
        Self::from_raw(&raw.kind, &raw.key, raw.record)
    }
}

impl From<&Record> for RawRecord {
    fn from(record: &Record) -> Self {
        let key = record.key();
        Self {
            kind: key.kind().to_owned(),
            key: key.as_str().to_owned(),
            record: record.json().to_owned(),
        }
    }
}

impl serde::Serialize for RecordKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Written<'a> {
            kind: &'static str,
            key: &'a str,
        }
        let written = Written {
            kind: self.kind(),
            key: self.as_str(),
        };
        written.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for RecordKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Read {
            kind: String,
            key: String,
        }
        let read = Read::deserialize(deserializer)?;
        Self::parse(&read.kind, &read.key).map_err(serde::de::Error::custom)
    }
}
