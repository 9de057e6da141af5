//! TLS of the listener: a certificate chain and its key, from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path} as PEM: {source}")]
    Read { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{0} contains no certificate; it must be a PEM file with the certificate chain")]
    Empty(PathBuf),
    #[error("the certificate and the private key do not match: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// Loads a certificate chain and its key.
pub(super) fn load(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificates).map_err(read(certificates))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(read(certificates))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificates.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(read(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
