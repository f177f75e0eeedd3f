//! Real sockets: TLS, limits, broken connections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{CertificateFault, Exchange, Http, LARGEST_BODY, Limits, TransportError};
use chrono::{DateTime, Months};
use http::Request;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::SupportedProtocolVersion;

use crate::support::background::configure;
use crate::support::program::Program;
use crate::support::tls::{Validity, server};

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
        let limits = Limits { silence: Duration::from_millis(200), whole: Duration::from_secs(20) };
        let http = Http::with_limits(None, limits).unwrap();
        let error = get(&http, &format!("http://{address}/")).await.unwrap_err();
        assert_eq!(error, TransportError::Timeout);
        drop(listener);
    });
}

/// A server that sends its answer byte by byte, so often as to never be silent.
async fn drip(answer: Vec<u8>, between: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            for byte in &answer {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(between).await;
            }
        }
    });
    address
}

#[test]
fn a_whole_answer_takes_no_longer_than_the_limit_however_steadily_it_drips() {
    run(async {
        let answer = answer_with(20, &[b'x'; 20]);
        let between = Duration::from_millis(10);
        let url = format!("http://{}/", drip(answer, between).await);
        let limits = |whole| Limits { silence: Duration::from_secs(5), whole };
        let patient = Http::with_limits(None, limits(Duration::from_secs(20))).unwrap();
        assert_eq!(get(&patient, &url).await.unwrap().len(), 20);
        let whole = Duration::from_millis(200);
        let error = get(&Http::with_limits(None, limits(whole)).unwrap(), &url).await.unwrap_err();
        assert_eq!(error, TransportError::TooSlow(whole));
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

/// What a TLS server of a test is like.
struct Tls {
    name: &'static str,
    /// From and until which year its certificate is good.
    years: (i32, i32),
    versions: &'static [&'static SupportedProtocolVersion],
    /// It says that it ends before it does.
    farewell: bool,
    answer: Vec<u8>,
}

impl Default for Tls {
    fn default() -> Self {
        let versions = tokio_rustls::rustls::DEFAULT_VERSIONS;
        Self { name: "127.0.0.1", years: (2020, 2090), versions, farewell: true, answer: answer_with(2, b"ok") }
    }
}

/// A certificate authority's PEM, and a server with a certificate of it.
async fn serve_tls(folder: &Path, name: &str, tls: Tls) -> (PathBuf, SocketAddr) {
    let year =
        |year: i32| (DateTime::UNIX_EPOCH + Months::new((year - 1970).unsigned_abs() * 12)).timestamp().unsigned_abs();
    let valid = Validity { from: year(tls.years.0), to: year(tls.years.1) };
    let (authority, config) = server(tls.name, valid, tls.versions);
    let file = folder.join(format!("{name}.pem"));
    std::fs::write(&file, authority).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if tls.farewell {
                answer_once(stream, &tls.answer).await;
                continue;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let _ = stream.write_all(&tls.answer).await;
            let _ = stream.flush().await;
            let _ = stream.get_mut().0.shutdown().await;
        }
    });
    (file, address)
}

async fn certificate_fault(tls: Tls, authority: Option<&Path>) -> TransportError {
    let folder = tempfile::tempdir().unwrap();
    let (own, address) = serve_tls(folder.path(), "own", tls).await;
    let http = Http::new(Some(authority.unwrap_or(&own))).unwrap();
    get(&http, &format!("https://{address}/")).await.unwrap_err()
}

#[test]
fn tls_trusts_the_given_authority_and_no_other() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (ours, address) = serve_tls(folder.path(), "ours", Tls::default()).await;
        let (other, _) = serve_tls(folder.path(), "other", Tls::default()).await;
        let url = format!("https://{address}/");
        assert_eq!(get(&Http::new(Some(&ours)).unwrap(), &url).await.as_deref(), Ok(&b"ok"[..]));
        for http in [Http::new(Some(&other)).unwrap(), Http::new(None).unwrap()] {
            let error = get(&http, &url).await.unwrap_err();
            let fault = CertificateFault::UnknownAuthority;
            assert!(matches!(&error, TransportError::Certificate { fault: of, .. } if *of == fault), "{error:?}");
        }
    });
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_apart() {
    run(async {
        let cases = [
            (Tls { years: (2020, 2021), ..Tls::default() }, CertificateFault::Expired),
            (Tls { years: (2090, 2091), ..Tls::default() }, CertificateFault::NotYetValid),
            (Tls { name: "api.example.org", ..Tls::default() }, CertificateFault::OtherName),
        ];
        for (tls, expected) in cases {
            let error = certificate_fault(tls, None).await;
            assert!(matches!(&error, TransportError::Certificate { fault, .. } if *fault == expected), "{error:?}");
        }
    });
}

