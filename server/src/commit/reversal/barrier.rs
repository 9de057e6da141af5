//! What prevents the rollback of a flag.

use ripcord_proto::FlagKey;
use ripcord_proto::one_way::OneWay;

/// A one-way door that a rollback would cross.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OneWayDoor {
    pub flag: FlagKey,
    /// What it declares, now or at the target.
    #[serde(flatten)]
    pub one_way: OneWay,
}

/// A flag that cannot be rolled back with rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedFlag {
    pub flag: FlagKey,
    /// Why not, as the end of a sentence.
    pub why: String,
}
