//! Sockets, connections and their end: what the OCSP and the admin listeners have in common.
//!
//! `app` calls [`listen`] once a worker and address (SO_REUSEPORT lets the kernel spread connections over
//! the workers), and runs the accept loop on that worker's own single-threaded runtime. Nothing is
//! shared between workers but the shutdown flag, which is an atomic.
//!
//! Limits: hyper itself refuses heads over [`HEAD_OCTETS`] or 100 header lines (431), paths over 64 KiB (414),
//! conflicting lengths and broken chunks (400); [`super::watched`] ends what stalls. A head over `HEAD_OCTETS`
//! whose request line alone fills it gets 431 rather than 414: hyper has not seen the line's end.
//!
//! Places: while all are taken nobody new is accepted (the kernel's backlog waits), and from three quarters on
//! idle connections end early, so that a crowd of idlers cannot keep others out.
//!
//! Shutdown: for [`FAREWELL`] everything goes on, and each answer says that its connection ends: so clients that
//! keep connections go by themselves, where a connection that is closed over their next request would cost a
//! proxy that request (a POST is not sent twice). Then what the kernel has already accepted for us is still taken
//! (or left to the next process, see [`Backlog`]), listening stops, idle connections close, requests in flight are
//! answered, and after the drain time the rest is dropped. A client that has connected and not said
//! anything yet has [`FIRST_WORD`] to do so.

use super::peer::Peer;
use super::reply::Reply;
use super::tls::{Tls, peer_of};
use super::versions::attend;
use super::watched::Watched;
use crate::metrics::Metrics;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The most that a request line and its headers may take together, in octets.
pub(super) const HEAD_OCTETS: usize = 72 << 10;

/// Connections that the kernel keeps for us until we take them.
const BACKLOG: i32 = 4096;

/// How long answers go on, and say that it is over; less, once nobody is connected.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a client that was accepted just before the end has for sending its request: it is on its way.
pub(super) const FIRST_WORD: Duration = Duration::from_millis(500);

/// A listener could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source} (is another program listening there, or the port below 1024?)"
    )]
    Listen { address: SocketAddr, source: io::Error },
    /// The runtime does not take the socket.
    #[error("cannot accept connections: {0}")]
    Register(io::Error),
}

/// How much, how many, how long. [`Limits::default`] is for the OCSP listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a request's body.
    pub body_octets: usize,
    /// Octets of a request's path and query.
    pub target_octets: usize,
    /// A head, a body or an answer that stalls ends its connection after one to two times this.
    pub stall: Duration,
    /// A connection that has been answered may be quiet for this long, in whole steps of `stall`.
    pub idle: Duration,
    /// Connections of one listener at a time.
    pub connections: usize,
    /// Requests of one worker that may wait for the disk at a time.
    pub disk_readers: usize,
    /// How long a request may wait until a worker takes it up: behind that the worker gives up what is dearest.
    /// `None`: however long.
    pub patience: Option<Duration>,
    /// How long requests in flight have to end after shutdown was asked for.
    pub drain: Duration,
    /// What becomes, at the end, of connections that nobody has accepted.
    pub backlog: Backlog,
}

/// Connections that the kernel has greeted and nobody has accepted, when listening ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// They are accepted and answered: the socket is ours, and closing it would reset them.
    Take,
    /// They wait for the next process: somebody holds the socket open for it.
    Leave,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_octets: 8 << 10,
            target_octets: 8 << 10,
            stall: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            connections: 10_000,
            disk_readers: 512,
            patience: Some(Duration::from_millis(100)),
            drain: Duration::from_secs(10),
            backlog: Backlog::Take,
        }
    }
}

impl Limits {
    /// For the admin listener: CRLs come in, and ingesting one may take minutes without an octet moving.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            body_octets: 256 << 20,
            stall: Duration::from_secs(1800),
            idle: Duration::from_secs(1800),
            connections: 256,
            ..Self::default()
        }
    }
}

/// Asks every listener that was given a copy to stop. Cheap to look at, from any thread.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<ShutdownState>);

#[derive(Debug, Default)]
struct ShutdownState {
    asked: AtomicBool,
    waiting: Notify,
}

