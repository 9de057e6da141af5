//! Fills a lost log from this node's copy: into keys aside, which are then switched into place in one step. A node that dies half
//! way leaves the log unchanged, and keys that expire.

use redis::Pipeline;
use ripcord_proto::commit::Sealed;

use super::connection::{CallError, RedisConnection, Script};
use super::keys;
use crate::store::state::StoredState;
use crate::store::{Head, LogName};

/// Entries or fields sent in one round trip.
const BATCH: usize = 500;
/// Seconds after which keys aside expire if they are not switched into place.
const EXPIRY: u64 = 600;

/// A log being filled aside.
pub(super) struct Backfill<'a> {
    live: &'a RedisConnection,
    log: &'a LogName,
    aside_log: String,
    aside_state: String,
}

impl<'a> Backfill<'a> {
    /// Begins with empty keys.
    pub(super) async fn begin(live: &'a RedisConnection, log: &'a LogName, node: &str) -> Result<Self, CallError> {
        let backfill = Self {
            live,
            log,
            aside_log: keys::aside(log, node, "log"),
            aside_state: keys::aside(log, node, "state"),
        };
        let mut command = redis::cmd("DEL");
        command.arg(&backfill.aside_log).arg(&backfill.aside_state);
        live.call::<()>(&command).await?;
        Ok(backfill)
    }

    /// Adds entries, which follow those before.
    pub(super) async fn add(&self, entries: &[Sealed]) -> Result<(), CallError> {
        for batch in entries.chunks(BATCH) {
            let mut commands = redis::pipe();
            for entry in batch {
                commands
                    .cmd("XADD")
                    .arg(&self.aside_log)
                    .arg(keys::id(entry.commit.sequence))
                    .arg("digest")
                    .arg(entry.digest.to_string())
                    .arg("body")
                    .arg(entry.body.as_bytes())
                    .ignore();
            }
            self.send(&mut commands, &self.aside_log).await?;
        }
        Ok(())
    }

    /// Adds the head, and the state if there is one.
    pub(super) async fn finish(&self, head: Head, state: Option<&StoredState>) -> Result<(), CallError> {
        let mut fields = vec![("head".to_owned(), keys::head_text(head))];
        fields.extend(state.map(keys::state_fields).unwrap_or_default());
        for batch in fields.chunks(BATCH) {
            let mut commands = redis::pipe();
            commands.cmd("HSET").arg(&self.aside_state).arg(batch).ignore();
            self.send(&mut commands, &self.aside_state).await?;
        }
        Ok(())
    }

    async fn send(&self, commands: &mut Pipeline, key: &str) -> Result<(), CallError> {
        commands.cmd("EXPIRE").arg(key).arg(EXPIRY).ignore();
        self.live.call_all(commands).await
    }

    /// Puts the entries in the place of a damaged log that ends with the same head. Returns whether it did.
    pub(super) async fn mend(&self, script: &Script, head: Head) -> Result<bool, CallError> {
        let (state, log) = (keys::state(self.log), keys::log(self.log));
        let mut command = script.over(&[&state, &log, &self.aside_log]);
        command.arg(keys::head_text(head));
        self.live.run(script, &command).await
    }

    /// Switches it into place, unless `filler` is given and another node has taken over the filling. Returns whether it did.
    pub(super) async fn switch(&self, script: &Script, filler: Option<&str>) -> Result<bool, CallError> {
        let (state, log, claims) = (keys::state(self.log), keys::log(self.log), keys::claims(self.log));
        let mut command = script.over(&[&state, &log, &claims, &self.aside_state, &self.aside_log]);
        command.arg(filler.unwrap_or_default());
        self.live.run(script, &command).await
    }
}
