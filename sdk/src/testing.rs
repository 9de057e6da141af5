//! Clients for an application's own tests: no server, no thread, no clock. The test sets the flags.
//!
//! ```
//! use ripcord_sdk::Context;
//! use ripcord_sdk::testing::TestClient;
//!
//! let flags = TestClient::new();
//! flags.set_bool("checkout-v2", true)?;
//! let client = flags.client();
//! assert!(client.bool("checkout-v2", &Context::new("user-42"), false));
//! flags.kill("checkout-v2")?;
//! assert!(!client.bool("checkout-v2", &Context::new("user-42"), false));
//! # Ok::<(), ripcord_sdk::testing::TestError>(())
//! ```

use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::actor::Actor;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Kill, KillId, KillScope, Position, Snapshot, ValidationErrors};
use serde_json::{Map, Value, json};

use crate::client::{Client, FlagsFileError, snapshot_of};

/// Why a flag could not be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The flag or its key is not valid. The error names each field.
    #[error("invalid flag: {0}")]
    Invalid(ValidationErrors),
    /// The flag cannot be written as JSON.
    #[error("the flag cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A client without a server, with methods to set its flags. Each change is a revision of its own.
#[derive(Debug)]
pub struct TestClient {
    client: Client,
    snapshot: Mutex<Snapshot>,
}

impl From<ValidationErrors> for TestError {
    fn from(errors: ValidationErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl TestClient {
    /// An environment `test` without flags.
    pub fn new() -> Self {
        Self::from_snapshot(Snapshot::empty(test_environment()))
    }

    /// The flags of a flags file, YAML or JSON.
    ///
    /// # Errors
    ///
    /// [`FlagsFileError::Invalid`] if the file is not valid.
    pub fn from_flags_file(text: &str) -> Result<Self, FlagsFileError> {
        snapshot_of(text).map(Self::from_snapshot)
    }

    /// The flags of a snapshot.
    pub fn from_snapshot(snapshot: Snapshot) -> Self {
        Self {
            client: Client::offline(snapshot.clone()),
            snapshot: Mutex::new(snapshot),
        }
    }

    /// The client, for the code under test.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sets a flag, written as in a flags file.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key or the flag is not valid.
    pub fn put(&self, key: &str, flag: &Value) -> Result<(), TestError> {
        let (key, flag) = (FlagKey::new(key)?, Flag::from_value(flag)?);
        self.change(|snapshot, at| insert(&mut snapshot.flags, key, flag, at))
    }

    /// Sets a boolean flag that serves `value`. Its safe variant is `false`.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key is not valid.
    pub fn set_bool(&self, key: &str, value: bool) -> Result<(), TestError> {
        let served = if value { "on" } else { "off" };
        self.put(
            key,
            &json!({"enabled": true, "variants": {"on": true, "off": false}, "default": served, "safe": "off"}),
        )
    }

    /// Sets a string flag that serves `value`. While killed it serves the caller's default.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key is not valid.
    pub fn set_string(&self, key: &str, value: &str) -> Result<(), TestError> {
        self.set(key, &json!(value))
    }

    /// Sets a number flag that serves `value`. While killed it serves the caller's default.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key or the number is not valid.
    pub fn set_number(&self, key: &str, value: f64) -> Result<(), TestError> {
        self.set(key, &json!(value))
    }

    /// Sets an object flag that serves `value`. While killed it serves the caller's default.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key or the object is not valid.
    pub fn set_object(&self, key: &str, value: Map<String, Value>) -> Result<(), TestError> {
        self.set(key, &Value::Object(value))
    }

    fn set(&self, key: &str, value: &Value) -> Result<(), TestError> {
        self.put(key, &json!({"enabled": true, "variants": {"set": value}, "default": "set", "safe": null}))
    }

    /// Deletes a flag.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn remove(&self, key: &str) -> Result<(), TestError> {
        self.change(|snapshot, _| {
            snapshot.flags.remove(key);
            Ok(())
        })
    }

    /// Kills a flag: it serves its safe variant until the kill is restored, whatever is set in the meantime.
    ///
    /// # Errors
    ///
    /// [`TestError::Invalid`] if the key is not valid.
    pub fn kill(&self, key: &str) -> Result<KillId, TestError> {
        let flag = FlagKey::new(key)?;
        let mut id = KillId::from_parts(0, 0);
        self.change(|snapshot, at| {
            id = KillId::from_parts(at.revision.0, 0);
            let kill = Kill {
                id: id.clone(),
                scope: KillScope::Flag(flag),
                reason: None,
                actor: Actor::server("test"),
                at: jiff::Timestamp::UNIX_EPOCH,
                flags: std::iter::empty().collect(),
            };
            insert(&mut snapshot.kills, id.clone(), kill, at)
        })?;
        Ok(id)
    }

    /// Restores a kill.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn restore(&self, kill: &KillId) -> Result<(), TestError> {
        self.change(|snapshot, _| {
            snapshot.kills.remove(kill.as_str());
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot, Position) -> Result<(), TestError>) -> Result<(), TestError> {
        let mut snapshot = self.snapshot.lock();
        let mut next = snapshot.clone();
        next.position.revision = next.position.revision.next();
        let at = next.position;
        change(&mut next, at)?;
        self.client.put(next.clone());
        *snapshot = next;
        Ok(())
    }
}

impl Default for TestClient {
    fn default() -> Self {
        Self::new()
    }
}

fn insert<M: Entity>(table: &mut Table<M>, key: M::Key, value: M, at: Position) -> Result<(), TestError> {
    table.insert(Arc::new(Entry::new(key, value, at)?));
    Ok(())
}

fn test_environment() -> EnvironmentKey {
    // A key can only be made by checking it.
    EnvironmentKey::new("test").unwrap_or_else(|_| unreachable!("the name of the test environment is well-formed"))
}
