//! Reads gates: where the values come from, and what they mean.

pub(super) mod comparison;
pub(super) mod prometheus;
mod tally;
pub(super) mod watch;

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::gate::{Gate, GateMode, GateReading, GateVerdict};

pub(super) use self::watch::GateWatch;

/// How long a condition has not been met.
pub(super) type Lasting = Duration;

/// The reading of a gate at a time.
pub(super) fn reading(gate: &Gate, verdict: GateVerdict, detail: String, at: Timestamp) -> GateReading {
    GateReading {
        name: gate.name.clone(),
        verdict,
        detail,
        at,
        dry_run: gate.mode == GateMode::DryRun,
        figures: None,
        value: None,
    }
}
