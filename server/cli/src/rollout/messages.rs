//! A rollout in words.

use ripcord_proto::gate::{Figures, GateReading, GateVerdict, Measure};
use ripcord_proto::outcome::Traffic;
use ripcord_proto::rollout::{Rollout, RolloutState};
use ripcord_proto::text::grouped;

use crate::output::{Paint, facts, indented, moment};
use crate::table::indented_table;

/// A state in words.
pub(super) const fn name(state: RolloutState) -> &'static str {
    if matches!(state, RolloutState::RolledBack) {
        "rolled back"
    } else {
        state.as_str()
    }
}

/// `holding`, in the colour of what it means.
pub(super) fn state(state: RolloutState, paint: Paint) -> String {
    let text = name(state);
    match state {
        RolloutState::Completed => paint.good(text),
        RolloutState::Scheduled | RolloutState::Holding => paint.strong(text),
        RolloutState::Waiting | RolloutState::Paused => paint.warn(text),
        RolloutState::Aborted | RolloutState::RolledBack | RolloutState::Failed => paint.bad(text),
    }
}

fn verdict(verdict: GateVerdict, paint: Paint) -> String {
    match verdict {
        GateVerdict::Pass => paint.good("passes"),
        GateVerdict::Fail => paint.bad("fails"),
        GateVerdict::Samples => paint.warn("has too few samples"),
        GateVerdict::Unknown => paint.warn("cannot be evaluated"),
    }
}

/// `2 of 5 (10%)`.
fn current(rollout: &Rollout) -> String {
    match rollout.plan.step(rollout.step) {
        Some(step) => format!("{} of {} ({})", rollout.step, rollout.plan.last(), step.to),
        None => format!("before step 1 of {}", rollout.plan.last()),
    }
}

/// One line for a log: `holding, step 2/5: reason`.
pub(super) fn line(rollout: &Rollout, paint: Paint) -> String {
    let step = match rollout.step {
        0 => String::new(),
        step => format!(", step {step}/{}", rollout.plan.last()),
    };
    format!("{}{step}: {}", state(rollout.state, paint), rollout.reason)
}

/// A gate's line.
pub(super) fn gate(reading: &GateReading, paint: Paint) -> String {
    let dry = if reading.dry_run { " (dry run)" } else { "" };
    format!("gate {}{dry} {}: {}", reading.name, verdict(reading.verdict, paint), reading.detail)
}

/// All of it.
pub(super) fn whole(rollout: &Rollout, paint: Paint) -> String {
    let mut text = format!(
        "{}: variant {} of {}, {}\n",
        paint.strong(rollout.id.as_str()),
        rollout.plan.variant,
        rollout.plan.flag,
        state(rollout.state, paint)
    );
    text.push_str(&rollout.reason);
    text.push_str("\n\n");
    text.push_str(&indented(&facts(&[
        ("step", current(rollout)),
        ("started", format!("{} by {}", moment(rollout.at), rollout.by.name)),
    ])));
    text.push_str("\n\n");
    text.push_str(&steps(rollout));
    if !rollout.gates.is_empty() {
        text.push_str("\n\n");
        let gates: Vec<String> = rollout.gates.iter().map(|reading| gate(reading, paint) + &aside(rollout, reading)).collect();
        text.push_str(&indented(&gates.join("\n")));
    }
    text
}

/// Reports of traffic that does not count.
fn aside(rollout: &Rollout, reading: &GateReading) -> String {
    let Some(Figures { aside, .. }) = reading.figures.filter(|figures| figures.aside.served > 0) else {
        return String::new();
    };
    let of = rollout.plan.gates.iter().find(|gate| gate.name == reading.name).map(|gate| &gate.measure);
    let counted = match of {
        Some(Measure::Outcome(comparison)) => comparison.traffic,
        Some(Measure::Prometheus(_) | Measure::Probe { .. }) | None => Traffic::Real,
    };
    let other = match counted {
        Traffic::Real => "synthetic",
        Traffic::Synthetic => "real",
    };
    format!(
        "\n  not counted: {other} traffic, {} served, {} of them with errors",
        grouped(aside.served),
        grouped(aside.errors)
    )
}

fn steps(rollout: &Rollout) -> String {
    let rows = (1..=rollout.plan.last()).filter_map(|number| {
        let step = rollout.plan.step(number)?;
        let past = rollout.past.iter().find(|past| past.step == number);
        let when = match past {
            Some(past) => format!("{} to {}", moment(past.entered), moment(past.left)),
            None if number == rollout.step => rollout.entered.map(|entered| format!("since {}", moment(entered))).unwrap_or_default(),
            None => String::new(),
        };
        let approve = step.approve.map(|role| match rollout.approval(number) {
            Some(approval) => format!("approved by {}", approval.word.by.name),
            None => format!("needs {role}"),
        });
        Some([
            number.to_string(),
            step.to.to_string(),
            step.hold.to_string(),
            approve.unwrap_or_default(),
            when,
        ])
    });
    indented_table(["step", "to", "hold", "approval", "in force"], rows)
}
