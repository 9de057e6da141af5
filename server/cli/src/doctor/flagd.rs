//! What keeps flagd's clients from getting anything.

use ripcord_proto::flagd;
use ripcord_proto::rest::environments::EnvironmentView;

use super::finding::Finding;

/// Whether the environment fits into the message that they take.
pub(super) fn size(view: &EnvironmentView) -> Option<Finding> {
    let bytes = view.too_large_for_flagd?;
    let limit = flagd::MESSAGE_BYTES / (1024 * 1024);
    Some(Finding::warning(
        "flagd clients",
        format!("{bytes} bytes in one message; gRPC clients take {limit} MiB unless they are set otherwise, and get no flag and no kill then"),
        "Raise the message size in the applications, or give each one a file set (flagSetId) instead of the whole environment.",
    ))
}
