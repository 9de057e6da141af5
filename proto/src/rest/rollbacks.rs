//! `rollbacks` and `rollbacks/plan`: what is asked, and what it would do.

mod plan;
mod request;

pub use self::plan::{
    CannotView, ConflictView, FlagShare, FlagView, KilledView, LadderView, OneWayView, Population, RollbackPlan, RolloutView, StepView, UserShare,
};
pub use self::request::{PlanRequest, RollbackRequest};
