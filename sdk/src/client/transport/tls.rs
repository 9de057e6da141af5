//! The check of the server's certificate, against the roots of the machine and those of the application. It always uses rustls with
//! ring, whatever default another library has installed in the process.

use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::client::start_error::StartError;

/// A TLS configuration, shared by all connections.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the roots, if `base` needs them.
    pub(crate) fn new(base: &Url, root_certificates: &[Vec<u8>]) -> Result<Self, StartError> {
        let mut roots = RootCertStore::empty();
        for pem in root_certificates {
            add(&mut roots, pem)?;
        }
        if base.scheme() == "https" {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(StartError::NoRootCertificates);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StartError::Tls(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// A copy, for a library that wants to own it.
    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }

    pub(super) fn shared(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), StartError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| StartError::Certificate(error.into()))?;
        roots.add(certificate).map_err(|error| StartError::Certificate(error.into()))?;
    }
    if roots.len() == before {
        return Err(StartError::Certificate("it contains no PEM section CERTIFICATE".into()));
    }
    Ok(())
}
