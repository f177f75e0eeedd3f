//! The seam to the network: one request, one whole answer. Over HTTP, or in memory for a simulated foundation.
//! Owns timeouts, size limits and TLS; knows nothing of Cloud Controller.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use crate::domain::Timestamp;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No answer may be larger; a page of 5 000 usage events is 4 MB.
pub const LARGEST_BODY: usize = 64 << 20;

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a byte for this long, it is given up.
    pub silence: Duration,
    /// All of it must be there after this long, however steadily it drips.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_mins(1), whole: Duration::from_mins(3) }
    }
}

/// Why there was no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("can't connect: {0}")]
    Connect(String),
    #[error("the server's certificate {fault}: {reason}")]
    Certificate { fault: CertificateFault, reason: String },
    #[error("the server has no TLS version or cipher in common with us: {0}")]
    Protocol(String),
    #[error("the server doesn't speak TLS there: {0}")]
    NoTls(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no answer in time")]
    Timeout,
    #[error("the answer was not whole after {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    #[error("the connection broke: {0}")]
    Cut(String),
    #[error("the answer is larger than {} MiB", LARGEST_BODY >> 20)]
    TooLarge,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    /// By our clock.
    NotYetValid,
    /// It is another host's.
    OtherName,
    UnknownAuthority,
    Revoked,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Expired => "has expired",
            Self::NotYetValid => "isn't valid yet",
            Self::OtherName => "is another host's",
            Self::UnknownAuthority => "isn't trusted",
            Self::Revoked => "was revoked",
        })
    }
}

impl TransportError {
    /// Whether nothing but somebody's work at the certificates, or at the configuration, mends it.
    #[must_use]
    pub const fn is_of_tls(&self) -> bool {
        matches!(self, Self::Certificate { .. } | Self::Protocol(_) | Self::NoTls(_) | Self::Tls(_))
    }

    /// What to do about it.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Connect(_) => "check `api` of the foundation, DNS and firewalls",
            Self::Certificate { fault, .. } => match fault {
                CertificateFault::Expired => "renew the server's certificate; check this machine's clock, too",
                CertificateFault::NotYetValid => {
                    "check this machine's clock; if it is right, replace the server's certificate"
                }
                CertificateFault::OtherName => {
                    "set `api` to a name in the certificate, or make a certificate with this name"
                }
                CertificateFault::UnknownAuthority => {
                    "set ca_file to the authority that signed the server's certificate"
                }
                CertificateFault::Revoked => "replace the server's certificate",
            },
            Self::Protocol(_) => "the server or a proxy before it must offer TLS 1.2 or 1.3 with common ciphers",
            Self::NoTls(_) => {
                "check scheme and port of `api`: something other than TLS answers there, such as plain HTTP"
            }
            Self::Tls(_) => "check `api`, and the proxies on the way",
            Self::TooSlow(_) => {
                "Cloud Controller or a proxy on the way sends too slowly; it is tried again in smaller pages"
            }
            Self::Timeout | Self::Cut(_) | Self::TooLarge => {
                "the network or a proxy on the way failed; it is tried again"
            }
        }
    }
}

/// When the certificate that a server showed expires; an extension of its answers over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateExpiry(pub Timestamp);

impl CertificateExpiry {
    /// Of a certificate in DER.
    fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(Self(Timestamp::from_unix(certificate.validity().not_after.timestamp())))
    }
}

/// A future that gives a whole answer.
pub type Exchanging<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

/// Something that answers requests.
pub trait Exchange: fmt::Debug + Send + Sync {
    /// Sends one request and gives its whole answer.
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_>;
}

/// A shared way to exchange.
pub type Transport = Arc<dyn Exchange>;

/// Why HTTP can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("can't read `{file}`: {reason}\nhint: ca_file is a PEM file with the certificate authority to trust")]
    CaFile { file: String, reason: String },
    #[error("can't set up TLS: {0}")]
    Tls(reqwest::Error),
}

/// HTTP with the system's certificate authorities, or with those of one file alone.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    limits: Limits,
}

impl Http {
    /// Sets up connections; nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(ca_file: Option<&Path>) -> Result<Self, SetupError> {
        Self::with_limits(ca_file, Limits::default())
    }

    /// As [`Http::new`], giving up after other times.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn with_limits(ca_file: Option<&Path>, limits: Limits) -> Result<Self, SetupError> {
        // Only the first call in a process counts.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cf-billing/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(limits.silence)
            .tls_info(true)
            // A redirect would carry the token somewhere else.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = ca_file {
            let name = file.display().to_string();
            let failed = |reason: String| SetupError::CaFile { file: name.clone(), reason };
            let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(innermost(&error)))?;
            if certificates.is_empty() {
                return Err(failed("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { client: builder.build().map_err(SetupError::Tls)?, limits })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::from)).map_err(|error| why(&error))?;
        let mut answer = self.client.execute(request).await.map_err(|error| why(&error))?;
        let mut head = Response::builder().status(answer.status());
        let certificate = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| tls.peer_certificate());
        if let Some(expiry) = certificate.and_then(CertificateExpiry::of) {
            head = head.extension(expiry);
        }
        if let Some(headers) = head.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| why(&error))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        head.body(body.freeze()).map_err(|error| TransportError::Cut(error.to_string()))
    }
}

impl Exchange for Http {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        Box::pin(async move {
            let whole = self.limits.whole;
            tokio::time::timeout(whole, self.send(request)).await.unwrap_or(Err(TransportError::TooSlow(whole)))
        })
    }
}

fn why(error: &reqwest::Error) -> TransportError {
    let reason = innermost(error);
    if error.is_timeout() {
        TransportError::Timeout
    } else if let Some(tls) = of_tls(error) {
        why_tls(tls, reason)
    } else if error.is_connect() || error.is_builder() {
        TransportError::Connect(reason)
    } else {
        // Also a connection that ended without TLS's own farewell: what came may be less than was sent.
        TransportError::Cut(reason)
    }
}

/// What TLS says, if it is the cause.
fn of_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = wrapped.and_then(|wrapped| wrapped.downcast_ref()).or_else(|| error.downcast_ref()) {
            return Some(tls);
        }
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn why_tls(error: &rustls::Error, reason: String) -> TransportError {
    use rustls::{AlertDescription, CertificateError};
    let certificate = |fault| TransportError::Certificate { fault, reason: reason.clone() };
    match error {
        rustls::Error::InvalidCertificate(what) => match what {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                certificate(CertificateFault::Expired)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                certificate(CertificateFault::NotYetValid)
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                certificate(CertificateFault::OtherName)
            }
            CertificateError::Revoked => certificate(CertificateFault::Revoked),
            // What else makes a certificate unfit, such as one that signed itself, says no more than that nobody vouches
            // for it.
            _ => certificate(CertificateFault::UnknownAuthority),
        },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => TransportError::Protocol(reason),
        rustls::Error::InvalidMessage(_) => TransportError::NoTls(reason),
        _ => TransportError::Tls(reason),
    }
}

/// The cause at the bottom: what lies above it only names layers.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
