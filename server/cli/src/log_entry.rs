//! An entry of the log in words: who made it, and what it changed.

use ripcord_proto::rest::log::LogEntry;

/// Who asked for it, and who approved it.
pub(crate) fn who(entry: &LogEntry) -> String {
    match &entry.approved {
        Some(approved) => format!("{}, approved by {}", entry.actor.name, approved.by.name),
        None => entry.actor.name.clone(),
    }
}

/// What an entry changed: the first few, and how many more.
pub(crate) fn changes(entry: &LogEntry, most: usize) -> String {
    let shown: Vec<_> = entry
        .changes
        .iter()
        .take(most)
        .map(|change| format!("{} {}", verb(&change.change), change.subject))
        .collect();
    if shown.is_empty() {
        return "no change (the answer is kept for a repeated call)".to_owned();
    }
    let more = entry.changes_total.saturating_sub(shown.len());
    let shown = shown.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// The log's name of a change in the words of the commands that make it.
fn verb(change: &str) -> String {
    match change {
        "put_flag" => "set flag".to_owned(),
        "put_segment" => "set segment".to_owned(),
        "put_settings" => "set settings".to_owned(),
        "put_kill" => "kill".to_owned(),
        "put_environment" => "create environment".to_owned(),
        "put_key" => "create key".to_owned(),
        other => other.replace('_', " "),
    }
}
