//! `ripcord audit orphans`: what the logs lost when another node filled the store again.

use jiff::Timestamp;
use ripcord_proto::rest::log::OrphanView;
use ripcord_proto::text::and_more;

use crate::answer::Answer;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::log_entry::described;
use crate::output::{count, short_moment};
use crate::table::Table;

/// Changes of a commit that are shown.
const SHOWN: usize = 6;

pub(super) async fn run(call: &Context) -> Result<Exit, Failure> {
    let orphans: Answer<Vec<OrphanView>> = call.client.list(&["v1", "audit", "orphans"], usize::MAX).await?;
    call.output.answer(&orphans, |orphans| describe(orphans, Timestamp::now()));
    Ok(Exit::Done)
}

fn describe(orphans: &[OrphanView], now: Timestamp) -> String {
    let Some(node) = orphans.first().map(|orphan| &orphan.node) else {
        return "The node that answered knows of no entry that a log has lost. Each node lists its own.".to_owned();
    };
    let rows = orphans.iter().map(|orphan| {
        let shown = orphan.changes.iter().take(SHOWN).map(described).collect::<Vec<_>>().join(", ");
        let more = orphan.changes_total.saturating_sub(orphan.changes.len().min(SHOWN));
        [
            short_moment(orphan.at, now),
            orphan.log.clone(),
            orphan.actor.name.clone(),
            format!("{shown}{}", and_more(more)),
            orphan.reason.clone().unwrap_or_default(),
        ]
    });
    let table = Table::new(["when", "log", "who", "what", "why"], rows);
    format!(
        "{} that node {node} had and the log lacks since the store was filled again. Kills and revocations among them were merged; \
         what else is still wanted has to be done again.\n\n{table}",
        count(orphans.len(), "commit", "commits")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_log_has_lost_is_named_with_who_made_it() {
        let orphan = json!({
            "log": "production", "node": "a", "sequence": 9, "epoch": 1, "revision": 7, "at": "2026-11-29T14:39:46Z",
            "found_at": "2026-11-29T15:00:00Z", "actor": {"name": "ada", "role": "editor"}, "reason": "launch",
            "changes": [{"change": "put_flag", "subject": "a"}, {"change": "put_flag", "subject": "b"}], "changes_total": 120
        });
        let now = "2026-12-24T00:00:00Z".parse().unwrap();
        let told = describe(&[serde_json::from_value(orphan).unwrap()], now);
        for part in ["node a", "production", "ada", "set flag a, set flag b and 118 more", "launch"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(describe(&[], now).contains("its own"), "one node does not speak for the others");
    }
}
