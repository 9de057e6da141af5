//! The settings of the protocol.

use std::time::Duration;

use ripcord_proto::EnvironmentKey;

use crate::client::options::{ClientBuilder, Transport};

/// The settings of the protocol.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The environment; `None` means the key's only one.
    pub(crate) environment: Option<EnvironmentKey>,
    /// The instance's name.
    pub(crate) instance: String,
    /// Random, different for each process.
    pub(crate) instance_id: String,
    /// Whether the transport can carry acknowledgements.
    pub(crate) acknowledges: bool,
    /// The stream counts as dead if nothing arrives for this long.
    pub(crate) silence_timeout: Duration,
    /// How often the client sends a heartbeat.
    pub(crate) heartbeat: Duration,
    /// About how often the whole state is compared beside the stream; `None` for polling.
    pub(crate) reconcile: Option<Duration>,
}

impl Config {
    pub(crate) fn new(builder: &ClientBuilder, environment: Option<EnvironmentKey>, instance_id: String) -> Self {
        let polling = match builder.transport {
            Transport::WebSocket | Transport::Sse => None,
            Transport::Poll { every } => Some(every),
        };
        Self {
            environment,
            instance: builder.instance.clone().unwrap_or_else(instance_name),
            instance_id,
            acknowledges: polling.is_none(),
            silence_timeout: builder.silence_timeout.max(polling.unwrap_or_default() * 3),
            heartbeat: builder.heartbeat,
            reconcile: polling.is_none().then_some(builder.reconcile),
        }
    }
}

/// The host name, from the environment variable `HOSTNAME`, and the process id.
fn instance_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "app".to_owned());
    format!("{host}-{}", std::process::id())
}
