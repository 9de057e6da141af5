//! Bodies of `/v1/environments`.

use serde_json::{Map, Value};

use super::Members;
use super::pings::LastPing;
use crate::key::{CheckpointName, EnvironmentKey};
use crate::kill::Kill;
use crate::policy::Protection;
use crate::reader::{Read, Reader};
use crate::revision::{Epoch, Revision};

/// The body of `POST /v1/environments`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnvironmentRequest {
    /// The environment's name: 1 to 63 lower-case letters, digits and `-`.
    pub key: EnvironmentKey,
    /// A description for people; it has no effect on what is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An environment whose flags, segments and settings it starts with; kills are not copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<EnvironmentKey>,
    /// The reason for the change, recorded in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An environment: `GET /v1/environments/{env}`, and an item of `GET /v1/environments`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnvironmentView {
    /// The environment's name: 1 to 63 lower-case letters, digits and `-`.
    pub key: EnvironmentKey,
    /// A description for people; it has no effect on what is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: jiff::Timestamp,
    /// The epoch of the revision.
    pub epoch: Epoch,
    /// The newest revision; together with the epoch the ETag that `commits` takes.
    pub revision: Revision,
    /// How many flags it has.
    pub flags: usize,
    /// How many segments it has.
    pub segments: usize,
    /// Number of kills in force, including provisional ones.
    pub kills: usize,
    /// Whether raising exposure above zero requires a release with all details.
    #[serde(default)]
    pub protection: Protection,
    /// The checkpoint that `last-known-good` refers to; absent until one is marked known-good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_known_good: Option<KnownGood>,
    /// The newest ping: how fast a change last reached all applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ping: Option<LastPing>,
    /// Rollbacks whose review is overdue.
    #[serde(default)]
    pub reviews_overdue: usize,
    /// The size of the message for flagd's clients, if it is larger than they take unless they are set otherwise, and this node had to send
    /// it: they get nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_large_for_flagd: Option<usize>,
    /// Whether the store could not be reached when this was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// The newest known-good state of an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KnownGood {
    /// The name of the checkpoint.
    pub checkpoint: CheckpointName,
    /// The epoch of its revision.
    pub epoch: Epoch,
    /// The revision of the checkpoint.
    pub revision: Revision,
    /// When it was last marked known-good.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub vouched: jiff::Timestamp,
    /// The name of who marked it known-good.
    pub by: String,
}

/// The response to creating or deleting an environment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnvironmentResponse {
    /// The environment's name: 1 to 63 lower-case letters, digits and `-`.
    pub key: EnvironmentKey,
    /// The epoch of the `system` log.
    pub epoch: Epoch,
    /// The environment's newest revision if flags were copied into it, else `null`.
    pub revision: Option<Revision>,
    /// Kills in force in the original, which a copy does not have: the flags that they cover are live in the copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills_not_copied: Vec<Kill>,
}

impl Members for EnvironmentRequest {
    const WHAT: &'static str = "an environment";
    const KNOWN: &'static [&'static str] = &["key", "description", "copy_of", "reason"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let key = reader.required(map, "key", "the environment's name", Reader::parsed);
        let description = reader.optional(map, "description", Reader::line);
        let copy_of = reader.optional(map, "copy_of", Reader::parsed);
        let reason = super::reason(reader, map);
        Ok(Self {
            key: key?,
            description,
            copy_of,
            reason,
        })
    }
}
