//! Why the server did not start, or had to stop.

use std::net::SocketAddr;

use super::data_dir::DataDirError;
use super::tls::TlsError;
use crate::commit::CommitError;
use crate::store::StoreError;
use crate::store::journal::JournalError;
use crate::telemetry::TelemetryError;

/// Why the server did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot create what a new server needs: {0}")]
    Bootstrap(#[from] CommitError),
    #[error("cannot listen on {address}: {source}. Is another server running there? Name another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("the gRPC listeners could not be started: {0}")]
    Grpc(std::io::Error),
    #[error("the HTTP server failed: {0}")]
    Http(std::io::Error),
    #[error("a background task ended unexpectedly; see the log")]
    TaskEnded,
}
