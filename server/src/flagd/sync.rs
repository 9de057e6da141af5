//! `FlagSyncService`: the flags, for clients with an engine of their own.

use std::sync::Arc;

use bytes::Bytes;
use connectrpc::{CodecFormat, ConnectError, EncodedBody, EncodedStream};
use ripcord_proto::grpc::sync_v1::{GetMetadataResponse, SyncFlagsRequest};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::HeaderMap;

use super::caller::{FlagdCaller, KeyWatch};
use super::context;
use super::error::{deleted, shutting_down};
use super::export::{RenderedFlags, SyncMessage};
use super::message::{decode, encode};
use super::pace::{Due, Pace};
use super::state::FlagdState;
use crate::fleet::{Fleet, Membership, Transport};
use crate::snapshot::publication::Served;

/// Opens a stream: the flags at once, and whenever they change.
pub(super) fn follow(state: &FlagdState, headers: &HeaderMap, request: &SyncFlagsRequest, format: CodecFormat) -> Result<EncodedStream, ConnectError> {
    let caller = state.caller(headers, &request.selector)?;
    let member = state
        .fleet
        .join(&caller.environment, caller.member(headers, &request.provider_id, Transport::Flagd));
    let mut served = caller.state.follow();
    let seen = Arc::clone(&served.borrow_and_update());
    let mut pace = Pace::default();
    pace.changed(true, Instant::now());
    let stream = SyncStream {
        key: state.watch_key(headers, &caller)?,
        caller,
        served,
        seen,
        member,
        last: None,
        pace,
        stop: state.stop.clone(),
        fleet: state.fleet.clone(),
        format,
    };
    Ok(Box::pin(futures_util::stream::unfold(Some(stream), next)))
}

/// The flags once.
pub(super) async fn fetch(state: &FlagdState, headers: &HeaderMap, request: &[u8], format: CodecFormat) -> Result<EncodedBody, ConnectError> {
    let request: SyncFlagsRequest = decode(request, format)?;
    let caller = state.caller(headers, &request.selector)?;
    let flags = caller.state.rendered.flags(&caller.state.served(), caller.selection.set.as_deref()).await?;
    Ok(flags.written(SyncMessage::FetchAllFlags, format))
}

/// What every client lays over its contexts. A key of several environments needs no selector here, and then there is nothing: clients that
/// send none would not start otherwise, and the stream has it too.
pub(super) fn metadata(state: &FlagdState, headers: &HeaderMap, format: CodecFormat) -> Result<Bytes, ConnectError> {
    state.authenticated(headers)?;
    let metadata = state
        .caller(headers, "")
        .map(|caller| context::write_object(&caller.state.served().snapshot.settings.context));
    let response = GetMetadataResponse {
        metadata: Some(metadata.unwrap_or_default()),
    };
    Ok(encode(&response, format))
}

/// A client that gets the flags, and again whenever they change. Nothing is queued: a slow reader gets the newest flags once it has read
/// the last ones.
struct SyncStream {
    caller: FlagdCaller,
    fleet: Fleet,
    key: KeyWatch,
    served: watch::Receiver<Arc<Served>>,
    /// The newest state that the stream knows of.
    seen: Arc<Served>,
    member: Membership,
    /// What was sent last.
    last: Option<Arc<RenderedFlags>>,
    pace: Pace,
    stop: CancellationToken,
    format: CodecFormat,
}

type SyncItem = Option<(Result<EncodedBody, ConnectError>, Option<SyncStream>)>;

/// A stream always ends with an error: clients take an orderly end as final and do not reconnect.
async fn next(following: Option<SyncStream>) -> SyncItem {
    let mut following = following?;
    match following.next_flags().await {
        Ok(flags) => Some((Ok(flags.written(SyncMessage::SyncFlags, following.format)), Some(following))),
        Err(error) => Some((Err(error), None)),
    }
}

impl SyncStream {
    async fn next_flags(&mut self) -> Result<Arc<RenderedFlags>, ConnectError> {
        loop {
            let due = self.pace.due();
            let at = due.map_or_else(Instant::now, |(_, at)| at);
            tokio::select! {
                changed = self.served.changed() => {
                    changed.map_err(|_| deleted())?;
                    let now = Arc::clone(&self.served.borrow_and_update());
                    self.pace.changed(is_urgent(&self.seen, &now), Instant::now());
                    self.seen = now;
                }
                () = tokio::time::sleep_until(at), if due.is_some() => {
                    if let Some((due, _)) = due
                        && let Some(flags) = self.due(due).await?
                    {
                        return Ok(flags);
                    }
                }
                error = self.key.refused() => return Err(error),
                () = self.stop.cancelled() => return Err(shutting_down()),
            }
        }
    }

    /// What goes out now; nothing if a change makes no difference to this reader.
    async fn due(&mut self, due: Due) -> Result<Option<Arc<RenderedFlags>>, ConnectError> {
        if let (Due::Repetition, Some(last)) = (due, &self.last) {
            self.pace.repeated();
            return Ok(Some(Arc::clone(last)));
        }
        let flags = self.caller.state.rendered.flags(&self.seen, self.caller.selection.set.as_deref()).await?;
        self.member.sent(self.seen.snapshot.position);
        if self.caller.selection.set.is_none() {
            self.fleet.sent_message(&self.seen.snapshot.environment, flags.bytes());
        }
        if self.last.as_ref().is_some_and(|last| last.is_same(&flags)) {
            self.pace.skipped();
            return Ok(None);
        }
        self.pace.sent(Instant::now());
        self.last = Some(Arc::clone(&flags));
        Ok(Some(flags))
    }
}

/// Whether a kill, a rollback or another urgent revision lies between the two.
fn is_urgent(before: &Served, after: &Served) -> bool {
    after.urgent > before.urgent || after.overlay.kills.keys().ne(before.overlay.kills.keys())
}
