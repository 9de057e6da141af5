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
    /// The attributes that it is evaluated for; `targetingKey` is the user.
    #[serde(default)]
    pub context: Map<String, Value>,
}

/// The answer to `POST explain`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The key of the flag.
    pub flag: FlagKey,
    /// What it serves; `null` = the caller's own default.
    pub value: Value,
    /// The variant; `null` = the caller's own default.
    pub variant: Option<String>,
    /// Why, as OpenFeature spells it: `TARGETING_MATCH`, `KILLED`.
    pub reason: String,
    /// The rule that served: its id, or its place as `rules[0]`.
    pub rule: Option<String>,
    /// The kill that forces the safe variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<crate::KillId>,
    /// The epoch of the snapshot that answered.
    pub epoch: Epoch,
    /// The revision of the snapshot that answered.
    pub revision: Revision,
    /// What was looked at, in order, and what was seen.
    pub steps: Vec<Value>,
    /// Whether it was answered while the store could not be reached.
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
