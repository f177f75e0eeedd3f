//! A certificate authority of its own, and servers with certificates of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    pub from: u64,
    pub to: u64,
}

/// A certificate for a name, the authority's, and the key.
fn made(name: &str, valid: Validity) -> (Certificate, Certificate, KeyPair) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let begin = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = begin + Duration::from_secs(valid.from);
    params.not_after = begin + Duration::from_secs(valid.to);
    (params.signed_by(&key, &issuer).unwrap(), authority_certificate, key)
}

/// As PEM, for servers of others: the authority's certificate, that for a name, and its key.
pub fn files(name: &str) -> (String, String, String) {
    let (certificate, authority, key) = made(name, Validity { from: 0, to: 4_000_000_000 });
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

/// The authority's certificate as PEM, and how a server with a certificate for `name` speaks.
pub fn server(name: &str, valid: Validity, versions: &[&'static SupportedProtocolVersion]) -> (String, ServerConfig) {
    let (certificate, authority_certificate, key) = made(name, valid);
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (authority_certificate.pem(), config)
}

/// Ends TLS before a server that speaks none: where, and the file with its authority.
pub fn before(runtime: &Runtime, folder: &Path, behind: SocketAddr, valid: Validity) -> (PathBuf, SocketAddr) {
    let (authority, config) = server("127.0.0.1", valid, tokio_rustls::rustls::DEFAULT_VERSIONS);
    let file = folder.join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let Ok(mut upstream) = TcpStream::connect(behind).await else { return };
                let _ = copy_bidirectional(&mut stream, &mut upstream).await;
            });
        }
    });
    (file, address)
}
