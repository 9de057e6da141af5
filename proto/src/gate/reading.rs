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
    /// The gate cannot be evaluated: its source does not answer, or not with a usable value. The step is held until it can.
    Unknown,
}

impl GateVerdict {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Samples => "samples",
            Self::Unknown => "unknown",
        }
    }
}

/// What a gate said at a moment.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateReading {
    /// The name of the gate.
    pub name: String,
    /// The gate's verdict.
    pub verdict: GateVerdict,
    /// By what, in words: `3.1 % errors against 1.0 %: worse by more than 0.5 points`.
    pub detail: String,
    /// When the gate was evaluated.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Whether nothing follows from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The counts, where it compares outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The value, where it measures one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Counts that a comparison went by, since its step began.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// The figures of the new variant.
    pub treatment: Arm,
    /// The figures of the control.
    pub control: Arm,
    /// Whether the control's are those of an earlier step, because this one has no control.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Of the variant, traffic that does not count.
    #[serde(default)]
    pub aside: Arm,
}

/// Counts of one variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Arm {
    /// How often it was served; of a latency or a number, how often that was reported.
    pub served: u64,
    /// How often that went wrong, or took too long.
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
    /// So many served, and so many of them wrong.
    pub const fn new(served: u64, errors: u64) -> Self {
        Self {
            served,
            errors,
            sum: 0.0,
            squares: 0.0,
        }
    }

    /// Errors as a share of what was served; 0 where nothing was.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn rate(self) -> f64 {
        if self.served == 0 {
            0.0
        } else {
            self.errors.min(self.served) as f64 / self.served as f64
        }
    }

    /// The mean of the numbers; 0 where there are none.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn mean(self) -> f64 {
        if self.served == 0 { 0.0 } else { self.sum / self.served as f64 }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            served: self.served.saturating_add(other.served),
            errors: self.errors.saturating_add(other.errors),
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    /// What was added since it was `before`; all of it if it is less now, because the counter was reset.
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

/// What a gate had to go by at a moment of a step, kept so that another threshold can be tried on it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateSample {
    /// Milliseconds since the step began.
    pub after_ms: u64,
    /// The counts, where it compares outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// The value, where it measures one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}
