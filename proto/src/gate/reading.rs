//! Results of gates, and the figures behind them.

/// The result of evaluating a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GateVerdict {
    /// The gate passed.
    Pass,
    /// The gate failed.
    Fail,
    /// There are not enough samples yet.
    Samples,
    /// The gate cannot be evaluated, because its source does not answer or returns no usable value. The step is held until it can.
    Unknown,
}

impl GateVerdict {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Samples => "samples",
            Self::Unknown => "unknown",
        }
    }
}

/// The result of a gate at one time.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateReading {
    /// The name of the gate.
    pub name: String,
    /// The gate's verdict.
    pub verdict: GateVerdict,
    /// The explanation: `3.1 % errors against 1.0 %: worse by more than 0.5 points`.
    pub detail: String,
    /// When the gate was evaluated.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Whether this was a dry run, which has no effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The counts, if the gate compares outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The value, if the gate measures one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Counts since the step began, on which a comparison is based.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// The figures of the new variant.
    pub treatment: Arm,
    /// The figures of the control.
    pub control: Arm,
    /// Whether the control's figures are from an earlier step, because this one has no control.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Number of evaluations of the variant that do not count, because of their kind of traffic.
    #[serde(default)]
    pub aside: Arm,
}

/// Counts of one variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Arm {
    /// How often it was served; for a latency or a number, how often it was reported.
    pub served: u64,
    /// How often it failed, or took too long.
    pub errors: u64,
    /// The sum of the numbers that were reported.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub sum: f64,
    /// The sum of their squares.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub squares: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_nothing(number: &f64) -> bool {
    *number == 0.0
}

impl Arm {
    /// The counts of `served` evaluations, `errors` of which failed.
    pub const fn new(served: u64, errors: u64) -> Self {
        Self {
            served,
            errors,
            sum: 0.0,
            squares: 0.0,
        }
    }

    /// The error rate; 0 if nothing was served.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn rate(self) -> f64 {
        if self.served == 0 {
            0.0
        } else {
            self.errors.min(self.served) as f64 / self.served as f64
        }
    }

    /// The mean of the numbers; 0 if there are none.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn mean(self) -> f64 {
        if self.served == 0 { 0.0 } else { self.sum / self.served as f64 }
    }

    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            served: self.served.saturating_add(other.served),
            errors: self.errors.saturating_add(other.errors),
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    /// The increase since `before`. If a count is lower now, the counter was reset, and all of it counts.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        if self.served < before.served || self.errors < before.errors {
            return self;
        }
        Self {
            served: self.served - before.served,
            errors: self.errors - before.errors,
            sum: self.sum - before.sum,
            squares: (self.squares - before.squares).max(0.0),
        }
    }
}

/// The data of a gate at one time, kept so that a different threshold can be tried on it later.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateSample {
    /// Milliseconds since the step began.
    pub after_ms: u64,
    /// The counts, if the gate compares outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The value, if the gate measures one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}
