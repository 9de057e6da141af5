//! `ripcord flags stale`: flags that look unused, with the evidence.

use jiff::{SpanRound, Timestamp, Unit};
use ripcord_proto::rest::stale_flags::{StaleFlag, StaleFlags, StaleReason};
use ripcord_proto::text::grouped;

use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Paint, count, moment};
use crate::table::table;

/// Seconds that a node should have counted before an unused flag counts as evidence.
const A_DAY: i64 = 24 * 60 * 60;

pub(super) async fn run(call: &Context) -> Result<Exit, Failure> {
    let answer: Answer<StaleFlags> = call.client.call(Call::get(call.path(&["stale-flags"]))).await?;
    let environment = call.environment().as_str();
    call.output
        .answer(&answer, |stale| describe(stale, environment, Timestamp::now(), call.output.paint()));
    Ok(Exit::Done)
}

fn describe(stale: &StaleFlags, environment: &str, now: Timestamp, paint: Paint) -> String {
    let counted = now.duration_since(stale.counted_since).as_secs().max(0);
    let evidence = format!(
        "Counted by node {} since {}, for {}.",
        stale.node,
        moment(stale.counted_since),
        length(stale.counted_since, now)
    );
    let mut text = if stale.items.is_empty() {
        format!("No flag of {environment} is stale. {evidence}")
    } else {
        let rows = stale.items.iter().map(|flag| {
            [
                flag.key.to_string(),
                reasons(flag),
                grouped(flag.evaluations),
                flag.owner.clone().unwrap_or_default(),
            ]
        });
        let stale_flags = count(stale.items.len(), "flag looks unused", "flags look unused");
        format!(
            "{}\n\n{stale_flags}. {evidence}\nTo find their keys in the code: ripcord flags usages DIR",
            table(["flag", "why", "evaluations", "owner"], rows)
        )
    };
    if counted < A_DAY {
        text.push('\n');
        text.push_str(&paint.warn("That is less than a day of data: wait longer before you delete a flag."));
    }
    text
}

fn reasons(flag: &StaleFlag) -> String {
    let told: Vec<_> = flag
        .reasons
        .iter()
        .map(|reason| match reason {
            StaleReason::NeverEvaluated => "never evaluated".to_owned(),
            StaleReason::OneVariant(variant) => format!("serves {variant} to all users"),
            StaleReason::Expired(at) => format!("expired on {}", at.strftime("%Y-%m-%d")),
        })
        .collect();
    told.join(", ")
}

/// `3d 4h`, in the largest units that matter.
fn length(since: Timestamp, now: Timestamp) -> String {
    let span = now
        .since(since)
        .and_then(|span| span.round(SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute)));
    span.map(|span| format!("{span:#}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(value: &serde_json::Value) -> String {
        let stale: StaleFlags = serde_json::from_value(value.clone()).unwrap();
        let text = describe(&stale, "production", "2026-01-01T03:00:00Z".parse().unwrap(), Paint::Plain);
        text.replace(&moment(stale.counted_since), "MOMENT")
    }

    #[test]
    fn stale_flags_are_told_with_the_evidence() {
        let told = told(&json!({"node": "a", "counted_since": "2026-01-01T00:00:00Z", "items": [
            {"key": "old", "revision": 7, "owner": "search", "reasons": ["never_evaluated", {"expired": "2025-06-01T00:00:00Z"}], "served": {}, "evaluations": 0},
            {"key": "won", "revision": 8, "reasons": [{"one_variant": "on"}], "served": {"on": 120}, "evaluations": 140},
        ]}));
        insta::assert_snapshot!(told, @r"
        flag  why                                     evaluations  owner
        old   never evaluated, expired on 2025-06-01  0            search
        won   serves on to all users                  140

        2 flags look unused. Counted by node a since MOMENT, for 3h.
        To find their keys in the code: ripcord flags usages DIR
        That is less than a day of data: wait longer before you delete a flag.
        ");
    }
}
