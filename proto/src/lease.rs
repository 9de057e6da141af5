//! Leases: how long an application may serve a risky flag without contact with the server.

use serde_json::Value;

use crate::limits::{LEASE_SECONDS_MAX, LEASE_SECONDS_MIN};
use crate::reader::{Read, Reader};

/// A lease: 5 seconds to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Lease {
    /// Seconds without a heartbeat marked `fresh` after which an SDK serves the safe variant.
    pub seconds: u32,
}

impl Lease {
    pub(crate) fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a lease", &["seconds"], &[]);
        reader.required(map, "seconds", "a number of seconds", |reader, value| {
            let seconds = value
                .as_u64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .filter(|seconds| (LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX).contains(seconds));
            match seconds {
                Some(seconds) => Ok(Self { seconds }),
                None => reader.refuse(format!(
                    "must be a whole number of seconds from {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX} (30 days), not {value}"
                )),
            }
        })
    }
}
