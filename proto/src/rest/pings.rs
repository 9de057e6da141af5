//! `pings`.

use crate::ping::Ping;

/// A ping with its figures: the response to `POST pings`, and an item of `GET pings`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PingView {
    /// The ping and its revision.
    #[serde(flatten)]
    pub ping: Ping,
    /// How many applications confirmed, and how fast.
    #[serde(flatten)]
    pub figures: PingFigures,
}

/// How many applications confirmed a ping, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PingFigures {
    /// Number of connected applications.
    pub connected: u64,
    /// Number of applications that confirmed.
    pub confirmed: u64,
    /// Median milliseconds from the commit to the confirmation; `null` if none has confirmed.
    pub p50_ms: Option<f64>,
    /// 99th percentile of milliseconds from the commit to the confirmation.
    pub p99_ms: Option<f64>,
    /// Milliseconds from the commit to the last confirmation so far.
    pub max_ms: Option<f64>,
}

/// The newest ping, as the environment's state shows it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastPing {
    /// When it was sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// How many applications confirmed, and how fast.
    #[serde(flatten)]
    pub figures: PingFigures,
}

impl From<&Ping> for PingFigures {
    fn from(ping: &Ping) -> Self {
        let level = &ping.confirmation.applied;
        Self {
            connected: level.connected,
            confirmed: level.confirmed,
            p50_ms: level.p50_ms,
            p99_ms: level.p99_ms,
            max_ms: level.max_ms,
        }
    }
}

impl From<Ping> for PingView {
    fn from(ping: Ping) -> Self {
        Self {
            figures: PingFigures::from(&ping),
            ping,
        }
    }
}

impl From<&Ping> for LastPing {
    fn from(ping: &Ping) -> Self {
        Self {
            at: ping.at,
            figures: PingFigures::from(ping),
        }
    }
}
