//! Body of `/v1/outcomes`.

/// The answer to `POST /v1/outcomes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutcomesAccepted {
    /// Whether the batch had been counted before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Counts that were left out: their flag or variant is not there.
    pub unknown: usize,
}
