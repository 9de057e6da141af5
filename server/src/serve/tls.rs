//! TLS of the listeners: a certificate chain and its key, from PEM files, which are read again when they change or when the process gets a
//! HUP. Connections that are open keep the certificate that they began with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "the times of files are compared, not shown")]
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::tasks;
use crate::telemetry::names;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(30);

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

/// Asks a server to read its certificate again. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Asks now.
    pub fn now(&self) {
        self.0.notify_one();
    }

    async fn asked(&self) {
        self.0.notified().await;
    }
}

/// The certificate in use, and where it comes from. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Certificate(Arc<CertificateFiles>);

#[derive(Debug)]
struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    /// When the files were last changed, before they were first read.
    loaded: FileTimes,
    current: ArcSwap<CertifiedKey>,
}

/// When chain and key were last changed.
#[expect(clippy::disallowed_types, reason = "the times of files are compared, not shown")]
type FileTimes = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads a certificate chain and its key.
    pub(super) fn load(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let loaded = changed(chain, key);
        let current = read(chain, key)?;
        Ok(Self(Arc::new(CertificateFiles {
            chain: chain.to_owned(),
            key: key.to_owned(),
            loaded,
            current: ArcSwap::from_pointee(current),
        })))
    }

    /// The settings of a listener that presents it, whatever it is by then.
    pub(super) fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files again whenever they change or someone asks. If they cannot be used, the certificate stays.
    pub(super) async fn follow(self, reload: Reload, stop: CancellationToken) {
        let mut seen = self.0.loaded;
        loop {
            let is_asked = tokio::select! {
                () = stop.cancelled() => return,
                () = reload.asked() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let files = Arc::clone(&self.0);
            let looked = tasks::blocking(move || {
                let changed = changed(&files.chain, &files.key);
                (is_asked || changed != seen).then(|| (changed, read(&files.chain, &files.key)))
            });
            let Ok(Some((changed, read))) = looked.await else { continue };
            seen = changed;
            match read {
                Ok(certificate) => {
                    self.0.current.store(Arc::new(certificate));
                    metrics::counter!(names::CERTIFICATE_RELOADS, "outcome" => "loaded").increment(1);
                    tracing::info!(file = %self.0.chain.display(), "the certificate was read again");
                }
                Err(error) => {
                    metrics::counter!(names::CERTIFICATE_RELOADS, "outcome" => "failed").increment(1);
                    tracing::error!(%error, "the new certificate cannot be used; the one before stays in use");
                }
            }
        }
    }
}

fn changed(chain: &Path, key: &Path) -> FileTimes {
    [chain, key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

impl ResolvesServerCert for CertificateFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Reads a certificate chain and its key, which must belong together.
fn read(certificates: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificates).map_err(failed(certificates))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(failed(certificates))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificates.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    Ok(CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    }

    fn presented(certificate: &Certificate) -> Vec<u8> {
        certificate.0.current.load().cert[0].to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_presented_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path());
        // Two writes within one tick of the file system's clock would look like one.
        let file = std::fs::File::options().append(true).open(folder.path().join("cert.pem")).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        file.set_modified(written - Duration::from_mins(1)).unwrap();
        let certificate = Certificate::load(&folder.path().join("cert.pem"), &folder.path().join("key.pem")).unwrap();
        assert_eq!(presented(&certificate), first);
        let (reload, stop) = (Reload::default(), CancellationToken::new());
        let following = tokio::spawn(certificate.clone().follow(reload.clone(), stop.clone()));
        let until = async |is_so: &dyn Fn() -> bool| {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        // By itself, when the files change.
        let second = write(folder.path());
        until(&|| presented(&certificate) == second).await;
        // At once, when someone asks.
        std::fs::write(folder.path().join("key.pem"), "nothing").unwrap();
        reload.now();
        tokio::time::sleep(LOOK * 2).await;
        assert_eq!(presented(&certificate), second, "the one before stays in use");
        let third = write(folder.path());
        reload.now();
        until(&|| presented(&certificate) == third).await;
        stop.cancel();
        following.await.unwrap();
    }
}
