//! `rollbacks` and `rollbacks/plan`: what is asked, and what it would do.

mod plan;
mod request;

pub use self::plan::{BlockedFlag, KilledFlag, OneWayCrossing, PlanConflict, PlannedFlag, PlannedStage, PlannedStages, RollbackPlan, StoppedRollout};
pub use self::request::{PlanRequest, RollbackRequest};
pub use crate::diff::{FlagShare, Population, UserShare};
