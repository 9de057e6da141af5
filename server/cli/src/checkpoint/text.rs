//! Checkpoints for people.

use jiff::Timestamp;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::checkpoint::{CheckpointState, CheckpointVerdict, Judgement};
use ripcord_proto::rest::checkpoints::{CheckpointDetail, CheckpointView, StateDrift};
use ripcord_proto::text::{counted, grouped};

use crate::output::{Paint, count, facts, indented, moment, short_moment};
use crate::table::Table;

/// The new checkpoint.
pub(super) fn taken(view: &CheckpointView, environment: &EnvironmentKey) -> String {
    let checkpoint = &view.checkpoint;
    format!(
        "Created checkpoint {} of {environment} at revision {} ({}).",
        checkpoint.name,
        checkpoint.revision,
        counted(checkpoint.flags, "flag", "flags")
    )
}

/// All of them, one per line.
pub(super) fn list(checkpoints: &[CheckpointView], now: Timestamp) -> Table {
    let rows = checkpoints.iter().map(|view| {
        let checkpoint = &view.checkpoint;
        [
            checkpoint.name.to_string(),
            checkpoint.revision.to_string(),
            standing(view),
            grouped(checkpoint.flags),
            short_moment(checkpoint.at, now),
            checkpoint.by.name.clone(),
            checkpoint.note.clone().unwrap_or_default(),
        ]
    });
    Table::new(["checkpoint", "revision", "standing", "flags", "taken", "by", "note"], rows)
}

fn standing(view: &CheckpointView) -> String {
    match view.standing {
        CheckpointState::KnownGood if view.last_known_good => "last-known-good".to_owned(),
        CheckpointState::KnownGood => "known-good".to_owned(),
        CheckpointState::Unvouched => "not vouched for".to_owned(),
        CheckpointState::Doubted => "doubted".to_owned(),
    }
}

/// One of them, read back.
pub(super) fn detail(detail: &CheckpointDetail, paint: Paint) -> String {
    let (view, checkpoint) = (&detail.view, &detail.view.checkpoint);
    let proof = if detail.proven {
        paint.good("verified: the hash of the state matches")
    } else {
        paint.bad("NOT the state that the checkpoint was created from; use another checkpoint")
    };
    let mut members = vec![
        ("standing", standing(view)),
        ("revision", format!("{} (epoch {})", checkpoint.revision, checkpoint.epoch)),
        ("flags", grouped(checkpoint.flags)),
        ("taken", format!("{} by {}", moment(checkpoint.at), checkpoint.by.name)),
        ("state", proof),
        ("since then", moved(&detail.moved)),
    ];
    members.extend(checkpoint.note.clone().map(|note| ("note", note)));
    let releases: Vec<_> = view.baseline_of.iter().map(ToString::to_string).collect();
    members.extend((!releases.is_empty()).then(|| ("baseline of", releases.join(", "))));
    let mut text = format!("{}\n{}", paint.strong(checkpoint.name.as_str()), indented(&facts(&members)));
    for judgement in &checkpoint.judgements {
        text.push_str("\n  ");
        text.push_str(&judged(judgement, paint));
    }
    text
}

/// What has changed since the checkpoint, in words.
fn moved(moved: &StateDrift) -> String {
    if moved.flags == 0 && moved.segments == 0 && !moved.settings {
        return match moved.revisions {
            0 => "nothing has changed".to_owned(),
            _ => format!("everything is the same again, at revision {}", moved.now.revision),
        };
    }
    let mut parts = vec![format!("{} differ", count(moved.flags, "flag", "flags"))];
    if moved.segments > 0 {
        parts.push(count(moved.segments, "segment", "segments"));
    }
    if moved.settings {
        parts.push("the settings".to_owned());
    }
    format!(
        "{}, over {} (now {})",
        parts.join(", "),
        counted(moved.revisions, "revision", "revisions"),
        moved.now.revision
    )
}

fn judged(judgement: &Judgement, paint: Paint) -> String {
    let verdict = match judgement.verdict {
        CheckpointVerdict::Vouched => paint.good("vouched"),
        CheckpointVerdict::Doubted => paint.warn("doubted"),
    };
    let figures: Vec<_> = judgement.figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let evidence = judgement.evidence.iter().cloned().chain(figures).collect::<Vec<_>>().join("; ");
    let separator = if evidence.is_empty() { "" } else { ": " };
    format!("{verdict} {} by {}{separator}{evidence}", moment(judgement.at), judgement.by.name)
}

#[cfg(test)]
mod tests;
