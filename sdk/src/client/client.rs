//! The client as an application uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::{FlagKey, Snapshot};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::alarms::Alarms;
use super::changes::Changes;
use super::detail::Detail;
use super::evaluator::Evaluator;
use super::listeners::Subscription;
use super::outcomes::Outcome;
use super::protocol::NewState;
use super::shared::{Loaded, Recording, Shared};
use super::status::Status;
use super::thread_cache::with_current;
use super::typed_flag::TypedFlag;
use super::view::View;
use crate::engine::{CompileIssue, Context};

/// A client. It is cheap to clone, and all clones are one client. It says goodbye to the server when the last clone is dropped.
///
/// Every evaluation answers at once, from memory, on the calling thread. It takes no lock, never waits and never fails: if there is
/// nothing to serve it returns the caller's default. The method that ends in `_detail` also says why.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
}

/// Ends the background thread when the last clone is dropped.
#[derive(Debug)]
struct Owner {
    close: CancellationToken,
    alarms: Alarms,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

impl Client {
    /// A client without a server, which always evaluates `snapshot`.
    pub fn offline(snapshot: Snapshot) -> Self {
        let client = Self::unconnected();
        client.put(snapshot);
        client
    }

    /// Evaluates a boolean flag.
    #[inline]
    pub fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        with_current(&self.shared, |loaded| self.evaluator(loaded).bool(key, context, default))
    }

    /// Evaluates a string flag. A [`View`] lends the string instead of copying it.
    pub fn string(&self, key: &str, context: &Context<'_>, default: &str) -> String {
        with_current(&self.shared, |loaded| self.evaluator(loaded).string(key, context).unwrap_or(default).to_owned())
    }

    /// Evaluates a number flag as a float.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        with_current(&self.shared, |loaded| self.evaluator(loaded).number(key, context, default))
    }

    /// Evaluates a number flag as an integer. A number with a fraction is a type mismatch, which gives `default`.
    #[inline]
    pub fn integer(&self, key: &str, context: &Context<'_>, default: i64) -> i64 {
        with_current(&self.shared, |loaded| self.evaluator(loaded).integer(key, context, default))
    }

    /// Evaluates an object flag. A [`View`] lends the object instead of copying it.
    pub fn object(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Map<String, Value> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).object(key, context).cloned().unwrap_or(default)
    }

    /// Evaluates an object flag and deserializes the object. An object that does not fit `T` is a type mismatch, which gives
    /// `default`. It deserializes on every call, so keep the result for the length of a request.
    pub fn json<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: T) -> T {
        let loaded = self.shared.load();
        self.evaluator(&loaded).json(key, context, || default)
    }

    /// Evaluates a boolean flag and says why it serves this value.
    pub fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Detail<bool> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).bool_detail(key, context, default)
    }

    /// Evaluates a string flag and says why it serves this value.
    pub fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Detail<String> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).string_detail(key, context, default)
    }

    /// Evaluates a number flag as a float and says why it serves this value.
    pub fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Detail<f64> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).number_detail(key, context, default)
    }

    /// Evaluates a number flag as an integer and says why it serves this value.
    pub fn integer_detail(&self, key: &str, context: &Context<'_>, default: i64) -> Detail<i64> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).integer_detail(key, context, default)
    }

    /// Evaluates an object flag and says why it serves this value.
    pub fn object_detail(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Detail<Map<String, Value>> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).object_detail(key, context, || default)
    }

    /// Evaluates an object flag, deserializes the object, and says why it serves this value.
    pub fn json_detail<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: T) -> Detail<T> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).json_detail(key, context, || default)
    }

    /// Evaluates a flag that was declared once with its type and default, for example a [`BoolFlag`](crate::BoolFlag).
    #[inline]
    pub fn get<F: TypedFlag>(&self, flag: &F, context: &Context<'_>) -> F::Value {
        with_current(&self.shared, |loaded| flag.value(self.evaluator(loaded), context))
    }

    /// Evaluates a declared flag and says why it serves this value.
    pub fn detail<F: TypedFlag>(&self, flag: &F, context: &Context<'_>) -> Detail<F::Value> {
        let loaded = self.shared.load();
        flag.detail(self.evaluator(&loaded), context)
    }

    /// Evaluates every flag, for example to hand them to a page. A value is null if the flag leaves it to the caller's default. These
    /// evaluations are neither counted nor observed.
    pub fn all_flags(&self, context: &Context<'_>) -> BTreeMap<FlagKey, Detail<Value>> {
        let loaded = self.shared.load();
        self.evaluator(&loaded).all(context)
    }

    /// Pins the current revision, so that all flags of one request or session are evaluated at the same one.
    pub fn view(&self) -> View {
        View::new(Arc::clone(&self.shared))
    }

    /// Reports how it went for a user who was served `detail`. It is counted for the variant that `detail` names.
    #[expect(clippy::unused_self, reason = "the detail knows its counter, but the outcome is reported to the client")]
    pub fn outcome<T>(&self, detail: &Detail<T>, outcome: Outcome) {
        detail.record(outcome);
    }

    /// Reports an outcome by key and context, if there is no [`Detail`] at hand. It is counted for the variant that `context` would be
    /// served now, and does not count as an evaluation.
    pub fn track(&self, key: &str, context: &Context<'_>, outcome: Outcome) {
        let loaded = self.shared.load();
        self.evaluator(&loaded).record(key, context, outcome);
    }

    /// The flags, segments and kills of the current state that could not be compiled.
    pub fn issues(&self) -> Vec<CompileIssue> {
        let loaded = self.shared.load();
        (**loaded).as_ref().map(|current| current.compiled.issues()).unwrap_or_default()
    }

    /// The connection to the server, the current position, the disk cache and the reporting of outcomes.
    pub fn status(&self) -> Status {
        self.shared.status().get()
    }

    /// Calls `listener` after each change of the current state, until the [`Subscription`] is dropped. It is called on a thread of its
    /// own and may block: changes in the meantime are merged into the next call.
    pub fn on_change(&self, listener: impl Fn(&Changes) + Send + Sync + 'static) -> Subscription {
        self.shared.listeners().add(listener)
    }

    /// Says goodbye to the server, writes the disk cache, sends the last counts, and returns when that is done, after three seconds
    /// at most. Evaluations continue to answer from the last state. The client closes even if the future is dropped.
    pub async fn close(&self) {
        self.owner.close.cancel();
        self.shared.ended().cancelled().await;
    }

    /// A client over a background thread, which ends when `close` is cancelled.
    pub(super) fn connected(shared: Arc<Shared>, close: CancellationToken, alarms: Alarms) -> Self {
        let owner = Arc::new(Owner { close, alarms });
        Self { shared, owner }
    }

    /// A client without a background thread.
    pub(crate) fn unconnected() -> Self {
        let shared = Arc::new(Shared::new(Status::offline(), Recording::Off));
        shared.ended().cancel();
        Self::connected(shared, CancellationToken::new(), Alarms::none())
    }

    /// Makes `snapshot` the current state.
    pub(crate) fn put(&self, snapshot: Snapshot) {
        let position = snapshot.position;
        self.shared.apply(NewState::local(snapshot));
        self.shared.status().update(|status| status.position = Some(position));
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn alarms(&self) -> &Alarms {
        &self.owner.alarms
    }

    #[inline]
    fn evaluator<'r>(&'r self, loaded: &'r Loaded) -> Evaluator<'r> {
        Evaluator::new(loaded.as_ref(), &self.shared)
    }
}
