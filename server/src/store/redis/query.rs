//! The commands sent to Redis, one function each.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::{FromRedisValue as _, Value};
use ripcord_proto::commit::Sealed;
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{EnvironmentKey, KillId, Position, Sequence, Snapshot};
use serde_json::value::RawValue;

use super::connection::{CallError, RedisConnection, RedisConnector, Script};
use super::keys::{self, StoredHead};
use super::log_heads::RawEntry;
use crate::store::state::StoredState;
use crate::store::{Append, AppendError, Head, LogName, StoreError};

/// Entries of a stream as Redis returns them: the id, then name and value of each field.
pub(super) type Rows = Vec<(String, Vec<String>)>;

/// Appends in one atomic step.
pub(super) async fn append(connector: &RedisConnector, script: &Script, append: &Append) -> Result<(), AppendError> {
    let (state, log) = (keys::state(&append.log), keys::log(&append.log));
    let mut command = script.over(&[&state, &log]);
    command.arg(keys::head_text(append.expected)).arg(append.entries.len());
    for entry in &append.entries {
        command
            .arg(keys::id(entry.commit.sequence))
            .arg(entry.digest.to_string())
            .arg(entry.body.as_bytes());
    }
    let fields = keys::fields(&append.entries);
    let set = fields.iter().filter_map(|(field, value)| value.as_ref().map(|value| (field, value)));
    command.arg(1 + set.clone().count()).arg("head").arg(keys::head_text(append.head()));
    for (field, value) in set {
        command.arg(field).arg(value);
    }
    for (field, _) in fields.iter().filter(|(_, value)| value.is_none()) {
        command.arg(field);
    }

    let live = connector.connection().map_err(|error| unavailable(connector, error))?;
    let answer: Value = live.run(script, &command).await.map_err(|error| unavailable(connector, error))?;
    connector.note_write(Ok(()));
    if answer == Value::Okay {
        return Ok(());
    }
    let actual = Vec::<u8>::from_redis_value(answer).map_err(|error| AppendError::Unknown(format!("unexpected answer of the append script: {error}")))?;
    Err(moved(&actual))
}

fn unavailable(connector: &RedisConnector, error: CallError) -> AppendError {
    match error {
        CallError::NotSent(why) => AppendError::Unavailable(why),
        CallError::Refused(error) => {
            let fault = connector.note_write(Err(&error));
            AppendError::Unavailable(fault.map_or_else(|| error.to_string(), |fault| fault.why))
        }
        CallError::NoAnswer(why) => AppendError::Unknown(why),
    }
}

fn moved(actual: &[u8]) -> AppendError {
    match std::str::from_utf8(actual).ok().and_then(keys::parse_head) {
        Some(StoredHead::At(actual)) => AppendError::Moved { actual },
        Some(StoredHead::Reseeding) => AppendError::Reseeding,
        None => AppendError::Unavailable("the head of the state in Redis cannot be read".to_owned()),
    }
}

/// Up to `count` entries after `after`.
pub(super) async fn entries(live: &RedisConnection, log: &LogName, after: Sequence, count: usize) -> Result<Vec<RawEntry>, CallError> {
    let mut command = redis::cmd("XRANGE");
    command.arg(keys::log(log)).arg(keys::id(after.next())).arg("+").arg("COUNT").arg(count);
    let rows: Rows = live.call(&command).await?;
    Ok(raw(rows))
}

/// Rows as entries, up to the first that ripcord did not write; the caller then misses that one.
pub(super) fn raw(rows: Rows) -> Vec<RawEntry> {
    let entry = |(id, fields): (String, Vec<String>)| {
        let mut fields = fields.into_iter();
        let digest = fields.by_ref().nth(1)?.parse().ok()?;
        let body = fields.nth(1)?;
        Some(RawEntry {
            sequence: keys::sequence(&id)?,
            digest,
            body,
        })
    };
    rows.into_iter().map_while(entry).collect()
}

/// Where a log ends as it is stored, and how many entries its stream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredEnd {
    pub(super) head: String,
    pub(super) entries: u64,
}

/// The ends of several logs, in one round trip.
pub(super) async fn ends(live: &RedisConnection, logs: impl IntoIterator<Item = &LogName>) -> Result<Vec<StoredEnd>, CallError> {
    let mut commands = redis::pipe();
    for log in logs {
        commands.cmd("HGET").arg(keys::state(log)).arg("head");
        commands.cmd("XLEN").arg(keys::log(log));
    }
    // Without logs the pipeline would be empty and nothing would be sent, but the answer shows that the server is alive.
    commands.cmd("PING");
    let mut answers: Vec<Value> = live.call_all(&commands).await?;
    answers.pop();
    let end = |pair: &[Value]| {
        let [head, entries] = pair else {
            return StoredEnd {
                head: String::new(),
                entries: 0,
            };
        };
        StoredEnd {
            head: Option::<String>::from_redis_value(head.clone()).ok().flatten().unwrap_or_default(),
            entries: u64::from_redis_value(entries.clone()).unwrap_or_default(),
        }
    };
    Ok(answers.chunks(2).map(end).collect())
}

