//! An OpenFeature provider: the same in-process evaluation behind OpenFeature's interface.
//!
//! ```no_run
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use open_feature::{EvaluationContext, OpenFeature};
//! use ripcord_sdk::{Client, openfeature::Provider};
//!
//! let client = Client::builder("http://127.0.0.1:8016", "rc_sdk_…").start()?;
//! OpenFeature::singleton_mut().await.set_provider(Provider::new(client)).await;
//!
//! let flags = OpenFeature::singleton().await.create_client();
//! let user = EvaluationContext::default().with_targeting_key("user-42");
//! let on = flags.get_bool_value("checkout-v2", Some(&user), None).await.unwrap_or(false);
//! # Ok(())
//! # }
//! ```
//!
//! OpenFeature's Rust interface does not pass the caller's default to a provider. If a flag leaves its value to the caller's default,
//! the result is an error that says so, and the caller's `unwrap_or` is the default. The interface has neither events nor tracking
//! yet; [`Provider::on_event`] and [`Provider::track`] are specific to this provider.
//!
//! Every evaluation is also a `tracing` event, [`EVENT_TARGET`], with the attributes of OpenTelemetry's conventions for feature flags.

mod context;
mod event;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult, FlagMetadata, StructValue, Value};

pub use self::event::{Event, Events};
use crate::client::{Client, Detail, Outcome, Source, State, View};
use crate::engine::{Context, ErrorCode, Reason};

/// The name and target of the `tracing` event for each evaluation. Its level is `DEBUG`.
pub const EVENT_TARGET: &str = "feature_flag.evaluation";
/// The name of the provider.
const NAME: &str = "ripcord";
/// The member of the flag metadata that names the kill which forces the value.
const KILL: &str = "ripcord.kill";
/// The member of the flag metadata with the position that was evaluated, as `epoch:revision`.
const REVISION: &str = "ripcord.revision";
/// How long the initialisation waits for the server by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The provider, over a client that the application may also use directly.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    metadata: ProviderMetadata,
    timeout: Duration,
}

impl Provider {
    /// A provider over a started client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            metadata: ProviderMetadata::new(NAME),
            timeout: TIMEOUT,
        }
    }

    /// How long the initialisation waits for the server; 5 seconds by default. After that the provider is used anyway, and serves values as
    /// soon as there is data.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Calls `listener` with each event of the provider, until the [`Events`] are dropped. It is called on threads of its own.
    pub fn on_event(&self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Events {
        Events::of(&self.client, listener)
    }

    /// Reports how it went for a user who was served a flag. It is counted for the variant that the user would be served now.
    pub fn track(&self, flag: &str, context: &EvaluationContext, outcome: Outcome) {
        let members = context::members(context);
        self.client.track(flag, &Context::from_json(&members), outcome);
    }

    fn resolve<T, V>(
        &self,
        key: &str,
        context: &EvaluationContext,
        read: impl FnOnce(&View, &Context<'_>) -> Detail<T>,
        convert: impl FnOnce(T) -> Option<V>,
    ) -> EvaluationResult<ResolutionDetails<V>> {
        let members = context::members(context);
        let view = self.client.view();
        let detail = read(&view, &Context::from_json(&members));
        trace(key, context, &detail);
        if let Some(error) = error_of(&detail) {
            return Err(error);
        }
        let metadata = metadata(&detail, view.metadata(key));
        let value = convert(detail.value).ok_or_else(|| error(EvaluationErrorCode::TypeMismatch, "the value has a different type"))?;
        Ok(ResolutionDetails {
            value,
            variant: detail.variant.map(|variant| variant.to_string()),
            reason: Some(reason_of(detail.reason)),
            flag_metadata: Some(metadata),
        })
    }
}

/// Emits the event for one evaluation, in the terms of OpenTelemetry's conventions.
fn trace<T>(key: &str, context: &EvaluationContext, detail: &Detail<T>) {
    tracing::event!(
        name: EVENT_TARGET,
        target: EVENT_TARGET,
        tracing::Level::DEBUG,
        feature_flag.key = key,
        feature_flag.provider.name = NAME,
        feature_flag.context.id = context.targeting_key.as_deref(),
        feature_flag.result.variant = detail.variant.as_ref().map(AsRef::<str>::as_ref),
        feature_flag.result.reason = %detail.reason.as_str().to_ascii_lowercase(),
        feature_flag.version = detail.position.map(tracing::field::display),
        error.type = detail.error().map(|code| code.as_str().to_ascii_lowercase()),
    );
}

fn error(code: EvaluationErrorCode, message: &str) -> EvaluationError {
    EvaluationError {
        code,
        message: Some(message.to_owned()),
    }
}

fn error_of<T>(detail: &Detail<T>) -> Option<EvaluationError> {
    let own_default = |why: &str| {
        error(
            EvaluationErrorCode::General(why.to_owned()),
            "the flag leaves its value to the caller's default",
        )
    };
    match detail.reason {
        Reason::NotReady => Some(error(EvaluationErrorCode::ProviderNotReady, "there is no data yet")),
        Reason::Error(ErrorCode::FlagNotFound) => Some(error(EvaluationErrorCode::FlagNotFound, "there is no flag with this key")),
        Reason::Error(ErrorCode::TypeMismatch) => Some(error(EvaluationErrorCode::TypeMismatch, "the value has a different type")),
        Reason::Error(ErrorCode::ParseError) => Some(error(EvaluationErrorCode::ParseError, "the flag cannot be read")),
        Reason::Error(ErrorCode::General) => Some(error(
            EvaluationErrorCode::General("GENERAL".to_owned()),
            "the flag's rule does not name one of its variants",
        )),
        reason if detail.variant.is_none() => Some(own_default(reason.as_str())),
        Reason::Static
        | Reason::Default
        | Reason::TargetingMatch
        | Reason::Split
        | Reason::Disabled
        | Reason::Killed
        | Reason::LeaseExpired
        | Reason::Prerequisite => None,
    }
}

fn reason_of(reason: Reason) -> EvaluationReason {
    match reason {
        Reason::Static => EvaluationReason::Static,
        Reason::Default => EvaluationReason::Default,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Split => EvaluationReason::Split,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Killed | Reason::LeaseExpired | Reason::Prerequisite | Reason::NotReady => EvaluationReason::Other(reason.as_str().to_owned()),
        Reason::Error(_) => EvaluationReason::Error,
    }
}

/// The flag's own metadata of types that OpenFeature has, and what was evaluated.
fn metadata<T>(detail: &Detail<T>, own: Option<&serde_json::Map<String, serde_json::Value>>) -> FlagMetadata {
    let mut metadata = FlagMetadata::default();
    for (name, value) in own.into_iter().flatten() {
        match value {
            serde_json::Value::Bool(boolean) => metadata.add_value(name, *boolean),
            serde_json::Value::String(text) => metadata.add_value(name, text.as_str()),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => metadata.add_value(name, whole),
                (None, Some(float)) => metadata.add_value(name, float),
                (None, None) => {}
            },
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {}
        }
    }
    let kill = detail.kill.as_ref().map(|kill| (KILL, kill.to_string()));
    let revision = detail.position.map(|position| (REVISION, position.to_string()));
    for (name, value) in kill.into_iter().chain(revision) {
        metadata.add_value(name, value);
    }
    metadata
}

