//! The streaming client: flags evaluated from memory, kept up to date behind the scenes.
//!
//! ```text
//!            evaluations (any thread)                     one background thread
//!   Client ──► view ──► engine::Compiled ◄── swap ── run ◄──► protocol (sans-I/O)
//!                          │ counts                   │  └──► cache_writer ──► disk
//!                          ▼                          ▼
//!                       outcomes ──► POST          transport: websocket, sse, poll
//! ```
//!
//! The background thread has a small runtime of its own: the application needs none, a busy runtime of the application delays
//! nothing here, and nothing here runs on the application's threads but evaluations.

mod cache;
mod cache_writer;
mod changes;
mod handle;
mod lease;
mod listeners;
mod moment;
mod near;
mod options;
mod outcomes;
mod protocol;
mod reading;
mod ready;
mod run;
mod shared;
mod status;
mod transport;
mod view;

use std::sync::Arc;

use ripcord_proto::Snapshot;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::engine::Context;
pub use changes::Changes;
pub use handle::{BoolFlag, Evaluate, Handle, NumberFlag, ObjectFlag, StringFlag};
pub use listeners::Subscription;
pub use options::{Builder, Counting, StartError, StartPolicy, Transport};
pub use outcomes::Outcome;
pub use reading::Answer;
pub use ready::{NotReady, StatusWatch};
pub use status::{CacheStatus, OutcomeStatus, Source, State, Status, Trouble};
pub use view::View;

use near::with_in_force;
use reading::Reading;
use shared::Shared;
use view::Pinned;

/// A handle on a client. Cheap to clone; all clones are one client, which says goodbye when the last one is dropped.
///
/// Every evaluation answers at once, from memory, on the calling thread: it takes no lock, waits for nothing and never fails.
/// What cannot be answered gives the caller's own default, and the `_detail` twin says why.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
}

/// Ends the background thread when the last handle is gone.
#[derive(Debug)]
struct Owner {
    close: CancellationToken,
    timers: ready::Timers,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

impl Client {
    /// A client of the server at `address` (`http://127.0.0.1:8016`) with an `rc_sdk_…` key. Nothing happens before
    /// [`Builder::start`].
    pub fn builder(address: &str, key: &str) -> Builder {
        Builder::new(address, key)
    }

    /// A client without a server, which answers from `snapshot` for good.
    pub fn offline(snapshot: Snapshot) -> Self {
        let client = Self::unconnected();
        client.put(snapshot);
        client
    }

    /// A boolean flag.
    #[inline]
    pub fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        with_in_force(&self.shared, |loaded| self.read(loaded).bool(key, context, default))
    }

    /// A string flag. A [`View`] lends the text instead of copying it.
    pub fn string(&self, key: &str, context: &Context<'_>, default: &str) -> String {
        with_in_force(&self.shared, |loaded| self.read(loaded).string(key, context).unwrap_or(default).to_owned())
    }

