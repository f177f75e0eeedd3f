//! Real sockets: TLS, limits, broken connections.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http, LARGEST_BODY, TransportError};
use http::Request;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn get(http: &Http, url: &str) -> Result<Bytes, TransportError> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    http.exchange(request).await.map(http::Response::into_body)
}

/// Reads a request's head, writes `answer`, and closes.
async fn answer_once<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &[u8]) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

/// A server that gives every connection the same bytes.
async fn serve(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer_once(stream, &answer).await;
        }
    });
    address
}

fn answer_with(length: usize, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    run(async {
        let http = Http::new(None).unwrap();
        for (length, expected) in [(LARGEST_BODY, Ok(LARGEST_BODY)), (LARGEST_BODY + 1, Err(TransportError::TooLarge))]
        {
            let address = serve(answer_with(length, &vec![b'x'; length])).await;
            let got = get(&http, &format!("http://{address}/")).await.map(|body| body.len());
            assert_eq!(got, expected);
        }
    });
}

#[test]
fn a_connection_cut_in_the_body_is_no_answer() {
    run(async {
        let address = serve(answer_with(1000, b"only this")).await;
        let error = get(&Http::new(None).unwrap(), &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, TransportError::Cut(_)), "{error:?}");
    });
}

#[test]
fn nobody_listening_and_no_such_host_can_not_be_connected_to() {
    run(async {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let http = Http::new(None).unwrap();
        for url in [format!("http://{free}/"), "http://no-such-host.invalid/".to_owned()] {
            let error = get(&http, &url).await.unwrap_err();
            assert!(matches!(error, TransportError::Connect(_)), "{url}: {error:?}");
        }
    });
}

#[test]
fn silence_is_given_up() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = Http::with_read_timeout(None, Duration::from_millis(200)).unwrap();
        let error = get(&http, &format!("http://{address}/")).await.unwrap_err();
        assert_eq!(error, TransportError::Timeout);
        drop(listener);
    });
}

#[test]
fn redirects_are_not_followed() {
    run(async {
        let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        let address = serve(answer).await;
        let request = Request::get(format!("http://{address}/")).body(Bytes::new()).unwrap();
        assert_eq!(Http::new(None).unwrap().exchange(request).await.unwrap().status(), 302);
    });
}

/// A certificate authority's PEM, and a server with a certificate of it.
async fn serve_tls(folder: &Path, name: &str) -> (std::path::PathBuf, SocketAddr) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let file = folder.join(format!("{name}.pem"));
    std::fs::write(&file, authority_certificate.pem()).unwrap();

    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_once(stream, &answer_with(2, b"ok")).await;
            }
        }
    });
    (file, address)
}

#[test]
fn tls_trusts_the_given_authority_and_no_other() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (ours, address) = serve_tls(folder.path(), "ours").await;
        let (other, _) = serve_tls(folder.path(), "other").await;
        let url = format!("https://{address}/");
        assert_eq!(get(&Http::new(Some(&ours)).unwrap(), &url).await.as_deref(), Ok(&b"ok"[..]));
        for http in [Http::new(Some(&other)).unwrap(), Http::new(None).unwrap()] {
            let error = get(&http, &url).await.unwrap_err();
            assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
        }
    });
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    assert!(Http::new(Some(&file)).unwrap_err().to_string().contains("ca.pem"));
    for text in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, text).unwrap();
        assert!(Http::new(Some(&file)).is_err(), "{text}");
    }
}
