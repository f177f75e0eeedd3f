//! TLS of our own: certificate and key from files, read again when they are others.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The certificate that browsers are shown.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// With what these files have now: PEM, the certificate first and then those that signed it.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Self, String> {
        let config = RwLock::new(read(&certificate, &key)?);
        Ok(Self { certificate, key, config })
    }

    /// With what the files have by now; if that isn't good, with what they had before.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read_again(&self) -> Result<(), String> {
        let config = read(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// For a connection that begins now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(certificate: &std::path::Path, key: &std::path::Path) -> Result<Arc<ServerConfig>, String> {
    let hint = "hint: tls_certificate and tls_key are PEM files, readable by the user of the service";
    let cannot =
        |file: &std::path::Path, error: &dyn fmt::Display| format!("can't use `{}`: {error}\n{hint}", file.display());
    let certificates = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| cannot(certificate, &error))?;
    if certificates.is_empty() {
        return Err(cannot(certificate, &"it has no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| cannot(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| cannot(certificate, &error))?.with_no_client_auth();
    let mut config = config.with_single_cert(certificates, private).map_err(|error| cannot(key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
