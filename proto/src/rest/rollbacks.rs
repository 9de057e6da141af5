//! `rollbacks` and `rollbacks/plan`: what is asked, and what it would do.

mod plan;
mod request;

pub use self::plan::{
    BlockedFlag, PlanConflict, FlagShare, PlannedFlag, KilledFlag, PlannedStages, OneWayCrossing, Population, RollbackPlan, StoppedRollout, PlannedStage, UserShare,
};
pub use self::request::{PlanRequest, RollbackRequest};