/// The integer, if the number has no fraction and a float holds it exactly.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0).then_some(number as i64)
}

/// OpenFeature has no null: a member that is null is left out.
fn structure(members: serde_json::Map<String, serde_json::Value>) -> StructValue {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    let fields: HashMap<String, Value> = members.map(|(name, value)| (name, value_of(value))).collect();
    StructValue { fields }
}

/// A null in a list keeps its place, as an empty structure, so that the items behind it stay where they are.
fn value_of(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Struct(StructValue::default()),
        serde_json::Value::Bool(boolean) => Value::Bool(boolean),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(value_of).collect()),
        serde_json::Value::Object(members) => Value::Struct(structure(members)),
    }
}

#[async_trait::async_trait]
impl FeatureProvider for Provider {
    async fn initialize(&mut self, _: &EvaluationContext) {
        if let Err(not_ready) = self.client.ready_within(self.timeout).await {
            tracing::warn!(error = %not_ready, "the provider serves what it has and keeps connecting");
        }
    }

    fn status(&self) -> ProviderStatus {
        let status = self.client.status();
        match (status.source, status.state) {
            (Source::Nothing, State::Connecting) => ProviderStatus::NotReady,
            (Source::Nothing, _) => ProviderStatus::Error,
            (Source::Offline, _) | (_, State::Ready) => ProviderStatus::Ready,
            (_, State::Connecting | State::Stale | State::Resyncing | State::Unauthorised | State::Closed) => ProviderStatus::STALE,
        }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(&self, key: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(key, context, |view, context| view.bool_detail(key, context, false), Some)
    }

    async fn resolve_int_value(&self, key: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(key, context, |view, context| view.number_detail(key, context, 0.0), whole)
    }

    async fn resolve_float_value(&self, key: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(key, context, |view, context| view.number_detail(key, context, 0.0), Some)
    }

    async fn resolve_string_value(&self, key: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(key, context, |view, context| view.string_detail(key, context, ""), Some)
    }

    async fn resolve_struct_value(&self, key: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<StructValue>> {
        let read = |view: &View, context: &Context<'_>| view.object_detail(key, context, serde_json::Map::new());
        self.resolve(key, context, read, |members| Some(structure(members)))
    }
}