/// Whether the store takes writes.
pub(super) async fn probe(live: &RedisConnection, script: &Script, node: &str) -> Result<(), CallError> {
    let system = LogName::System;
    let (stream, hash) = (keys::aside(&system, node, "probe-log"), keys::aside(&system, node, "probe-state"));
    let mut command = script.over(&[&stream, &hash]);
    command.arg(node);
    live.run(script, &command).await
}

/// The heads of several logs as they are stored, in one round trip.
pub(super) async fn heads(live: &RedisConnection, logs: impl IntoIterator<Item = &LogName>) -> Result<Vec<String>, CallError> {
    let mut commands = redis::pipe();
    for log in logs {
        commands.cmd("HGET").arg(keys::state(log)).arg("head");
    }
    // Without logs the pipeline would be empty and nothing would be sent, but the answer shows that the server is alive.
    commands.cmd("PING");
    let mut answers: Vec<Option<String>> = live.call_all(&commands).await?;
    answers.pop();
    Ok(answers.into_iter().map(Option::unwrap_or_default).collect())
}

/// The state of an environment in Redis; `None` if there is none, or if it does not match its own content hash.
pub(super) async fn state(live: &RedisConnection, environment: &EnvironmentKey) -> Result<Option<StoredState>, CallError> {
    let mut command = redis::cmd("HGETALL");
    command.arg(keys::state(&LogName::Environment(environment.clone())));
    let mut fields: BTreeMap<String, String> = live.call(&command).await?;
    let Some(StoredHead::At(head)) = fields.remove("head").as_deref().and_then(keys::parse_head) else {
        return Ok(None);
    };
    let stated = fields.remove("hash");
    let mut state = StoredState::empty(environment.clone());
    state.head = head;
    state.snapshot = Snapshot {
        environment: environment.clone(),
        position: head.position(),
        settings: fields.get("settings").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
        flags: table(&fields, "f:"),
        segments: table(&fields, "s:"),
        kills: table(&fields, "k:"),
    };
    let ended = fields.keys().filter_map(|field| field.strip_prefix("ended:"));
    state.ended_kills = ended.filter_map(|id| KillId::new(id).ok()).collect();
    for record in fields.iter().filter_map(|(field, json)| keys::record(field, json)) {
        state.records.put(&record);
    }
    let agrees = stated.is_none_or(|stated| stated.parse().is_ok_and(|stated| state.snapshot.has_hash(&stated)));
    Ok(agrees.then_some(state))
}

fn table<M: Entity>(fields: &BTreeMap<String, String>, prefix: &str) -> Table<M>
where
    M::Key: std::str::FromStr,
{
    let entry = |(field, value): (&String, &String)| {
        let key = field.strip_prefix(prefix)?.parse().ok()?;
        let (changed, json) = value.split_once(' ')?;
        let changed: Position = changed.parse().ok()?;
        let json = RawValue::from_string(json.to_owned()).ok()?;
        Some(Arc::new(Entry::from_raw(key, json, changed)))
    };
    fields.iter().filter_map(entry).collect()
}

/// Removes a log, unless it has moved from `head`.
pub(super) async fn remove(live: &RedisConnection, script: &Script, log: &LogName, head: &str) -> Result<(), CallError> {
    let (state, stream, claims) = (keys::state(log), keys::log(log), keys::claims(log));
    let mut command = script.over(&[&state, &stream, &claims]);
    command.arg(head);
    live.run(script, &command).await
}

/// Entries of a whole log read at once.
const BATCH: usize = 1000;

/// All entries of a log, verified to follow one another.
pub(super) async fn whole_log(live: &RedisConnection, log: &LogName) -> Result<Vec<Sealed>, StoreError> {
    let (mut found, mut head) = (Vec::new(), Head::START);
    loop {
        let raw = entries(live, log, head.sequence, BATCH).await;
        let raw = raw.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if raw.is_empty() {
            return Ok(found);
        }
        for raw in raw {
            let entry = Sealed::open(raw.sequence, &raw.body, raw.digest, &head.chain).map_err(|source| StoreError::Chain { log: log.clone(), source })?;
            head = head.after(&entry);
            found.push(entry);
        }
    }
}
