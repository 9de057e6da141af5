//! `policy`: required protection and automation of an environment.

use serde_json::{Map, Value};

use super::Members;
use crate::check::{self, Check};
use crate::limits;
use crate::policy::{GuardedOperation, Policy, Protection};
use crate::reader::{Read, Reader};
use crate::revision::Revision;

/// The answer to `PUT policy`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyResponse {
    /// `null`: a policy changes no answer, so it makes no revision.
    pub revision: Option<Revision>,
    /// Whether the policy changed.
    pub changed: bool,
    /// The policy in force.
    pub policy: Policy,
}

impl Members for Policy {
    const WHAT: &'static str = "a policy";
    const KNOWN: &'static [&'static str] = &[
        "protection",
        "vouch_after_seconds",
        "checks",
        "confirm_within_seconds",
        "ping_every_seconds",
        "review_within_seconds",
        "approve_own",
        "prometheus",
        "triggers",
        "second_person",
        "proposals_expire_seconds",
    ];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let protection = reader.optional(map, "protection", |reader, value| match reader.text(value)? {
            "open" => Ok(Protection::Open),
            "protected" => Ok(Protection::Protected),
            other => reader.refuse(format!("{other:?} is neither \"open\" nor \"protected\"")),
        });
        let mut seconds = |name: &str, least: u64, most: u64| {
            let value = map.get(name).filter(|value| !value.is_null())?;
            reader.within(name, |reader| super::seconds(reader, value, least, most)).ok()
        };
        let vouch_after_seconds = seconds("vouch_after_seconds", 1, limits::VOUCH_AFTER_SECONDS_MAX);
        let confirm_within_seconds = seconds("confirm_within_seconds", 1, limits::CONFIRM_WITHIN_SECONDS_MAX);
        let ping_every_seconds = seconds("ping_every_seconds", limits::PING_EVERY_SECONDS_MIN, limits::PING_EVERY_SECONDS_MAX);
        let review_within_seconds = seconds("review_within_seconds", 60, limits::REVIEW_WITHIN_SECONDS_MAX);
        let proposals_expire_seconds = seconds("proposals_expire_seconds", 60, limits::PROPOSALS_EXPIRE_SECONDS_MAX);
        let checks = reader.optional(map, "checks", Check::read_all);
        let second_person = reader.optional(map, "second_person", |reader, value| {
            reader.items(value, GuardedOperation::ALL.len(), Reader::parsed)
        });
        let given = |name: &str| map.get(name).is_some_and(|value| !value.is_null());
        let approve_own = given("approve_own").then(|| reader.optional(map, "approve_own", Reader::boolean)).flatten();
        let prometheus = given("prometheus").then(|| reader.optional(map, "prometheus", check::url)).flatten();
        let triggers = given("triggers").then(|| reader.optional(map, "triggers", Reader::parsed)).flatten();
        Ok(Self {
            protection: protection.unwrap_or_default(),
            vouch_after_seconds,
            checks: checks.unwrap_or_default(),
            confirm_within_seconds,
            ping_every_seconds,
            review_within_seconds,
            approve_own,
            prometheus,
            triggers,
            second_person: second_person.unwrap_or_default().into_iter().collect(),
            proposals_expire_seconds,
        })
    }
}
