//! The node that runs the background work of an environment: waiting for confirmations, staged rollbacks, scheduled pings.

use crate::policy::SingletonKey;
use crate::table::Entity;
use crate::validation::ValidationErrors;

/// The driving node and its fencing token. A node whose token is not the newest has been replaced, and
/// its requests are refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Driver {
    /// The node's name, for people.
    pub node: String,
    /// The random id of its process.
    pub id: String,
    /// Grows by one with every change of the driver.
    pub token: u64,
}

impl Entity for Driver {
    type Key = SingletonKey;
    const KIND: &'static str = "driver";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
