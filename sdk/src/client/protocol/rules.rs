//! What the protocol is told once.

use std::time::Duration;

use ripcord_proto::EnvironmentKey;

use crate::client::options::{Builder, Transport};

/// The settings that the protocol goes by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The environment that must come; `None` = the key's only one.
    pub(crate) environment: Option<EnvironmentKey>,
    /// The instance's name.
    pub(crate) instance: String,
    /// Random, new for each process.
    pub(crate) instance_id: String,
    /// Whether this client's way to the server can carry acknowledgements.
    pub(crate) acknowledges: bool,
    /// Without anything heard for this long the stream counts as dead.
    pub(crate) silence: Duration,
    /// How often the client gives a sign of life.
    pub(crate) heartbeat: Duration,
    /// About how often the whole state is compared beside the stream; `None` where polling is the way already.
    pub(crate) reconcile: Option<Duration>,
}

impl Rules {
    /// As the application's settings say.
    pub(crate) fn new(builder: &Builder, environment: Option<EnvironmentKey>, instance_id: String) -> Self {
        let polling = match builder.transport {
            Transport::WebSocket | Transport::Sse => None,
            Transport::Poll { every } => Some(every),
        };
        Self {
            environment,
            instance: builder.instance.clone().unwrap_or_else(instance_name),
            instance_id,
            acknowledges: polling.is_none(),
            silence: builder.silence.max(polling.unwrap_or_default() * 3),
            heartbeat: builder.heartbeat,
            reconcile: polling.is_none().then_some(builder.reconcile),
        }
    }
}

/// The host's name as the environment tells it, and the process id.
fn instance_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "app".to_owned());
    format!("{host}-{}", std::process::id())
}
