//! Connections: how many there may be, and how long each may be idle. Owns the accept loop; knows no route.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::tls::Tls;
use crate::clock::Clock;

/// Connections at most: the rest waits to be accepted.
pub const CONNECTIONS: usize = 256;
/// Beyond so many, a connection is answered only what alerts and probes ask.
pub const FOR_EVERYBODY: usize = 224;
/// A request's head must be there after this long; a connection that is idle for longer ends.
pub const HEAD: Duration = Duration::from_secs(10);
/// A connection takes no new request after this long, and ends after twice as long, with the answers that nobody takes:
/// else who asks without reading would hold a place for ever.
const LIFE: Duration = Duration::from_mins(1);
/// After a connection couldn't be accepted, as where there are too many open files.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// How long what is being answered may take once it is to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// An extension of requests: whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub address: IpAddr,
    /// It is this machine's.
    pub is_here: bool,
    /// What is sent is encrypted on the way.
    pub is_encrypted: bool,
}

impl Peer {
    fn of(stream: &TcpStream) -> io::Result<Self> {
        let (address, own) = (stream.peer_addr()?.ip().to_canonical(), stream.local_addr()?.ip().to_canonical());
        Ok(Self { address, is_here: address.is_loopback() || address == own, is_encrypted: false })
    }
}

/// How what is sent is encrypted.
#[derive(Clone, Debug, Default)]
pub(super) struct Encryption {
    /// `None`: it isn't.
    pub tls: Option<Arc<Tls>>,
    /// Beside this machine, who may ask without.
    pub trusted: Arc<[IpNet]>,
}

/// An extension of requests on connections beyond [`FOR_EVERYBODY`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved;

/// Serves a router's routes until `stop`; what is being answered is answered.
///
/// # Errors
/// None as yet: a connection that can't be accepted is tried again.
pub(super) async fn serve(
    listener: TcpListener,
    encryption: Encryption,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let everybody = Arc::new(Semaphore::new(FOR_EVERYBODY));
    let reserve = Arc::new(Semaphore::new(CONNECTIONS - FOR_EVERYBODY));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &everybody, &reserve) => accepted,
        };
        if let Some((stream, permit, reserved)) = accepted {
            let (router, encryption, stop) = (router.clone(), encryption.clone(), stop.clone());
            connections.spawn(async move {
                let Ok(peer) = Peer::of(&stream) else { return };
                let Encryption { tls, trusted } = encryption;
                match tls {
                    None => answer(stream, peer, router, reserved, stop).await,
                    // Probes, Prometheus and proxies need no certificate.
                    Some(_) if (peer.is_here || is_among(&trusted, peer.address)) && !speaks_tls(&stream).await => {
                        answer(stream, peer, router, reserved, stop).await;
                    }
                    // Whoever says nothing, or speaks no TLS, is gone.
                    Some(tls) => {
                        let shaken = tokio::time::timeout(HEAD, tls.acceptor().accept(stream)).await;
                        if let Ok(Ok(stream)) = shaken {
                            let peer = Peer { is_encrypted: true, ..peer };
                            answer(stream, peer, router, reserved, stop).await;
                        }
                    }
                }
                drop(permit);
            });
        }
        while connections.try_join_next().is_some() {}
    }
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, all).await;
    Ok(())
}

/// Whether an address is in one of these networks.
pub(super) fn is_among(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Whether a connection begins as TLS does: RFC 8446, section 5.1.
async fn speaks_tls(stream: &TcpStream) -> bool {
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    let peeked = tokio::time::timeout(HEAD, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0] == HANDSHAKE
}

/// The next connection, once there may be one more; whether it is of the reserve.
async fn accept(
    listener: &TcpListener,
    everybody: &Arc<Semaphore>,
    reserve: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit, bool)> {
    let (permit, reserved) = if let Ok(permit) = everybody.clone().try_acquire_owned() {
        (permit, false)
    } else {
        tokio::select! {
            biased;
            permit = everybody.clone().acquire_owned() => (permit.ok()?, false),
            permit = reserve.clone().acquire_owned() => (permit.ok()?, true),
        }
    };
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit, reserved)),
        Err(error) => {
            tracing::warn!("can't accept a connection: {error}");
            Clock::System.sleep(AFTER_REFUSAL).await;
            None
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    reserved: bool,
    stop: CancellationToken,
) {
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer);
        if reserved {
            request.extensions_mut().insert(Reserved);
        }
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Whoever asked has gone, or was too slow.
        _ = connection.as_mut() => {}
        () = Clock::System.sleep(LIFE) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LIFE, connection).await;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
