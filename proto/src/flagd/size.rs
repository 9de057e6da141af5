//! Whether an environment fits into one message for flagd's clients.

use super::write::export;
use crate::kill::Kill;
use crate::snapshot::Snapshot;

/// The largest message that a gRPC client takes, unless its application sets another limit.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// A flag takes at most about this many times its own bytes in flagd's format: smaller environments need not be written to be measured.
const GROWTH: usize = 4;

/// The bytes of an environment as one message, if they are more than clients take.
pub fn too_large<'k>(snapshot: &'k Snapshot, overlay: impl IntoIterator<Item = &'k Kill>) -> Option<usize> {
    let own: usize = snapshot.flags.iter().map(|entry| entry.json().get().len()).sum();
    let segments: usize = snapshot.segments.iter().map(|entry| entry.json().get().len()).sum();
    if own + segments * snapshot.flags.len() < MESSAGE_BYTES / GROWTH {
        return None;
    }
    let bytes = export(snapshot, overlay).document(None).to_string().len();
    (bytes > MESSAGE_BYTES).then_some(bytes)
}

/// What it means, for people.
pub fn too_large_warning(bytes: usize) -> String {
    format!(
        "As one message for flagd's clients, the environment takes {:.1} MiB: their gRPC clients take 4 MiB unless they are set otherwise, and get nothing at \
         all. Raise their message size, or give each a file set (flagSetId).",
        megabytes(bytes)
    )
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flag::Flag;
    use crate::revision::Position;
    use crate::table::{Entity as _, Entry};

    fn snapshot(flags: usize) -> Snapshot {
        let text = format!(
            r#"{{"variants": {{"on": "{}", "off": ""}}, "default": "on", "safe": "off"}}"#,
            "x".repeat(10_000)
        );
        let flag = Flag::parse(&text).unwrap();
        let entry = |index: usize| Arc::new(Entry::new(format!("flag-{index}").parse().unwrap(), flag.clone(), Position::START).unwrap());
        Snapshot {
            environment: "production".parse().unwrap(),
            position: Position::START,
            settings: crate::settings::Settings::default(),
            flags: (0..flags).map(entry).collect(),
            segments: std::iter::empty().collect(),
            kills: std::iter::empty().collect(),
        }
    }

    #[test]
    fn only_what_exceeds_the_usual_limit_is_too_large() {
        assert_eq!(too_large(&snapshot(10), []), None);
        assert_eq!(too_large(&snapshot(300), []), None);
        assert!(too_large(&snapshot(450), []).is_some_and(|bytes| bytes > MESSAGE_BYTES));
    }
}
