//! Simulated users, and the values that they get, read through the SDK like an application does.

use ripcord_proto::value::ValueType;
use ripcord_proto::{FlagKey, Snapshot};
use ripcord_sdk::engine::Reason;
use ripcord_sdk::{Client, Context, Detail, Outcome, View};
use serde_json::{Map, Value};

/// Number of users.
const USERS: u32 = 8;

/// A simulated user.
#[derive(Debug, Clone)]
pub(super) struct DrillUser {
    id: String,
    email: String,
    country: &'static str,
    plan: &'static str,
    version: &'static str,
}

impl DrillUser {
    /// The same users in every run.
    pub(super) fn all() -> Vec<Self> {
        const COUNTRIES: [&str; 4] = ["DE", "FR", "US", "JP"];
        const PLANS: [&str; 3] = ["free", "pro", "beta"];
        const VERSIONS: [&str; 2] = ["2.13.4", "2.14.1"];
        let among = |choices: &[&'static str], number: u32| choices.get(number as usize % choices.len()).copied().unwrap_or_default();
        let user = |number| Self {
            id: format!("drill-user-{number}"),
            email: format!("drill-{number}@example.com"),
            country: among(&COUNTRIES, number),
            plan: among(&PLANS, number),
            version: among(&VERSIONS, number),
        };
        (0..USERS).map(user).collect()
    }

    /// The user's evaluation context.
    pub(super) fn context(&self) -> Context<'_> {
        Context::new(&self.id)
            .with("email", self.email.as_str())
            .with("country", self.country)
            .with("plan", self.plan)
            .with("app.version", self.version)
    }
}

/// A flag and the type that an application reads.
#[derive(Debug, Clone)]
pub(super) struct ReadableFlag {
    pub(super) key: FlagKey,
    kind: ValueType,
}

impl ReadableFlag {
    /// The readable flags of a snapshot.
    pub(super) fn all(snapshot: &Snapshot) -> Vec<Self> {
        let readable = snapshot.flags.iter().filter_map(|entry| Some((entry.key(), entry.value().ok()?)));
        readable
            .map(|(key, flag)| Self {
                key: key.clone(),
                kind: flag.variants.value_type(),
            })
            .collect()
    }

    /// The value for a user; without data, the application's own default.
    pub(super) fn ask(&self, view: &View, context: &Context<'_>) -> ServedValue {
        let key = self.key.as_str();
        match self.kind {
            ValueType::Boolean => ServedValue::Boolean(view.bool_detail(key, context, false)),
            ValueType::String => ServedValue::Text(view.string_detail(key, context, "")),
            ValueType::Number => ServedValue::Number(view.number_detail(key, context, 0.0)),
            ValueType::Object => ServedValue::Object(view.object_detail(key, context, Map::new())),
        }
    }
}

/// An evaluated value, with the handle that reports its outcome.
#[derive(Debug, Clone)]
pub(super) enum ServedValue {
    /// A boolean.
    Boolean(Detail<bool>),
    /// Text.
    Text(Detail<String>),
    /// A number.
    Number(Detail<f64>),
    /// An object.
    Object(Detail<Map<String, Value>>),
}

impl ServedValue {
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Boolean(answer) => Value::Bool(answer.value),
            Self::Text(answer) => Value::String(answer.value.clone()),
            Self::Number(answer) => serde_json::Number::from_f64(answer.value).map_or(Value::Null, Value::Number),
            Self::Object(answer) => Value::Object(answer.value.clone()),
        }
    }

    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Boolean(answer) => answer.reason,
            Self::Text(answer) => answer.reason,
            Self::Number(answer) => answer.reason,
            Self::Object(answer) => answer.reason,
        }
    }

    /// Whether the value was forced by a kill or an expired lease.
    pub(super) const fn is_forced(&self) -> bool {
        matches!(self.reason(), Reason::Killed | Reason::LeaseExpired)
    }

    /// Reports the outcome.
    pub(super) fn went(&self, client: &Client, outcome: Outcome) {
        match self {
            Self::Boolean(answer) => client.outcome(answer, outcome),
            Self::Text(answer) => client.outcome(answer, outcome),
            Self::Number(answer) => client.outcome(answer, outcome),
            Self::Object(answer) => client.outcome(answer, outcome),
        }
    }
}
