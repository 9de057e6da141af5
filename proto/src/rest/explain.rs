//! `explain`: one evaluation, rule by rule.

use serde_json::{Map, Value};

use super::Members;
use crate::key::FlagKey;
use crate::limits;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};

/// The body of `POST explain`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainRequest {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The context to evaluate it for; `targetingKey` identifies the user.
    #[serde(default)]
    pub context: Map<String, Value>,
}

/// The answer to `POST explain`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The value; `null` = the caller's own default.
    pub value: Value,
    /// The variant; `null` = the caller's own default.
    pub variant: Option<String>,
    /// The reason, for example `TARGETING_MATCH` or `KILLED`.
    pub reason: String,
    /// The rule that matched: its id, or its position as `rules[0]`.
    pub rule: Option<String>,
    /// The kill that forces the safe variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<crate::KillId>,
    /// The epoch of the snapshot that answered.
    pub epoch: Epoch,
    /// The revision of the snapshot that answered.
    pub revision: Revision,
    /// What was evaluated, in order, with the attributes' values.
    pub steps: Vec<Value>,
    /// Whether the store could not be reached when this was answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl Members for ExplainRequest {
    const WHAT: &'static str = "this request";
    const KNOWN: &'static [&'static str] = &["flag", "context"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let flag = reader.required(map, "flag", "the key of a flag", Reader::parsed);
        let context = reader.optional(map, "context", |reader, value| {
            reader.any(value, limits::JSON_DEPTH)?;
            reader.object(value).cloned()
        });
        Ok(Self {
            flag: flag?,
            context: context.unwrap_or_default(),
        })
    }
}
