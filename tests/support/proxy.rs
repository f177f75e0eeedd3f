//! A network between a program and PostgreSQL, or a foundation, that can be cut, or swallow everything without a word.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::io::InspectReader;

use super::database::server;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Whole,
    /// Connections are reset, new ones too.
    Cut,
    /// Connections stay, nothing passes.
    Silent,
    /// Answers come a byte at a time, and never to their end.
    Slow,
    /// Whoever asks for a list of processes is cut off.
    WithoutProcesses,
}

/// What is behind it.
#[derive(Clone, Debug)]
pub enum Upstream {
    Address(SocketAddr),
    Socket(PathBuf),
}

impl Upstream {
    /// The PostgreSQL server of all tests.
    fn server() -> Self {
        let server = server();
        let host = server.split_once("host=").map(|(_, rest)| rest.split('&').next().unwrap().to_owned());
        if let Some(folder) = host.filter(|host| host.starts_with('/')) {
            return Self::Socket(PathBuf::from(folder).join(".s.PGSQL.5432"));
        }
        let url: url::Url = server.parse().unwrap();
        let address = (url.host_str().unwrap(), url.port().unwrap_or(5432));
        Self::Address(address.to_socket_addrs().unwrap().next().unwrap())
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Address(address) => Box::new(TcpStream::connect(address).await?),
            Self::Socket(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Proxy {
    network: watch::Sender<Network>,
    port: u16,
    /// Bytes of answers that came so far.
    pub answered: Arc<AtomicU64>,
}

impl Proxy {
    /// Before the PostgreSQL server.
    pub fn new(runtime: &Runtime) -> Self {
        Self::before(runtime, Upstream::server())
    }

    pub fn before(runtime: &Runtime, upstream: Upstream) -> Self {
        let (network, watching) = watch::channel(Network::Whole);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answered = Arc::new(AtomicU64::new(0));
        let counted = answered.clone();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(stream, upstream.clone(), watching.clone(), counted.clone()));
            }
        });
        Self { network, port, answered }
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database as seen through it.
    pub fn through(&self, url: &str) -> String {
        let (base, _) = url.split_once('?').unwrap_or((url, ""));
        let (user, rest) = base.strip_prefix("postgres://").unwrap().split_once('@').unwrap();
        let database = rest.split_once('/').unwrap().1;
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

async fn pass(
    mut client: TcpStream,
    upstream: Upstream,
    mut network: watch::Receiver<Network>,
    answered: Arc<AtomicU64>,
) {
    if *network.borrow() == Network::Cut {
        return;
    }
    if *network.borrow() == Network::Silent {
        // Accepted by the system, heard by nobody.
        let _ = network.wait_for(|network| *network != Network::Silent).await;
        return;
    }
    let Ok(upstream) = upstream.connect().await else { return };
    let count = move |bytes: &[u8]| {
        answered.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    };
    let mut upstream: Box<dyn Stream> = Box::new(InspectReader::new(upstream, count));
    between(&mut client, &mut upstream, &mut network).await;
}

async fn between(client: &mut TcpStream, upstream: &mut Box<dyn Stream>, network: &mut watch::Receiver<Network>) {
    loop {
        tokio::select! {
            // Nothing passes a network that isn't whole.
            biased;
            _ = network.wait_for(|network| *network != Network::Whole) => {}
            _ = copy_bidirectional(client, upstream) => return,
        }
        let now = *network.borrow();
        match now {
            Network::Cut => return,
            Network::Slow | Network::WithoutProcesses => {
                if pass_some(client, upstream, network, now).await.is_err() {
                    return;
                }
            }
            Network::Silent => {
                // What stands in buffers is late, not lost, if the network comes back in time.
                let back = network.wait_for(|network| *network != Network::Silent);
                if tokio::time::timeout(Duration::from_mins(1), back).await.is_err() {
                    return;
                }
            }
            Network::Whole => {}
        }
    }
}

/// Passes on what that network lets pass, as long as it is so.
async fn pass_some(
    client: &mut TcpStream,
    upstream: &mut Box<dyn Stream>,
    network: &mut watch::Receiver<Network>,
    how: Network,
) -> std::io::Result<()> {
    let slow = how == Network::Slow;
    let (mut question, mut answer) = ([0; 4096], vec![0; if slow { 1 } else { 4096 }]);
    loop {
        tokio::select! {
            biased;
            () = async { drop(network.wait_for(|network| *network != how).await) } => return Ok(()),
            read = client.read(&mut question) => match read? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                // A question comes in one piece: it is short.
                read if how == Network::WithoutProcesses
                    && String::from_utf8_lossy(&question[..read]).contains("GET /v3/processes") =>
                {
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
                read => upstream.write_all(&question[..read]).await?,
            },
            read = upstream.read(&mut answer) => match read? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => {
                    client.write_all(&answer[..read]).await?;
                    if slow {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            },
        }
    }
}
