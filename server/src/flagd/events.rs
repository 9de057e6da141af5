//! The event stream of both versions: `provider_ready` at once, then the flags whose value may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use prost_types::Struct;
use ripcord_proto::{Kill, KillId};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::context;
use super::grpc_caller::GrpcCaller;
use crate::remote::Selection;
use crate::snapshot::publication::Served;

/// Interval of keep-alive events on a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// An event: its type, and its data if it has any.
pub(super) type Event = (&'static str, Option<Struct>);
/// A stream of what a version makes of events.
pub(super) type Events<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

struct ChangeEvents {
    caller: GrpcCaller,
    served: watch::Receiver<Arc<Served>>,
    /// What was served at the last event.
    told: Arc<Served>,
    stop: CancellationToken,
    phase: EventPhase,
}

#[derive(Clone, Copy, PartialEq)]
enum EventPhase {
    New,
    Ready,
    Over,
}

/// Follows what the caller sees; `write` makes the version's message of an event.
pub(super) fn follow<M: 'static>(caller: GrpcCaller, stop: CancellationToken, write: fn(Event) -> M) -> Events<M> {
    let mut served = caller.state.follow();
    let told = Arc::clone(&served.borrow_and_update());
    let listening = ChangeEvents {
        caller,
        served,
        told,
        stop,
        phase: EventPhase::New,
    };
    Box::pin(futures_util::stream::unfold(listening, move |mut listening| async move {
        let step = listening.next().await?;
        Some((step.map(write), listening))
    }))
}

impl ChangeEvents {
    async fn next(&mut self) -> Option<Result<Event, Status>> {
        match self.phase {
            EventPhase::New => {
                self.phase = EventPhase::Ready;
                return Some(Ok(("provider_ready", None)));
            }
            EventPhase::Over => return None,
            EventPhase::Ready => {}
        }
        let quiet = Instant::now() + KEEP_ALIVE;
        loop {
            tokio::select! {
                changed = self.served.changed() => if changed.is_err() {
                    self.phase = EventPhase::Over;
                    return Some(Err(Status::not_found("the environment was deleted")));
                },
                () = tokio::time::sleep_until(quiet) => return Some(Ok(("keep_alive", None))),
                () = self.stop.cancelled() => {
                    self.phase = EventPhase::Over;
                    return Some(Ok(("provider_shutdown", None)));
                }
            }
            let now = Arc::clone(&self.served.borrow_and_update());
            let changes = changes(&self.told, &now, &self.caller.selection);
            self.told = now;
            if !changes.is_empty() {
                let flags: serde_json::Map<String, Value> = changes.into_iter().map(|(key, kind)| (key, json!({ "type": kind }))).collect();
                return Some(Ok(("configuration_change", Some(context::write([("flags", Value::Object(flags))])))));
            }
        }
    }
}

/// Every flag whose answer may have changed, and how.
fn changes(before: &Served, after: &Served, selection: &Selection) -> BTreeMap<String, &'static str> {
    let (old, new) = (&before.snapshot, &after.snapshot);
    let seen = |served: &Served, key: &str| served.snapshot.flags.value(key).is_none_or(|flag| selection.shows(flag));
    let everywhere = old.settings != new.settings || !same_segments(before, after);
    let mut changed: BTreeSet<&str> = killed_on_one_side(before, after);
    for entry in &new.flags {
        let key = entry.key().as_str();
        if everywhere || old.flags.get(key).is_none_or(|was| was.digest() != entry.digest()) {
            changed.insert(key);
        }
    }
    changed.extend(old.flags.iter().map(|entry| entry.key().as_str()).filter(|key| new.flags.get(key).is_none()));
    add_dependents(&mut changed, after);
    let kind = |key: &str| match (old.flags.get(key).is_some(), new.flags.get(key).is_some()) {
        (false, _) => "write",
        (true, true) => "update",
        (true, false) => "delete",
    };
    let told = changed.into_iter().filter(|key| seen(before, key) || seen(after, key));
    told.map(|key| (key.to_owned(), kind(key))).collect()
}

fn same_segments(before: &Served, after: &Served) -> bool {
    let digests = |served: &Served| served.snapshot.segments.iter().map(|entry| *entry.digest()).collect::<Vec<_>>();
    digests(before) == digests(after)
}

/// The flags of kills that are in force on one side only.
fn killed_on_one_side<'s>(before: &'s Served, after: &'s Served) -> BTreeSet<&'s str> {
    let (was, is) = (kills(before), kills(after));
    let differing = was
        .iter()
        .filter(|(id, _)| !is.contains_key(*id))
        .chain(is.iter().filter(|(id, _)| !was.contains_key(*id)));
    let differing: Vec<&Kill> = differing.map(|(_, kill)| *kill).collect();
    let keys = before.snapshot.flags.iter().chain(&after.snapshot.flags).map(|entry| entry.key().as_str());
    keys.filter(|key| differing.iter().any(|kill| kill.covers(key))).collect()
}

fn kills(served: &Served) -> BTreeMap<&KillId, &Kill> {
    let committed = served.snapshot.kills.iter().filter_map(|entry| entry.value().ok());
    committed.chain(served.overlay.kills.values()).map(|kill| (&kill.id, kill)).collect()
}

/// The flags that require one of `changed`, and those that require these.
fn add_dependents<'s>(changed: &mut BTreeSet<&'s str>, served: &'s Served) {
    loop {
        let requiring = served.snapshot.flags.iter().filter(|entry| {
            let required = |flag: &ripcord_proto::Flag| flag.requires.iter().any(|requirement| changed.contains(requirement.flag.as_str()));
            !changed.contains(entry.key().as_str()) && entry.value().is_ok_and(required)
        });
        let found: Vec<&str> = requiring.map(|entry| entry.key().as_str()).collect();
        if found.is_empty() {
            return;
        }
        changed.extend(found);
    }
}
