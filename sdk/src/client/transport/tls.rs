//! How the server's certificate is checked: against the roots of the machine, and those that the application gave. Always by
//! rustls with ring; a default that some other library has set for the process is not asked.

use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::client::options::StartError;

/// A TLS configuration, shared by all connections.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the roots where `base` needs them.
    pub(crate) fn new(base: &Url, root_certificates: &[Vec<u8>]) -> Result<Self, StartError> {
        let mut roots = RootCertStore::empty();
        for pem in root_certificates {
            add(&mut roots, pem)?;
        }
        if base.scheme() == "https" {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let why = "this machine has no root certificates; install them (ca-certificates) or give the server's with root_certificate()";
                return Err(StartError::Tls(why.to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StartError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// A copy for a client that wants its own.
    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }

    /// The configuration.
    pub(super) fn shared(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), StartError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| StartError::Certificate(error.to_string()))?;
        roots.add(certificate).map_err(|error| StartError::Certificate(error.to_string()))?;
    }
    if roots.len() == before {
        return Err(StartError::Certificate("it holds no PEM section CERTIFICATE".to_owned()));
    }
    Ok(())
}
