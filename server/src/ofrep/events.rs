//! Server-sent events that tell a client to fetch again. They carry no flag data.
//!
//! A browser can only send a URL, so the URL in a bulk answer carries a token, valid for the events of one client in one environment for as
//! long as the key is valid. The token covers the client's id, so that no client can listen as another one.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_http::RequestHead;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::{EnvironmentKey, limits};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client;
use super::error::OfrepError;
use super::request::OfrepRequest;
use super::service::Service;
use super::versions::{Version, VersionTag};
use crate::access::evaluator::EventsSubject;
use crate::fleet::Membership;
use crate::http::ApiError;
use crate::remote::Selection;
use crate::snapshot::publication::Served;

/// Interval of comments that keep proxies from closing the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Shortest time between two events.
const SPACING: Duration = Duration::from_millis(50);
/// Seconds in the background after which a client may close its stream.
const INACTIVITY: u32 = 120;

/// The stream as listed in a bulk answer.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventStream {
    r#type: &'static str,
    endpoint: Endpoint,
    inactivity_delay_sec: u32,
}

#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    request_uri: String,
}

impl EventStream {
    /// The stream for a client that was answered from `served`.
    pub(super) fn of(service: &Service, request: &OfrepRequest, served: &Served, client: &str) -> Self {
        let token = service
            .access
            .events_token(&request.permit, client)
            .map(|token| token.to_string())
            .unwrap_or_default();
        let (environment, key, at) = (request.permit.environment(), request.permit.caller(), VersionTag::of(served));
        let set = request
            .selection
            .set
            .as_ref()
            .map(|set| format!("&set={}", utf8_percent_encode(set, NON_ALPHANUMERIC)));
        Self {
            r#type: "sse",
            endpoint: Endpoint {
                origin: service.public_url.origin().map(ToOwned::to_owned),
                request_uri: service.public_url.path(&format!(
                    "/ofrep/v1/events?environment={environment}&key={key}&token={token}&client={client}&at={}{}",
                    at.as_str(),
                    set.unwrap_or_default()
                )),
            },
            inactivity_delay_sec: INACTIVITY,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
struct StreamParams {
    environment: EnvironmentKey,
    key: String,
    token: Digest,
    client: String,
    at: String,
    /// The flag set that the client selects, if any.
    set: Option<String>,
}

impl StreamParams {
    fn subject(&self) -> EventsSubject<'_> {
        EventsSubject {
            environment: self.environment.as_str(),
            client: &self.client,
        }
    }
}

/// Opens a stream.
pub(super) fn listen(head: &RequestHead, service: &Arc<Service>) -> HttpResponse {
    match open(head, service) {
        Ok(response) => response,
        Err(error) => error.respond(None),
    }
}

fn open(request: &RequestHead, service: &Arc<Service>) -> Result<HttpResponse, OfrepError> {
    let refuse = || {
        // A wrong token is a wrong key: of those from one address, only so many are answered at a time.
        let address = request.peer_addr.map(|address| address.ip());
        let unknown = || ApiError::new(Code::Unauthenticated, "Open this stream with the exact URL from a bulk evaluation.");
        service.access.limits().wrong_key(address).err().map_or_else(unknown, ApiError::from)
    };
    let query = web::Query::<StreamParams>::from_query(request.uri.query().unwrap_or_default())
        .map_err(|_| refuse())?
        .into_inner();
    let role = service.access.role_of_events_token(&query.key, &query.subject(), &query.token);
    let selection = Selection::of_set(query.set.clone()).seen_by(role.ok_or_else(refuse)?);
    let missing = || ApiError::new(Code::EnvironmentNotFound, format!("No environment {}.", query.environment));
    let head = service.versions.watch(query.environment.as_str()).ok_or_else(missing)?;
    let place = StreamSlot::take(service)
        .ok_or_else(|| ApiError::new(Code::NotReady, "This node has reached its limit of streams. Try again later.").retry_after(5))?;
    let last = request
        .headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or(&query.at)
        .to_owned();
    let member = service.fleet.listens(
        &query.environment,
        client::member(request, &query.key, &query.client),
        VersionTag::position(&last),
    );
    let stream = ChangeStream {
        service: Arc::clone(service),
        told: service
            .board
            .served(query.environment.as_str())
            .filter(|served| VersionTag::of(served).as_str() == last),
        selection,
        head,
        last,
        query,
        spaced_until: Instant::now(),
        greeted: false,
        member,
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::stream::unfold(stream, ChangeStream::next)))
}

/// A slot of the limit of streams.
struct StreamSlot(Arc<Service>);

impl StreamSlot {
    fn take(service: &Arc<Service>) -> Option<Self> {
        let taken = service.streams.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(service));
        (taken < limits::OFREP_STREAMS).then_some(place)
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open stream. Nothing is queued: a slow reader finds the newest when it takes the next event.
struct ChangeStream {
    service: Arc<Service>,
    head: watch::Receiver<Version>,
    query: StreamParams,
    /// The tag that the client knows.
    last: String,
    /// The state of that tag, if this node still knows it.
    told: Option<Arc<Served>>,
    /// The flags that the client sees.
    selection: Selection,
    spaced_until: Instant,
    greeted: bool,
    member: Membership,
    _place: StreamSlot,
}

impl ChangeStream {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if !self.greeted {
            self.greeted = true;
            return Some((Ok(Bytes::from_static(b": listening\nretry: 2000\n\n")), self));
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            tokio::time::sleep_until(self.spaced_until).await;
            let head = self.head.borrow_and_update().clone();
            if !self
                .service
                .access
                .knows_events_token(&self.query.key, &self.query.subject(), &self.query.token)
            {
                return None;
            }
            if head.tag.as_str() != self.last {
                self.last = head.tag.as_str().to_owned();
                if self.concerns_client(&head) {
                    self.spaced_until = Instant::now() + SPACING;
                    return Some((Ok(event(&head)), self));
                }
            }
            let stop = self.service.stop.clone();
            tokio::select! {
                changed = self.head.changed() => if changed.is_err() { return None },
                () = tokio::time::sleep_until(heartbeat) => return Some((Ok(Bytes::from_static(b":\n\n")), self)),
                () = stop.cancelled() => return None,
            }
        }
    }
}

impl ChangeStream {
    /// Whether answers may differ from those that the client has. If not, it need not fetch again.
    fn concerns_client(&mut self, head: &Version) -> bool {
        let Some(before) = self.told.replace(Arc::clone(&head.served)) else {
            return true;
        };
        let concerns = !head.changes.between(&before, &head.served, &self.selection).is_empty();
        if !concerns {
            self.member.unaffected(before.snapshot.position, head.position);
        }
        concerns
    }
}

fn event(head: &Version) -> Bytes {
    let tag = head.tag.as_str();
    let data = json!({"type": "refetchEvaluation", "etag": tag, "lastModified": head.modified});
    Bytes::from(format!("id: {tag}\ndata: {data}\n\n"))
}
