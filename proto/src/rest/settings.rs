//! Bodies of `settings`, which apply to all flags of an environment.

use serde_json::{Map, Value};

use super::Members;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};
use crate::settings::{Bucketing, Settings};

/// The response of `GET settings`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsView {
    /// The epoch of the environment.
    pub epoch: Epoch,
    /// The revision of the environment.
    pub revision: Revision,
    /// The settings of the environment.
    pub settings: Settings,
    /// Whether the store could not be reached when they were read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// New settings: the body of `PUT settings`, and of `put_settings` in a commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsRequest {
    /// The generation of the bucketing hash: `v2` or `v3`.
    pub bucketing: Bucketing,
    /// Acknowledges the effect of a different generation; it must be `true` to change the generation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuckets_everybody: bool,
    /// The reason, recorded in the audit log. Not used in a commit, which has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl SettingsRequest {
    /// The requested settings.
    pub const fn settings(&self) -> Settings {
        Settings { bucketing: self.bucketing }
    }
}

impl Members for SettingsRequest {
    const WHAT: &'static str = "the settings";
    const KNOWN: &'static [&'static str] = &["bucketing", "rebuckets_everybody", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let bucketing = reader.required(map, "bucketing", "\"v2\" or \"v3\"", |reader, value| match reader.text(value)? {
            "v2" => Ok(Bucketing::V2),
            "v3" => Ok(Bucketing::V3),
            other => reader.refuse(format!("{other:?} is not a bucketing generation; use \"v2\" or \"v3\"")),
        });
        let rebuckets_everybody = reader.optional(map, "rebuckets_everybody", Reader::boolean).unwrap_or_default();
        let reason = super::reason(reader, map);
        Ok(Self {
            bucketing: bucketing?,
            rebuckets_everybody,
            reason,
        })
    }
}
