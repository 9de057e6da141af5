//! The event stream of both versions: `provider_ready` at once, then the flags whose value may have changed.

use std::sync::Arc;
use std::time::Duration;

use connectrpc::{CodecFormat, ConnectError, EncodedBody, EncodedStream};
use prost_types::Struct;
use ripcord_proto::grpc::evaluation_v2::EventStreamResponse;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::HeaderMap;

use super::caller::{FlagdCaller, KeyWatch};
use super::context;
use super::error::{deleted, shutting_down};
use super::message::encode;
use super::state::FlagdState;
use crate::fleet::{Membership, Transport};
use crate::remote::{FlagChange, FlagChanges};
use crate::snapshot::publication::Served;

/// Interval of keep-alive events on a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

struct ChangeEvents {
    caller: FlagdCaller,
    member: Membership,
    key: KeyWatch,
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
    Following,
    Ending,
    Over,
}

/// Follows what the caller sees.
pub(super) fn follow(state: &FlagdState, headers: &HeaderMap, format: CodecFormat) -> Result<EncodedStream, ConnectError> {
    let caller = state.caller(headers, "")?;
    let mut served = caller.state.follow();
    let told = Arc::clone(&served.borrow_and_update());
    let listening = ChangeEvents {
        key: state.watch_key(headers, &caller)?,
        member: state.fleet.join(&caller.environment, caller.member(headers, "", Transport::FlagdRpc)),
        caller,
        served,
        told,
        stop: state.stop.clone(),
        phase: EventPhase::New,
    };
    Ok(Box::pin(futures_util::stream::unfold(listening, move |mut listening| async move {
        let step = listening.next().await?;
        Some((step.map(|event| EncodedBody::from(encode(&event, format))), listening))
    })))
}

impl ChangeEvents {
    /// The next event. A stream always ends with an error: clients take an orderly end as final and never open it again.
    async fn next(&mut self) -> Option<Result<EventStreamResponse, ConnectError>> {
        match self.phase {
            EventPhase::New => {
                self.phase = EventPhase::Ready;
                Some(Ok(event("provider_ready", None)))
            }
            EventPhase::Ready => {
                self.phase = EventPhase::Following;
                self.member.sent(self.told.snapshot.position);
                Some(Ok(event("configuration_change", Some(change_data(self.everything())))))
            }
            EventPhase::Following => Some(self.following().await),
            EventPhase::Ending => {
                self.phase = EventPhase::Over;
                Some(Err(shutting_down()))
            }
            EventPhase::Over => None,
        }
    }

    async fn following(&mut self) -> Result<EventStreamResponse, ConnectError> {
        let quiet = Instant::now() + KEEP_ALIVE;
        loop {
            tokio::select! {
                changed = self.served.changed() => if changed.is_err() {
                    self.phase = EventPhase::Over;
                    return Err(deleted());
                },
                () = tokio::time::sleep_until(quiet) => return Ok(event("keep_alive", None)),
                error = self.key.refused() => {
                    self.phase = EventPhase::Over;
                    return Err(error);
                }
                () = self.stop.cancelled() => {
                    self.phase = EventPhase::Ending;
                    return Ok(event("provider_shutdown", None));
                }
            }
            let now = Arc::clone(&self.served.borrow_and_update());
            let changes = self.caller.state.changes.between(&self.told, &now, &self.caller.selection);
            self.told = now;
            self.member.sent(self.told.snapshot.position);
            if !changes.is_empty() {
                return Ok(event("configuration_change", Some(change_data(changes))));
            }
        }
    }

    /// Every flag that the caller sees, and those that were deleted lately: a client that had lost its stream may hold an old answer for
    /// any of them.
    fn everything(&self) -> FlagChanges {
        let selection = &self.caller.selection;
        let flags = self.told.snapshot.flags.iter();
        let shown = flags.filter(|entry| selection.is_everything() || entry.value().is_ok_and(|flag| selection.shows(flag)));
        let shown = shown.map(|entry| (entry.key().to_string(), FlagChange::Update));
        let deleted = self.caller.state.deleted().into_iter().map(|key| (key, FlagChange::Delete));
        deleted.chain(shown).collect()
    }
}

fn event(kind: &str, data: Option<Struct>) -> EventStreamResponse {
    EventStreamResponse { r#type: kind.to_owned(), data }
}

fn change_data(changes: FlagChanges) -> Struct {
    let flags: Map<String, Value> = changes.into_iter().map(|(key, change)| (key, json!({ "type": change.as_str() }))).collect();
    context::write([("flags", Value::Object(flags))])
}
