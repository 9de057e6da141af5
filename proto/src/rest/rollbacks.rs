//! Bodies of `rollbacks` and `rollbacks/plan`.

mod plan;
mod request;

pub use self::plan::{BlockedFlag, KilledFlag, OneWayCrossing, PlanConflict, PlannedFlag, PlannedStage, PlannedStages, RollbackPlan, StoppedRollout};
pub use self::request::{ExecutionOptions, PlanRequest, RollbackRequest};
pub use crate::diff::{FlagShare, Population, UserShare};
