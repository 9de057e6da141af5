//! Clients for an application's own tests, fed by hand: no server, no thread, no clock.
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

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ripcord_proto::actor::Actor;
use ripcord_proto::flags_file::FlagsFile;
use ripcord_proto::table::{Entry, Entity};
use ripcord_proto::{EnvironmentKey, ValidationErrors, Flag, FlagKey, Kill, KillId, KillScope, Position, Segment, Snapshot};
use serde_json::{Map, Value, json};

use crate::Client;

/// Why a flag could not be set.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// It is not valid.
    #[error("{0}")]
    Invalid(#[from] ValidationErrors),
    /// It cannot be written as JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// A client without a server, and the hand that sets its flags. Each change is a revision of its own.
#[derive(Debug)]
pub struct TestClient {
    client: Client,
    snapshot: Mutex<Snapshot>,
}

impl TestClient {
    /// An environment `test` without flags.
    pub fn new() -> Self {
        Self::from_snapshot(Snapshot::empty(test_environment()))
    }

    /// The flags of a flags file, YAML or JSON.
    pub fn from_flags_file(text: &str) -> Result<Self, TestError> {
        snapshot_of(text).map(Self::from_snapshot)
    }

    /// A given state.
    pub fn from_snapshot(snapshot: Snapshot) -> Self {
        Self {
            client: Client::offline(snapshot.clone()),
            snapshot: Mutex::new(snapshot),
        }
    }

    /// The client, to be handed to what is tested.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Puts a flag as it stands in a flags file.
    pub fn put(&self, key: &str, flag: &Value) -> Result<(), TestError> {
        let (key, flag) = (FlagKey::new(key)?, Flag::from_value(flag)?);
        self.change(|snapshot, at| insert(&mut snapshot.flags, key, flag, at))
    }

    /// A boolean flag that serves `value`; its safe variant is `false`.
    pub fn set_bool(&self, key: &str, value: bool) -> Result<(), TestError> {
        let served = if value { "on" } else { "off" };
        self.put(
            key,
            &json!({"enabled": true, "variants": {"on": true, "off": false}, "default": served, "safe": "off"}),
        )
    }

    /// A string flag that serves `value`; its safe variant is the caller's own default.
    pub fn set_string(&self, key: &str, value: &str) -> Result<(), TestError> {
        self.set(key, &json!(value))
    }

    /// A number flag that serves `value`; its safe variant is the caller's own default.
    pub fn set_number(&self, key: &str, value: f64) -> Result<(), TestError> {
        self.set(key, &json!(value))
    }

    /// An object flag that serves `value`; its safe variant is the caller's own default.
    pub fn set_object(&self, key: &str, value: Map<String, Value>) -> Result<(), TestError> {
        self.set(key, &Value::Object(value))
    }

    fn set(&self, key: &str, value: &Value) -> Result<(), TestError> {
        self.put(key, &json!({"enabled": true, "variants": {"set": value}, "default": "set", "safe": null}))
    }

    /// Takes a flag out.
    pub fn remove(&self, key: &str) -> Result<(), TestError> {
        self.change(|snapshot, _| {
            snapshot.flags.remove(key);
            Ok(())
        })
    }

    /// Kills a flag: it serves its safe variant, whatever is set, until the kill is restored.
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
    pub fn restore(&self, kill: &KillId) -> Result<(), TestError> {
        self.change(|snapshot, _| {
            snapshot.kills.remove(kill.as_str());
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot, Position) -> Result<(), TestError>) -> Result<(), TestError> {
        let mut snapshot: MutexGuard<'_, Snapshot> = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
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

impl Client {
    /// A client without a server, which answers from a flags file (YAML or JSON) for good.
    pub fn from_flags_file(text: &str) -> Result<Self, TestError> {
        snapshot_of(text).map(Self::offline)
    }
}

/// The state that a flags file describes.
fn snapshot_of(text: &str) -> Result<Snapshot, TestError> {
    let file = FlagsFile::parse(text)?;
    let mut snapshot = Snapshot::empty(file.environment.unwrap_or_else(test_environment));
    snapshot.position.revision = snapshot.position.revision.next();
    let at = snapshot.position;
    for (key, segment) in file.segments {
        insert::<Segment>(&mut snapshot.segments, key, segment, at)?;
    }
    for (key, flag) in file.flags {
        insert::<Flag>(&mut snapshot.flags, key, flag, at)?;
    }
    Ok(snapshot)
}

fn insert<M: Entity>(table: &mut ripcord_proto::table::Table<M>, key: M::Key, value: M, at: Position) -> Result<(), TestError> {
    table.insert(Arc::new(Entry::new(key, value, at)?));
    Ok(())
}

fn test_environment() -> EnvironmentKey {
    // The name is well-formed; there is no other way to say so than to check it.
    EnvironmentKey::new("test").unwrap_or_else(|_| unreachable!("the name of the test environment is well-formed"))
}
