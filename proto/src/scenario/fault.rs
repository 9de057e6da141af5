//! Faults that a drill injects.

use serde_json::{Map, Value};

use crate::check::CheckPhase;
use crate::key::FlagKey;
use crate::reader::{Read, Reader};

/// A fault in a drill, written as a name with settings, or as the name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillFault {
    /// The store is unavailable when the rollback is first tried, and returns after a kill has made its scope safe.
    StoreAway {
        /// How the store fails.
        how: StoreOutage,
    },
    /// A node is killed (`kill -9`) and started again: one of two on Redis, else the only one.
    NodeKilled {
        /// When the fault happens.
        at: FaultTime,
    },
    /// Some applications receive everything late.
    SlowReaders {
        /// Number of applications affected.
        count: u64,
        /// Milliseconds by which each message is delayed.
        delay_ms: u64,
    },
    /// Some applications lose their connections.
    LostConnections {
        /// Number of applications affected.
        count: u64,
        /// When the fault happens.
        at: FaultTime,
    },
    /// Clients are connected that never confirm.
    Straggler {
        /// Number of such clients.
        count: u64,
    },
    /// A check fails.
    FailingCheck {
        /// When the check runs.
        when: CheckPhase,
    },
    /// A flag has a one-way door that the rollback must cross.
    OneWayDoor {
        /// The flag; `None` = the first one in scope.
        flag: Option<FlagKey>,
    },
    /// People edit flags while the rollback commits.
    ConcurrentEdits {
        /// Number of concurrent writers.
        writers: u64,
    },
}

/// How a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutage {
    /// It keeps its connections open but does not respond.
    Frozen,
    /// It is killed, and started again with the data on its disk.
    Killed,
}

/// When a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTime {
    /// Before the rollback is planned.
    BeforeRollback,
    /// Between the plan and the rollback.
    AfterPlan,
    /// After the rollback is committed.
    AfterCommit,
}

const NAMES: [&str; 8] = [
    "store-away",
    "node-killed",
    "slow-readers",
    "lost-connections",
    "straggler",
    "failing-check",
    "one-way-door",
    "concurrent-edits",
];

impl DrillFault {
    pub(super) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        if let Some(name) = value.as_str() {
            if !NAMES.contains(&name) {
                let hint = crate::reader::hint(name, NAMES);
                return reader.refuse(format!("{name:?} is not a fault{hint}; choose from {}", NAMES.join(", ")));
            }
            return Ok(Self::read_named(reader, name, &Map::new()));
        }
        let map = reader.object(value)?;
        reader.members(map, "a fault", &NAMES, &[]);
        let mut named = NAMES.iter().filter_map(|name| map.get(*name).map(|value| (*name, value)));
        match (named.next(), named.next()) {
            (Some((name, settings)), None) => reader.within(name, |reader| {
                let settings = reader.object(settings)?;
                Ok(Self::read_named(reader, name, settings))
            }),
            (None, _) => reader.refuse(format!("names no fault; choose from {}", NAMES.join(", "))),
            (Some((first, _)), Some((second, _))) => reader.refuse(format!("names two faults, {first} and {second}; give each its own item")),
        }
    }

    fn read_named(reader: &mut Reader, name: &str, map: &Map<String, Value>) -> Self {
        let members = |reader: &mut Reader, known: &[&str]| reader.members(map, &format!("the fault {name}"), known, &[]);
        match name {
            "store-away" => {
                members(reader, &["how"]);
                let how = reader.optional(map, "how", outage).unwrap_or(StoreOutage::Frozen);
                Self::StoreAway { how }
            }
            "node-killed" => {
                members(reader, &["at"]);
                let at = moment(reader, map, FaultTime::AfterCommit);
                Self::NodeKilled { at }
            }
            "slow-readers" => {
                members(reader, &["count", "delay_ms"]);
                let delay = reader.optional(map, "delay_ms", |reader, value| reader.whole(value, "milliseconds", 1, 60_000));
                Self::SlowReaders {
                    count: count(reader, map, "count"),
                    delay_ms: delay.unwrap_or(200),
                }
            }
            "lost-connections" => {
                members(reader, &["count", "at"]);
                Self::LostConnections {
                    count: count(reader, map, "count"),
                    at: moment(reader, map, FaultTime::BeforeRollback),
                }
            }
            "straggler" => {
                members(reader, &["count"]);
                Self::Straggler {
                    count: count(reader, map, "count"),
                }
            }
            "failing-check" => {
                members(reader, &["when"]);
                let when = reader.optional(map, "when", when).unwrap_or(CheckPhase::After);
                Self::FailingCheck { when }
            }
            "one-way-door" => {
                members(reader, &["flag"]);
                let flag = reader.optional(map, "flag", Reader::parsed);
                Self::OneWayDoor { flag }
            }
            _ => {
                members(reader, &["writers"]);
                let writers = reader.optional(map, "writers", |reader, value| reader.whole(value, "a number of writers", 1, 16));
                Self::ConcurrentEdits { writers: writers.unwrap_or(2) }
            }
        }
    }
}

fn count(reader: &mut Reader, map: &Map<String, Value>, member: &str) -> u64 {
    let count = reader.optional(map, member, |reader, value| reader.whole(value, "a number", 1, 1_000));
    count.unwrap_or(1)
}

fn outage(reader: &mut Reader, value: &Value) -> Read<StoreOutage> {
    match reader.text(value)? {
        "frozen" => Ok(StoreOutage::Frozen),
        "killed" => Ok(StoreOutage::Killed),
        other => reader.refuse(format!("{other:?} is not a kind of store outage; use frozen or killed")),
    }
}

fn moment(reader: &mut Reader, map: &Map<String, Value>, otherwise: FaultTime) -> FaultTime {
    let at = reader.optional(map, "at", |reader, value| match reader.text(value)? {
        "before-rollback" => Ok(FaultTime::BeforeRollback),
        "after-plan" => Ok(FaultTime::AfterPlan),
        "after-commit" => Ok(FaultTime::AfterCommit),
        other => reader.refuse(format!("{other:?} is not a moment in a drill; use before-rollback, after-plan or after-commit")),
    });
    at.unwrap_or(otherwise)
}

fn when(reader: &mut Reader, value: &Value) -> Read<CheckPhase> {
    match reader.text(value)? {
        "before" => Ok(CheckPhase::Before),
        "step" => Ok(CheckPhase::Step),
        "after" => Ok(CheckPhase::After),
        other => reader.refuse(format!("{other:?} is not a phase for a check; use before, step or after")),
    }
}
