//! The seam to the network: one request, one whole answer. Over HTTP, or in memory for a simulated foundation.
//! Owns timeouts, size limits and TLS; knows nothing of Cloud Controller.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte for this long, an answer is given up.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// No answer may be larger; a page of 5 000 usage events is 4 MB.
pub const LARGEST_BODY: usize = 64 << 20;

/// Why there was no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("can't connect: {0}")]
    Connect(String),
    #[error("the server's certificate isn't trusted: {0}")]
    Tls(String),
    #[error("no answer in time")]
    Timeout,
    #[error("the connection broke: {0}")]
    Cut(String),
    #[error("the answer is larger than {} MiB", LARGEST_BODY >> 20)]
    TooLarge,
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
}

impl Http {
    /// Sets up connections; nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(ca_file: Option<&Path>) -> Result<Self, SetupError> {
        Self::with_read_timeout(ca_file, READ_TIMEOUT)
    }

    /// As [`Http::new`], giving up after another time without a byte.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn with_read_timeout(ca_file: Option<&Path>, read_timeout: Duration) -> Result<Self, SetupError> {
        // Only the first call in a process counts.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cf-billing/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(read_timeout)
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
        Ok(Self { client: builder.build().map_err(SetupError::Tls)? })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::from)).map_err(|error| why(&error))?;
        let mut answer = self.client.execute(request).await.map_err(|error| why(&error))?;
        let mut head = Response::builder().status(answer.status());
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
        Box::pin(self.send(request))
    }
}

fn why(error: &reqwest::Error) -> TransportError {
    let reason = innermost(error);
    if error.is_timeout() {
        TransportError::Timeout
    } else if reason.contains("certificate") || reason.contains("tls") || reason.contains("TLS") {
        TransportError::Tls(reason)
    } else if error.is_connect() || error.is_builder() {
        TransportError::Connect(reason)
    } else {
        TransportError::Cut(reason)
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