    /// A number flag.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        with_in_force(&self.shared, |loaded| self.read(loaded).number(key, context, default))
    }

    /// An object flag. A [`View`] lends the object instead of copying it.
    pub fn object(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Map<String, Value> {
        let loaded = self.shared.load();
        self.read(&loaded).object(key, context).cloned().unwrap_or(default)
    }

    /// A boolean flag, and why.
    pub fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Answer<bool> {
        let loaded = self.shared.load();
        self.read(&loaded).bool_detail(key, context, default)
    }

    /// A string flag, and why.
    pub fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Answer<String> {
        let loaded = self.shared.load();
        self.read(&loaded).string_detail(key, context, default)
    }

    /// A number flag, and why.
    pub fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Answer<f64> {
        let loaded = self.shared.load();
        self.read(&loaded).number_detail(key, context, default)
    }

    /// An object flag, and why.
    pub fn object_detail(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Answer<Map<String, Value>> {
        let loaded = self.shared.load();
        self.read(&loaded).object_detail(key, context, default)
    }

    /// A flag that was declared once, with its type and default.
    #[inline]
    pub fn get<H: Handle>(&self, flag: &H, context: &Context<'_>) -> H::Value {
        with_in_force(&self.shared, |loaded| flag.read(self.read(loaded), context))
    }

    /// Pins what is in force, so that all flags of one request or session answer from one revision.
    pub fn view(&self) -> View {
        View::new(Arc::clone(&self.shared))
    }

    /// Says how something that was served went; it is counted for the variant that `answer` names.
    #[expect(clippy::unused_self, reason = "an answer knows where it is counted; it is the client that is told")]
    pub fn outcome<T>(&self, answer: &Answer<T>, outcome: Outcome) {
        answer.went(outcome);
    }

    /// Says how it went for somebody without an answer at hand; it is counted for the variant that is served to `context` now, and
    /// as no further evaluation.
    pub fn track(&self, key: &str, context: &Context<'_>, outcome: Outcome) {
        let loaded = self.shared.load();
        self.read(&loaded).went(key, context, outcome);
    }

    /// Where the client is with the server, now.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// The status from now on.
    pub fn watch_status(&self) -> StatusWatch {
        StatusWatch::new(self.shared.watch())
    }

    /// Calls `listener` after each change of what is in force, until the [`Subscription`] is dropped. It is called on a thread of
    /// its own, and may take its time: what changes meanwhile is gathered into the next call.
    pub fn on_change(&self, listener: impl Fn(&Changes) + Send + Sync + 'static) -> Subscription {
        self.shared.listeners().add(listener)
    }

    /// Says goodbye to the server, writes the disk cache, sends the last counts, and returns when that is done (two or three
    /// seconds at most). What was in force goes on answering. Dropping the future changes nothing: the client closes all the same.
    pub async fn close(&self) {
        self.owner.close.cancel();
        self.shared.ended().cancelled().await;
    }

    /// A client without a background thread.
    pub(crate) fn unconnected() -> Self {
        let shared = Arc::new(Shared::new(Status::offline(), shared::Counted::No));
        let owner = Owner {
            close: CancellationToken::new(),
            timers: ready::Timers::none(),
        };
        shared.ended().cancel();
        Self {
            shared,
            owner: Arc::new(owner),
        }
    }

    /// Puts a state in force by hand.
    pub(crate) fn put(&self, snapshot: Snapshot) {
        let position = snapshot.position;
        self.shared.apply(protocol::Apply::by_hand(snapshot));
        self.shared.set_status(|status| status.position = Some(position));
    }

    /// Reads from what was loaded.
    #[inline]
    fn read<'r>(&self, loaded: &'r Pinned) -> Reading<'r> {
        Reading::new(loaded.as_ref(), self.shared.unheard())
    }
}

/// Starts the background thread.
fn start(builder: &Builder) -> Result<Client, StartError> {
    let environment = builder.environment_key()?;
    let server = transport::http::Server::new(&builder.address, &builder.key, environment.clone(), &builder.root_certificates)?;
    let instance_id = format!("{:032x}", rand::random::<u128>());
    let whose = environment.as_ref().map_or_else(
        || format!("{} key {}", server.base(), builder.key),
        |environment| format!("{} environment {environment}", server.base()),
    );
    let cache = builder.cache_dir.as_ref().map(|directory| cache::Cache::new(directory, &whose, &instance_id));
    let now = moment::Moment::now();
    let rules = protocol::Rules::new(builder, environment, instance_id.clone());
    let counted = match builder.counting {
        Counting::Off => shared::Counted::No,
        Counting::Every(_) => shared::Counted::Yes,
    };
    let shared = Arc::new(Shared::new(Status::at_start(now.wall), counted));
    let close = CancellationToken::new();
    let (timers, timing) = ready::Timers::new();
    let runner = run::Runner {
        protocol: protocol::Protocol::new(rules, rand::random(), now),
        shared: Arc::clone(&shared),
        server: server.clone(),
        transport: builder.transport,
        policy: builder.start_policy,
        cache,
        close: close.clone(),
    };
    let counting = match builder.counting {
        Counting::Off => None,
        Counting::Every(period) => Some(outcomes::run(Arc::clone(&shared), server, instance_id, period, close.clone())),
    };
    run::spawn(runner, counting, timing)?;
    let owner = Arc::new(Owner { close, timers });
    Ok(Client { shared, owner })
}
