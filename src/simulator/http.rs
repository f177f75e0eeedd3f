//! The simulated foundation behind HTTP: whole requests in, whole answers out.

use std::io;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::net::TcpListener;

use super::Foundation;
use super::api;

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
        response
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

async fn handle<A>(State(answer): State<A>, request: Request<Body>) -> Response<Body>
where
    A: Fn(&Request<Bytes>) -> Response<Bytes>,
{
    let (head, body) = request.into_parts();
    if let Ok(body) = to_bytes(body, LARGEST_REQUEST).await {
        return answer(&Request::from_parts(head, body)).map(Body::from);
    }
    let mut refused = Response::new(Body::empty());
    *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    refused
}
