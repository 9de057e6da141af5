//! `rollbacks` and `rollbacks/plan`: what is asked, and what it would do.

mod plan;
mod request;

pub use self::plan::{
    BlockedFlag, FlagShare, KilledFlag, OneWayCrossing, PlanConflict, PlannedFlag, PlannedStage, PlannedStages, Population, RollbackPlan, StoppedRollout,
    UserShare,
};
pub use self::request::{PlanRequest, RollbackRequest};
