//! Body of `/v1/outcomes`.

/// The answer to `POST /v1/outcomes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutcomesAccepted {
    /// Whether the batch was already counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Number of counts that were ignored because their flag or variant does not exist.
    pub unknown: usize,
}
