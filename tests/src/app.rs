//! An application with the SDK: in this process ([`App`]) or in one of its own ([`Process`]), which can be frozen and killed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ripcord_sdk::{Client, Context, Reporting};
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::waiting::{SOON, eventually};

mod process;

pub use process::Process;

/// How often outcomes are sent if a test waits for them.
const OUTCOMES: Duration = Duration::from_millis(200);

/// An application in this process. Clones are one client.
#[derive(Debug, Clone)]
pub struct App {
    client: Client,
}

impl App {
    /// Starts one and waits until the server's state is in force.
    pub async fn start(api: &Api, instance: &str) -> anyhow::Result<Self> {
        let app = Self::uncached(api, instance)?;
        app.ready().await?;
        Ok(app)
    }

    /// Starts one without a disk cache.
    pub fn uncached(api: &Api, instance: &str) -> anyhow::Result<Self> {
        let client = Client::builder(api.url(), api.key()).instance(instance).reporting(Reporting::Off).start()?;
        Ok(Self { client })
    }

    /// Starts one with a disk cache.
    pub fn cached(api: &Api, instance: &str, directory: &Path) -> anyhow::Result<Self> {
        let client = Client::builder(api.url(), api.key())
            .instance(instance)
            .reporting(Reporting::Off)
            .cache_dir(directory)
            .start()?;
        Ok(Self { client })
    }

    /// Starts one that counts evaluations.
    pub fn counting(api: &Api, instance: &str) -> anyhow::Result<Self> {
        let client = Client::builder(api.url(), api.key())
            .instance(instance)
            .reporting(Reporting::Every(OUTCOMES))
            .start()?;
        Ok(Self { client })
    }

    /// The SDK's own handle.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the application may go on.
    pub async fn ready(&self) -> anyhow::Result<()> {
        self.client.ready_within(SOON).await.with_context(|| self.status())
    }

    /// Says goodbye and ends.
    pub async fn close(self) {
        self.client.close().await;
    }

    /// A boolean flag for a user, `false` if the caller's default is served.
    pub fn on(&self, flag: &str) -> bool {
        self.on_for(flag, "user-1")
    }

    /// The same for this user.
    pub fn on_for(&self, flag: &str, user: &str) -> bool {
        self.client.bool(flag, &Context::new(user), false)
    }

    /// Why a boolean flag serves what it serves.
    pub fn reason(&self, flag: &str) -> String {
        self.client.bool_detail(flag, &Context::new("user-1"), false).reason.to_string()
    }

    /// The revision in force, 0 before any data.
    pub fn revision(&self) -> u64 {
        self.client.status().position.map_or(0, |position| position.revision.0)
    }

    /// Waits until this revision, or a later one, is in force.
    pub async fn reaches(&self, revision: u64) -> anyhow::Result<()> {
        eventually(SOON, "the revision is in force in the application", || async {
            ensure!(self.revision() >= revision, "revision {revision} is not in force: {}", self.status());
            Ok(())
        })
        .await
    }

    /// Waits until it serves this value of a boolean flag.
    pub async fn serves(&self, flag: &str, on: bool) -> anyhow::Result<()> {
        eventually(SOON, "the application serves another value of the flag", || async {
            ensure!(self.on(flag) == on, "{flag} is {} ({}): {}", !on, self.reason(flag), self.status());
            Ok(())
        })
        .await
    }

    /// The client's state in words, for messages.
    pub fn status(&self) -> String {
        format!("{:?}", self.client.status())
    }

    /// The answer for a context of JSON, in the members that `explain` has. `null` if the caller's default is served.
    pub fn evaluate(&self, key: &str, flag: &Value, context: &Map<String, Value>) -> anyhow::Result<Value> {
        let context = Context::from_json(context);
        let first = flag["variants"].as_object().and_then(|variants| variants.values().next());
        let (value, variant, reason, rule) = match first.context("a flag has variants")? {
            Value::Bool(_) => explained(self.client.bool_detail(key, &context, false)),
            Value::String(_) => explained(self.client.string_detail(key, &context, "")),
            Value::Number(_) => {
                let (value, variant, reason, rule) = explained(self.client.number_detail(key, &context, 0.0));
                // The SDK's numbers are floats; the flag may have spelled a whole one.
                (whole(value), variant, reason, rule)
            }
            _ => explained(self.client.object_detail(key, &context, Map::new())),
        };
        let value = if variant.is_null() { Value::Null } else { value };
        Ok(json!({"value": value, "variant": variant, "reason": reason, "rule": rule}))
    }
}

fn explained<T: serde::Serialize>(answer: ripcord_sdk::Detail<T>) -> (Value, Value, String, Option<String>) {
    (json!(answer.value), json!(answer.variant), answer.reason.to_string(), answer.rule)
}

#[allow(clippy::cast_possible_truncation, reason = "only whole numbers that tests use")]
fn whole(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 => json!(number as i64),
        _ => value,
    }
}
