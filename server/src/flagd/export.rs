//! The flags of an environment as flagd's JSON, rendered once for all clients.

use std::collections::HashMap;
use std::sync::Arc;

use ripcord_proto::flagd::{self, SkippedFlag};
use tokio::sync::Mutex;
use tonic::Status;

use crate::snapshot::publication::Served;

/// Most flag sets that are cached: clients may ask for sets that do not exist.
const SETS: usize = 64;

/// The newest rendering.
#[derive(Debug, Default)]
pub(super) struct Rendered(Mutex<Option<RenderedRevision>>);

#[derive(Debug)]
struct RenderedRevision {
    served: Arc<Served>,
    export: Arc<flagd::FlagdExport>,
    texts: HashMap<Option<String>, Arc<str>>,
}

impl Rendered {
    /// The configuration of a flag set, or of all flags, as it is served.
    pub(super) async fn text(&self, served: &Arc<Served>, set: Option<&str>) -> Result<Arc<str>, Status> {
        let mut last = self.0.lock().await;
        let revision = match last.take() {
            Some(revision) if Arc::ptr_eq(&revision.served, served) => last.insert(revision),
            before => last.insert(RenderedRevision::write(served, before.as_ref()).await?),
        };
        let key = set.map(str::to_owned);
        if let Some(text) = revision.texts.get(&key) {
            return Ok(Arc::clone(text));
        }
        let export = Arc::clone(&revision.export);
        let wanted = key.clone();
        let text: Arc<str> = aside(move || export.document(wanted.as_deref()).to_string().into()).await?;
        if revision.texts.len() < SETS {
            revision.texts.insert(key, Arc::clone(&text));
        }
        Ok(text)
    }
}

impl RenderedRevision {
    async fn write(served: &Arc<Served>, before: Option<&Self>) -> Result<Self, Status> {
        let source = Arc::clone(served);
        let export = aside(move || flagd::export(&source.snapshot, source.overlay.kills.values())).await?;
        if !export.left_out.is_empty() && before.is_none_or(|before| before.export.left_out != export.left_out) {
            log(served, &export.left_out);
        }
        Ok(Self {
            served: Arc::clone(served),
            export: Arc::new(export),
            texts: HashMap::new(),
        })
    }
}

fn log(served: &Served, left_out: &[SkippedFlag]) {
    for out in left_out {
        tracing::warn!(env = %served.snapshot.environment, flag = %out.flag, "flag not exported to flagd clients: {}", out.why);
    }
}

/// On a blocking thread, since large environments take a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    crate::tasks::blocking(work)
        .await
        .map_err(|error| Status::internal(format!("the flags could not be written: {error}")))
}
