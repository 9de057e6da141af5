//! Readers with an engine that splits users differently from the environment: flagd's clients of another generation. A percentage reaches
//! other users there, so they are named wherever someone relies on one.

use ripcord_proto::EnvironmentKey;
use ripcord_proto::flag::Flag;
use ripcord_proto::rest::connections::ConnectionView;
use ripcord_proto::rule::Serve;
use ripcord_proto::text::and_more;

use super::answer::{Answer, ClientError};
use super::context::{Context, path};
use super::output::{Format, count, note};

/// Readers that are named, at most.
const NAMED: usize = 5;

/// What to do about them.
pub(crate) const ADVICE: &str = "Have them evaluate remotely (OFREP, or flagd's provider in RPC mode), or set the environment to their \
    generation with `ripcord env bucketing v2`, which gives most users of every split a different variant.";

/// A sentence that names them and says what follows; `None` if there are none.
pub(crate) fn told(connections: &[ConnectionView]) -> Option<String> {
    let readers: Vec<&ConnectionView> = connections.iter().filter(|connection| connection.splits_differently).collect();
    if readers.is_empty() {
        return None;
    }
    let names: Vec<String> = readers
        .iter()
        .take(NAMED)
        .map(|reader| format!("{} ({})", reader.instance.name, reader.instance.sdk))
        .collect();
    let more = and_more(readers.len().saturating_sub(NAMED));
    Some(format!(
        "{} users differently from this environment, so a percentage reaches other users there: {}{more}",
        count(readers.len(), "reader splits", "readers split"),
        names.join(", ")
    ))
}

/// Names them before someone relies on a percentage. If the server does not list them, nothing is printed.
pub(crate) async fn warn(call: &Context, environment: &EnvironmentKey) {
    if call.output.format() != Format::Text {
        return;
    }
    let asked: Result<Answer<Vec<ConnectionView>>, ClientError> = call.client.list(&path(environment, &["connections"]), usize::MAX).await;
    if let Some(told) = asked.ok().and_then(|answer| told(&answer.value)) {
        note(&format!("{} {told}.\n{ADVICE}", call.output.paint().warn("warning:")));
    }
}

/// Whether a flag has a percentage.
pub(crate) fn is_split(flag: &Flag) -> bool {
    flag.rules.iter().any(|rule| matches!(rule.serve, Serve::Split(_)))
}
