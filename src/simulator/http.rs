//! The simulated foundation behind HTTP: whole requests in, whole answers out.

use std::io;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;

use super::Foundation;
use super::api;
use super::faults::Travels;
use crate::clock::Clock;

/// No request is larger.
const LARGEST_REQUEST: usize = 1 << 20;

impl Foundation {
    /// Answers an HTTP request, whoever asks.
    pub fn exchange(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let answer = self.answer(&api::Request {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            authorization: header(AUTHORIZATION.as_str()),
            request_id: header("x-vcap-request-id"),
            body: request.body(),
        });
        let mut response = Response::new(Bytes::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        let faults = self.options.faults.clone();
        faults.into_iter().fold(response, |response, fault| fault.spoil(request, response))
    }
}

/// Answers HTTP requests with `answer` until `stop`.
///
/// # Errors
/// If the listener fails.
pub async fn serve<A>(
    listener: TcpListener,
    answer: A,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()>
where
    A: Fn(&Request<Bytes>) -> Response<Bytes> + Clone + Send + Sync + 'static,
{
    let router = axum::Router::new().fallback(handle::<A>).with_state(answer);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// How an answer goes out: whole, unless that is what is wrong with it.
fn sent(mut answer: Response<Bytes>) -> Response<Body> {
    let Some(travels) = answer.extensions_mut().remove::<Travels>() else { return answer.map(Body::from) };
    let length = answer.body().len();
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer.map(|body| {
        let (mut writer, reader) = tokio::io::duplex(1);
        #[expect(clippy::disallowed_methods, reason = "ends with its connection; there is nothing to supervise")]
        tokio::spawn(async move {
            match travels {
                Travels::Drips(between) => {
                    for byte in body {
                        if writer.write_u8(byte).await.is_err() {
                            break;
                        }
                        Clock::System.sleep(between).await;
                    }
                }
                // Less than was announced: the connection can't be used any more.
                Travels::Cut => {
                    let _ = writer.write_all(&body[..length / 2]).await;
                }
            }
        });
        Body::from_stream(ReaderStream::new(reader))
    })
}

async fn handle<A>(State(answer): State<A>, request: Request<Body>) -> Response<Body>
where
    A: Fn(&Request<Bytes>) -> Response<Bytes>,
{
    let (head, body) = request.into_parts();
    if let Ok(body) = to_bytes(body, LARGEST_REQUEST).await {
        return sent(answer(&Request::from_parts(head, body)));
    }
    let mut refused = Response::new(Body::empty());
    *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    refused
}