/// The first bytes of a server that has TLS 1.1 at most: an alert, protocol_version.
const OLD_TLS: [u8; 7] = [21, 3, 2, 0, 2, 2, 70];

/// A server that answers whatever is said with the same bytes, and no more.
async fn serve_raw(first: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 5];
            let _ = stream.read_exact(&mut hello).await;
            let _ = stream.write_all(&first).await;
            // What it says next isn't heard, but it isn't cut off either.
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    });
    address
}

#[test]
fn an_old_protocol_and_plain_http_are_told_apart() {
    run(async {
        for (first, old) in [(OLD_TLS.to_vec(), true), (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false)] {
            let address = serve_raw(first).await;
            let error = get(&Http::new(None).unwrap(), &format!("https://{address}/")).await.unwrap_err();
            let right = if old {
                matches!(error, TransportError::Protocol(_))
            } else {
                matches!(error, TransportError::NoTls(_))
            };
            assert!(right, "{error:?}");
        }
    });
}

/// A proxy that is restarted cuts TLS without a word: that is no fault of a certificate.
#[test]
fn tls_cut_without_a_farewell_is_a_cut_connection() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        for answer in [answer_with(1000, b"only this"), b"HTTP/1.1 200 OK\r\n\r\nwithout a length".to_vec()] {
            let tls = Tls { farewell: false, answer, ..Tls::default() };
            let (authority, address) = serve_tls(folder.path(), "own", tls).await;
            let error = get(&Http::new(Some(&authority)).unwrap(), &format!("https://{address}/")).await.unwrap_err();
            assert!(matches!(error, TransportError::Cut(_)), "{error:?}");
        }
    });
}

/// The line of `check` that tells of an address, and its hint.
fn checked(address: SocketAddr, ca_file: &Path) -> String {
    let program = Program::without_database();
    let (api, ca_file) = (format!("https://{address}"), format!("ca_file = \"{}\"", ca_file.display()));
    configure(&program, &api, "");
    let file = program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{ca_file}\n")).unwrap();
    let run = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let lines: Value = serde_json::from_str(&run.stdout).unwrap();
    let line = lines.as_array().unwrap().iter().find(|line| line["what"] == "address").unwrap();
    assert_eq!(line["verdict"], "fail");
    format!("{} hint: {}", line["detail"].as_str().unwrap(), line["hint"].as_str().unwrap())
}

#[test]
fn check_tells_faults_of_tls_apart_each_with_its_own_hint() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = Tls { farewell: false, answer: answer_with(1000, b"only this"), ..Tls::default() };
    let mut cases = Vec::new();
    for (tls, words) in [
        (Tls { years: (2020, 2021), ..Tls::default() }, ["has expired", "renew the server's certificate"]),
        (Tls { name: "api.example.org", ..Tls::default() }, ["is another host's", "set `api` to a name"]),
        (cut, ["the connection broke", "it is tried again"]),
    ] {
        let (authority, address) = runtime.block_on(serve_tls(folder.path(), words[0], tls));
        cases.push((authority, address, words));
    }
    let (other, _) = runtime.block_on(serve_tls(folder.path(), "other", Tls::default()));
    let (_, address) = runtime.block_on(serve_tls(folder.path(), "own", Tls::default()));
    cases.push((other.clone(), address, ["isn't trusted", "set ca_file to the authority"]));
    let old = runtime.block_on(serve_raw(OLD_TLS.to_vec()));
    cases.push((other.clone(), old, ["has no TLS version or cipher in common", "TLS 1.2 or 1.3"]));
    let plain = runtime.block_on(serve_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    cases.push((other, plain, ["doesn't speak TLS there", "check scheme and port"]));
    for (authority, address, words) in cases {
        let told = checked(address, &authority);
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
    }
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
