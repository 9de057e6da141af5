//! An entry of the log in words: who made it, and what it changed.

use ripcord_proto::rest::log::{ChangeSummary, LogEntry};
use ripcord_proto::text::and_more;

/// Records that a server keeps for itself.
const INTERNAL: &[&str] = &["claim", "driver", "firing", "ping"];

/// How much of an entry is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogDetail {
    /// What people changed.
    People,
    /// That first, then what the server recorded.
    Everything,
}

/// Who asked for it, and who approved it.
pub(crate) fn who(entry: &LogEntry) -> String {
    match &entry.approved {
        Some(approved) => format!("{}, approved by {}", entry.actor.name, approved.by.name),
        None => entry.actor.name.clone(),
    }
}

/// Whether an entry tells more than what the server records about itself: flags, segments, kills and settings changed, or someone
/// asked for a checkpoint, a release, a rollout.
pub(crate) fn is_of_people(entry: &LogEntry) -> bool {
    let has_caller = entry.origin.address.is_some() || entry.origin.request.is_some();
    entry.changes.iter().any(|change| is_shown(change) && (change.record.is_none() || has_caller))
}

fn is_shown(change: &ChangeSummary) -> bool {
    change.record.as_deref().is_none_or(|kind| !INTERNAL.contains(&kind))
}

/// What an entry changed: the first few, and how many more.
pub(crate) fn changes(entry: &LogEntry, most: usize, detail: LogDetail) -> String {
    let (people, internal): (Vec<_>, Vec<_>) = entry.changes.iter().partition(|change| is_shown(change));
    let told: Vec<&ChangeSummary> = match detail {
        LogDetail::People if !people.is_empty() => people,
        LogDetail::People | LogDetail::Everything => people.into_iter().chain(internal).collect(),
    };
    if told.is_empty() {
        return "no change (the answer is kept for a repeated call)".to_owned();
    }
    // The answer names the first changes of a large entry alone.
    let unnamed = entry.changes_total.saturating_sub(entry.changes.len());
    let more = told.len().saturating_sub(most) + unnamed;
    let shown: Vec<_> = told.into_iter().take(most).map(described).collect();
    format!("{}{}", shown.join(", "), and_more(more))
}

/// One change in words.
pub(crate) fn described(change: &ChangeSummary) -> String {
    format!("{} {}", verb(change), change.subject).trim_end().to_owned()
}

/// The log's name of a change in the words of the commands that make it.
fn verb(change: &ChangeSummary) -> String {
    match change.change.as_str() {
        "put_flag" => "set flag".to_owned(),
        "put_segment" => "set segment".to_owned(),
        "put_settings" => "set settings".to_owned(),
        "put_kill" => "kill".to_owned(),
        "put_environment" => "create environment".to_owned(),
        "put_key" => "create key".to_owned(),
        // The subject begins with the kind of record.
        "put_record" => "record".to_owned(),
        "delete_record" => "delete".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(changes: &serde_json::Value, called: bool) -> LogEntry {
        let origin = if called {
            json!({"node": "a", "address": "127.0.0.1:1"})
        } else {
            json!({"node": "a"})
        };
        let value = json!({
            "log": "production", "sequence": 9, "epoch": 1, "revision": 7, "at": "2026-11-29T14:39:46Z",
            "actor": {"name": "ada", "role": "editor"}, "origin": origin, "changes": changes, "changes_total": changes.as_array().unwrap().len(),
            "digest": "0".repeat(64)
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_people_changed_is_told_first_and_records_of_the_server_only_on_request() {
        let changes_of = json!([
            {"change": "put_record", "subject": "claim flag/a", "record": "claim"},
            {"change": "put_flag", "subject": "a"},
            {"change": "put_flag", "subject": "b"},
        ]);
        let entry = entry(&changes_of, true);
        assert_eq!(changes(&entry, 4, LogDetail::People), "set flag a, set flag b");
        assert_eq!(changes(&entry, 4, LogDetail::Everything), "set flag a, set flag b, record claim flag/a");
        assert_eq!(changes(&entry, 1, LogDetail::People), "set flag a and 1 more");
    }

    #[test]
    fn an_entry_is_of_people_if_it_changes_flags_or_somebody_asked_for_it() {
        let checkpoint = json!([{"change": "put_record", "subject": "checkpoint quiet", "record": "checkpoint"}]);
        assert!(is_of_people(&entry(&checkpoint, true)) && !is_of_people(&entry(&checkpoint, false)));
        assert!(is_of_people(&entry(&json!([{"change": "put_flag", "subject": "a"}]), false)));
        let ping = json!([{"change": "put_record", "subject": "ping p_1", "record": "ping"}]);
        assert!(!is_of_people(&entry(&ping, true)) && !is_of_people(&entry(&json!([]), true)));
    }
}
