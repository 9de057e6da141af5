//! The flags of an environment as flagd's JSON, rendered once for all clients.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use connectrpc::{CodecFormat, ConnectError, EncodedBody, ErrorCode};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::Struct;
use ripcord_proto::digest::Digest;
use ripcord_proto::flagd::{self, SkippedFlag};
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsResponse, SyncFlagsResponse};
use tokio::sync::Mutex;

use super::context;
use super::error::flagd_error;
use super::message::encode;
use crate::snapshot::publication::Served;

/// Most flag sets that are cached: clients may ask for sets that do not exist.
const SETS: usize = 64;

/// The flags of one set, as every client of it gets them. The text is shared by all their messages.
#[derive(Debug)]
pub(super) struct RenderedFlags {
    text: Bytes,
    digest: Digest,
    /// What clients lay over their contexts.
    context: Struct,
}

/// The message that carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SyncMessage {
    SyncFlags,
    FetchAllFlags,
}

impl RenderedFlags {
    fn new(text: String, context: Struct) -> Self {
        Self {
            digest: Digest::of([text.as_bytes(), &[0], &context.encode_to_vec()]),
            text: text.into(),
            context,
        }
    }

    /// Whether a client would get the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Bytes of its text.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// As a message. In protobuf, its text is not copied: both messages have it as their first field.
    pub(super) fn written(&self, message: SyncMessage, format: CodecFormat) -> EncodedBody {
        if format != CodecFormat::Proto {
            return self.written_as_json(message).into();
        }
        let mut head = BytesMut::new();
        encode_key(1, WireType::LengthDelimited, &mut head);
        encode_varint(self.text.len() as u64, &mut head);
        let mut segments = vec![head.freeze(), self.text.clone()];
        if message == SyncMessage::SyncFlags {
            let rest = SyncFlagsResponse {
                flag_configuration: String::new(),
                sync_context: Some(self.context.clone()),
            };
            segments.push(rest.encode_to_vec().into());
        }
        EncodedBody::from_segments(segments)
    }

    fn written_as_json(&self, message: SyncMessage) -> Bytes {
        let flag_configuration = String::from_utf8_lossy(&self.text).into_owned();
        match message {
            SyncMessage::SyncFlags => encode(
                &SyncFlagsResponse {
                    flag_configuration,
                    sync_context: Some(self.context.clone()),
                },
                CodecFormat::Json,
            ),
            SyncMessage::FetchAllFlags => encode(&FetchAllFlagsResponse { flag_configuration }, CodecFormat::Json),
        }
    }
}

/// The newest rendering.
#[derive(Debug, Default)]
pub(super) struct Rendered(Mutex<Option<RenderedRevision>>);

#[derive(Debug)]
struct RenderedRevision {
    served: Arc<Served>,
    export: Arc<flagd::FlagdExport>,
    sets: HashMap<Option<String>, Arc<RenderedFlags>>,
}

impl Rendered {
    /// A flag set, or all flags, as it is served.
    pub(super) async fn flags(&self, served: &Arc<Served>, set: Option<&str>) -> Result<Arc<RenderedFlags>, ConnectError> {
        let mut last = self.0.lock().await;
        let revision = match last.take() {
            Some(revision) if Arc::ptr_eq(&revision.served, served) => last.insert(revision),
            before => last.insert(RenderedRevision::write(served, before.as_ref()).await?),
        };
        let key = set.map(str::to_owned);
        if let Some(flags) = revision.sets.get(&key) {
            return Ok(Arc::clone(flags));
        }
        let export = Arc::clone(&revision.export);
        let wanted = key.clone();
        let context = context::write_object(&served.snapshot.settings.context);
        let flags = aside(move || RenderedFlags::new(export.document(wanted.as_deref()).to_string(), context)).await?;
        let flags = Arc::new(flags);
        if revision.sets.len() < SETS {
            revision.sets.insert(key, Arc::clone(&flags));
        }
        Ok(flags)
    }
}

impl RenderedRevision {
    async fn write(served: &Arc<Served>, before: Option<&Self>) -> Result<Self, ConnectError> {
        let source = Arc::clone(served);
        let export = aside(move || flagd::export(&source.snapshot, source.overlay.kills.values())).await?;
        if !export.left_out.is_empty() && before.is_none_or(|before| before.export.left_out != export.left_out) {
            log(served, &export.left_out);
        }
        Ok(Self {
            served: Arc::clone(served),
            export: Arc::new(export),
            sets: HashMap::new(),
        })
    }
}

fn log(served: &Served, left_out: &[SkippedFlag]) {
    for out in left_out {
        tracing::warn!(env = %served.snapshot.environment, flag = %out.flag, "flag not exported to flagd clients: {}", out.why);
    }
}

/// On a blocking thread, since large environments take a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ConnectError> {
    crate::tasks::blocking(work)
        .await
        .map_err(|error| flagd_error(ErrorCode::Internal, format!("the flags could not be written: {error}")))
}
