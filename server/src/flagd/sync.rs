//! `FlagSyncService`: the flags, for clients with an engine of their own.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use ripcord_proto::grpc::sync_v1::flag_sync_service_server::FlagSyncService;
use ripcord_proto::grpc::sync_v1::{FetchAllFlagsRequest, FetchAllFlagsResponse, GetMetadataRequest, GetMetadataResponse, SyncFlagsRequest, SyncFlagsResponse};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::grpc_caller::GrpcCaller;
use super::state::FlagdState;
use crate::fleet::{Membership, NewMember, Transport};
use crate::snapshot::publication::Served;

/// Longest name of a client, in characters.
const NAME: usize = 80;

/// The service.
pub(super) struct Sync(pub(super) Arc<FlagdState>);

#[tonic::async_trait]
impl FlagSyncService for Sync {
    type SyncFlagsStream = Pin<Box<dyn Stream<Item = Result<SyncFlagsResponse, Status>> + Send>>;

    async fn sync_flags(&self, request: Request<SyncFlagsRequest>) -> Result<Response<Self::SyncFlagsStream>, Status> {
        let caller = self.0.caller(request.metadata(), &request.get_ref().selector)?;
        let member = self.0.fleet.join(&caller.environment, joining(&request));
        let mut served = caller.state.follow();
        served.mark_changed();
        let stream = SyncStream {
            caller,
            served,
            member,
            last: None,
            stop: self.0.stop.clone(),
        };
        Ok(Response::new(Box::pin(futures_util::stream::unfold(Some(stream), next))))
    }

    async fn fetch_all_flags(&self, request: Request<FetchAllFlagsRequest>) -> Result<Response<FetchAllFlagsResponse>, Status> {
        let caller = self.0.caller(request.metadata(), &request.get_ref().selector)?;
        let text = caller.state.rendered.text(&caller.state.served(), caller.selection.set.as_deref()).await?;
        Ok(Response::new(FetchAllFlagsResponse {
            flag_configuration: text.to_string(),
        }))
    }

    async fn get_metadata(&self, request: Request<GetMetadataRequest>) -> Result<Response<GetMetadataResponse>, Status> {
        self.0.caller(request.metadata(), "")?;
        Ok(Response::new(GetMetadataResponse {
            metadata: Some(prost_types::Struct::default()),
        }))
    }
}

fn joining(request: &Request<SyncFlagsRequest>) -> NewMember {
    let agent = request.metadata().get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or("flagd");
    let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(NAME).collect::<String>();
    let provider = shown(&request.get_ref().provider_id);
    NewMember {
        name: if provider.is_empty() { shown(agent) } else { provider },
        id: format!("flagd-{:016x}", rand::random::<u64>()),
        sdk: shown(agent),
        position: None,
        acknowledges: false,
        transport: Transport::Flagd,
    }
}

/// A client that gets the configuration, and again whenever it changes. Nothing is queued: a slow reader gets the newest
/// configuration once it has read the last one.
struct SyncStream {
    caller: GrpcCaller,
    served: watch::Receiver<Arc<Served>>,
    member: Membership,
    /// The last configuration sent.
    last: Option<Arc<str>>,
    stop: CancellationToken,
}

type SyncItem = Option<(Result<SyncFlagsResponse, Status>, Option<SyncStream>)>;

/// A stream always ends with an error: clients take an orderly end as final and do not reconnect.
async fn next(following: Option<SyncStream>) -> SyncItem {
    let mut following = following?;
    match following.next_text().await {
        Ok(text) => {
            let message = SyncFlagsResponse {
                flag_configuration: text.to_string(),
                sync_context: Some(prost_types::Struct::default()),
            };
            Some((Ok(message), Some(following)))
        }
        Err(status) => Some((Err(status), None)),
    }
}

impl SyncStream {
    async fn next_text(&mut self) -> Result<Arc<str>, Status> {
        loop {
            tokio::select! {
                changed = self.served.changed() => {
                    changed.map_err(|_| Status::not_found("the environment was deleted"))?;
                }
                () = self.stop.cancelled() => return Err(Status::unavailable("this node is shutting down; reconnect in a moment")),
            }
            let served = Arc::clone(&self.served.borrow_and_update());
            let text = self.caller.state.rendered.text(&served, self.caller.selection.set.as_deref()).await?;
            let is_news = self.last.as_ref() != Some(&text);
            self.last = Some(Arc::clone(&text));
            self.member.sent(served.snapshot.position);
            if is_news {
                return Ok(text);
            }
        }
    }
}