impl Shutdown {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on listeners drain. Saying it twice is saying it once.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Returns once it was asked for.
    pub async fn asked(&self) {
        // A `Notified` made before the look at the flag misses no notification after it.
        let notified = self.0.waiting.notified();
        if !self.is_asked() {
            notified.await;
        }
    }
}

/// The two steps in which a connection ends.
#[derive(Clone)]
pub(super) struct End {
    /// From here on answers say that the connection ends.
    pub said: Shutdown,
    /// From here on it ends as soon as nothing is under way.
    pub closing: Shutdown,
}

/// A listening socket that shares its address with the other workers'. Port 0 takes any free port.
///
/// # Errors
/// [`ListenError::Listen`] with the address.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|source| ListenError::Listen { address, source })
}

/// Answers one request after the other.
pub(super) trait Serve: Clone + Send + 'static {
    /// The same for one connection; from here on it is known who is at its other end.
    fn meet(&self, _peer: impl FnOnce() -> Peer) -> Self {
        self.clone()
    }

    fn serve(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// Accepts and serves until shutdown is asked for and the open connections have ended.
pub(super) async fn serve<S: Serve>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: S,
    limits: &Limits,
    open: Option<Arc<Metrics>>,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    listener.set_nonblocking(true).map_err(ListenError::Register)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ListenError::Register)?;
    let crowded = Arc::new(AtomicBool::new(false));
    let mut connections = JoinSet::new();
    let (ending, closing) = (shutdown.clone(), Shutdown::new());
    let attend = |connections: &mut JoinSet<()>, stream: TcpStream, address: IpAddr| {
        // An answer is one small packet; waiting to fill it would only delay it.
        let _ = stream.set_nodelay(true);
        let (open, is_crowded) = (open.clone().map(Open::new), Arc::clone(&crowded));
        let end = End { said: ending.clone(), closing: closing.clone() };
        match &tls {
            None => {
                let service = service.meet(|| Peer::new(address, None));
                let io = Watched::new(TokioIo::new(stream), limits, is_crowded);
                connections.spawn(async move {
                    let _open = open;
                    attend(io, service, end).await;
                });
            }
            Some(tls) => {
                let (tls, service, limits) = (Arc::clone(tls), service.clone(), limits.clone());
                connections.spawn(async move {
                    let metrics = open.as_ref().map(|open| &*open.0);
                    let Some(stream) = tls.greet(stream, &limits, metrics).await else { return };
                    let service = service.meet(|| peer_of(&stream, address));
                    let io = Watched::new(TokioIo::new(stream), &limits, is_crowded);
                    attend(io, service, end).await;
                });
            }
        }
        crowded.store(connections.len() >= limits.connections / 4 * 3, Ordering::Relaxed);
    };

    let mut stop = pin!(shutdown.asked());
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept(), if connections.len() < limits.connections => match accepted {
                Ok((stream, address)) => attend(&mut connections, stream, address.ip()),
                Err(error) => pause_after(error).await,
            },
            Some(_) = connections.join_next() => {
                crowded.store(connections.len() >= limits.connections / 4 * 3, Ordering::Relaxed);
            }
        }
    }

    let mut farewell = pin!(tokio::time::sleep(FAREWELL));
    while !connections.is_empty() {
        tokio::select! {
            () = &mut farewell => break,
            accepted = listener.accept(), if connections.len() < limits.connections => match accepted {
                Ok((stream, address)) => attend(&mut connections, stream, address.ip()),
                Err(error) => pause_after(error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    closing.ask();

    // Clients that the kernel has greeted already would be reset if the socket closed over them.
    while limits.backlog == Backlog::Take
        && let Poll::Ready(Ok((stream, address))) = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await
    {
        attend(&mut connections, stream, address.ip());
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "connections dropped: they did not end in the drain time"
        );
    }
    Ok(())
}

/// Accepting failed. A client that has gone is nothing; a process without file descriptors gains
/// nothing from asking again at once.
async fn pause_after(error: io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!(%error, "cannot accept a connection; trying again in 100 ms");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Counts a connection for as long as it lives.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: Arc<Metrics>) -> Self {
        metrics.connections_open.inc();
        Self(metrics)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.dec();
    }
}
