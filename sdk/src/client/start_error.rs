//! Why a client cannot start.

use ripcord_proto::ValidationErrors;

/// The error of a library underneath, kept as the source of ours.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a client cannot start. A server that cannot be reached is not a reason: the client starts and keeps trying.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is malformed.
    #[error("invalid server address {address:?}: expected http://HOST:PORT or https://HOST")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it, if it is not an URL at all.
        source: Option<BoxError>,
    },
    /// There is no key: `RIPCORD_KEY` is not set or empty.
    #[error("no key: set RIPCORD_KEY to an sdk key, as made by `ripcord keys create --role sdk`")]
    MissingKey,
    /// The key contains a character that cannot be in a key.
    #[error("invalid character in the key; expected rc_sdk_…")]
    Key(#[source] BoxError),
    /// The name of the environment is malformed.
    #[error("invalid environment name")]
    Environment(#[source] ValidationErrors),
    /// A root certificate cannot be read.
    #[error("a root certificate cannot be read")]
    Certificate(#[source] BoxError),
    /// This machine has no root certificates.
    #[error("this machine has no root certificates; install them (package ca-certificates) or pass the server's to root_certificate()")]
    NoRootCertificates,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] BoxError),
    /// The background thread cannot be started.
    #[error("the client's background thread cannot be started")]
    Thread(#[source] std::io::Error),
}
