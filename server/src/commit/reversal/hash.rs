//! The hash of a rollback's plan: it holds as long as the rollback would do exactly what the plan showed, and no longer (DESIGN,
//! promise 12).
//!
//! It covers the environment, the scope, the target's content, each flag in scope as it is and as it will be, what stays and
//! why, the one-way doors, and the kills that stay. It does not cover the environment's revision, the time, who asks, or
//! sampled figures.

use ripcord_proto::digest::Digest;
use ripcord_proto::table::{Entry, Member};
use ripcord_proto::{EnvironmentKey, KillId, Snapshot};
use serde_json::{Value, json};

use super::{Conflict, Decision, Move, Reversal, Thing, Way};

impl Reversal {
    /// The hash of what `decision` does to an environment that serves `now`.
    pub(super) fn hash(&self, decision: &Decision, now: &Snapshot) -> Digest {
        let ladder = self.record.ladder.as_ref().map(|ladder| (&ladder.steps, ladder.every_seconds));
        let segments: Vec<_> = [&decision.segments, &decision.missing]
            .into_iter()
            .flatten()
            .map(|to| (to.key(), now.segments.get(to.key().as_str()).map(digest), to.digest()))
            .collect();
        let covered = json!({
            "environment": environment(&now.environment),
            "scope": self.record.scope,
            "segment": self.segment,
            "target": self.record.target.hash,
            "ladder": ladder,
            "flags": decision.flags.iter().map(flag).collect::<Vec<_>>(),
            "segments": segments,
            "settings": decision.settings,
            "conflicts": decision.conflicts.iter().map(conflict).collect::<Vec<_>>(),
            "doors": decision.doors,
            "cannot": decision.cannot.iter().map(|cannot| (&cannot.flag, &cannot.why)).collect::<Vec<_>>(),
            "kills": decision.flags.iter().filter_map(|step| kills(step, now)).collect::<Vec<_>>(),
        });
        Digest::of([b"rollback\0".as_slice(), covered.to_string().as_bytes()])
    }
}

fn environment(key: &EnvironmentKey) -> &str {
    key.as_str()
}

fn digest<M: Member>(entry: &std::sync::Arc<Entry<M>>) -> Digest {
    *entry.digest()
}

fn flag(step: &Move) -> Value {
    let way = match step.way {
        Way::Split(_) => "split",
        Way::Whole => "whole",
        Way::Last => "last",
    };
    json!([step.key, step.from.as_ref().map(digest), step.to.digest(), way])
}

fn conflict(conflict: &Conflict) -> Value {
    let (kind, key) = match &conflict.thing {
        Thing::Flag(key) => ("flag", key.as_str()),
        Thing::Segment(key) => ("segment", key.as_str()),
    };
    json!([kind, key, conflict.digest])
}

fn kills(step: &Move, now: &Snapshot) -> Option<Value> {
    let ids: Vec<&KillId> = now.kills_of(step.key.as_str()).map(|kill| &kill.id).collect();
    (!ids.is_empty()).then(|| json!([step.key, ids]))
}
