//! How octets get to the responder: TCP, TLS over it, and HTTP/1.1 or HTTP/2 over either.
//!
//! Called by `command` (making a [`Transport`]) and `drive` (opening [`Channel`]s). TLS is rustls; it trusts
//! the certificates that were named and no others, because what is put under load is known.
//! Errors: [`TransportError`] while it is made; opening fails with an `io::Error`.

use crate::http2;
use crate::plan::{ClientPlan, Http, TlsPlan};
use crate::request::{Heads, Method};
use crate::target::Target;
use crate::wire::{self, Reply, WireError};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("{url}: nobody says which certificates to trust (--tls-ca FILE, or [tls] ca in the plan)")]
    NobodyToTrust { url: String },
    #[error("{}: {why} (certificates and keys are PEM)", .file.display())]
    File { file: PathBuf, why: String },
    #[error("{name}: not a name that a certificate can be for (--tls-name)")]
    Name { name: String },
    #[error("TLS: {0} (does each client certificate stand with its own key?)")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// The way to the responder.
pub struct Transport {
    address: SocketAddr,
    http: Http,
    tls: Option<Tls>,
}

struct Tls {
    name: ServerName<'static>,
    /// One for each client certificate, each with its own resumed sessions; one without, if there are none.
    connectors: Vec<TlsConnector>,
}

impl Transport {
    /// The way to `target`; `tls` counts only where its URL says `https`.
    pub fn new(target: &Target, http: Http, tls: Option<&TlsPlan>) -> Result<Self, TransportError> {
        let tls = match (target.secure, tls) {
            (false, _) => None,
            (true, None) => return Err(TransportError::NobodyToTrust { url: target.url.clone() }),
            (true, Some(plan)) => Some(Tls::new(target, http, plan)?),
        };
        Ok(Self { address: target.address, http, tls })
    }

    /// Opens connection `number` of the run.
    pub async fn open(&self, number: usize) -> io::Result<Channel> {
        let stream = TcpStream::connect(self.address).await?;
        // Or the kernel waits for more before it sends the end of a request.
        stream.set_nodelay(true)?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.open(stream, number).await?)),
        };
        Ok(match self.http {
            Http::One => Channel::One(wire::Connection::new(stream)),
            Http::Two => Channel::Two(http2::Connection::open(stream).await?),
        })
    }
}

impl Tls {
    fn new(target: &Target, http: Http, plan: &TlsPlan) -> Result<Self, TransportError> {
        let name = plan.name.clone().unwrap_or_else(|| target.host.clone());
        let name = ServerName::try_from(name.clone()).map_err(|_| TransportError::Name { name })?;
        let mut trusted = RootCertStore::empty();
        for certificate in certificates(&plan.ca)? {
            trusted.add(certificate)?;
        }
        let trusted = Arc::new(trusted);
        let connector = |client: Option<&ClientPlan>| {
            let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(Arc::clone(&trusted));
            let mut config = match client {
                None => builder.with_no_client_auth(),
                Some(client) => {
                    let key =
                        PrivateKeyDer::from_pem_file(&client.key).map_err(|why| in_file(&client.key, why))?;
                    builder.with_client_auth_cert(certificates(&client.certificate)?, key)?
                }
            };
            let protocol: &[u8] = if http == Http::Two { b"h2" } else { b"http/1.1" };
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(TlsConnector::from(Arc::new(config)))
        };
        let connectors = if plan.clients.is_empty() {
            vec![connector(None)?]
        } else {
            plan.clients
                .iter()
                .map(|client| connector(Some(client)))
                .collect::<Result<_, TransportError>>()?
        };
        Ok(Self { name, connectors })
    }

    async fn open(&self, stream: TcpStream, number: usize) -> io::Result<TlsStream<TcpStream>> {
        let turn = number % self.connectors.len().max(1);
        let connector = self.connectors.get(turn).ok_or(io::ErrorKind::NotFound)?;
        connector.connect(self.name.clone(), stream).await
    }
}

fn in_file(file: &Path, why: impl std::fmt::Display) -> TransportError {
    TransportError::File { file: file.to_path_buf(), why: why.to_string() }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let found = CertificateDer::pem_file_iter(file).map_err(|why| in_file(file, why))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|why| in_file(file, why))?;
    if found.is_empty() { Err(in_file(file, "no certificate in it")) } else { Ok(found) }
}

/// What one lane of requests goes over: a connection, or its share of one.
pub enum Channel {
    One(wire::Connection),
    Two(http2::Connection),
}

impl Channel {
    /// Another lane over the same connection, where HTTP allows that.
    #[must_use]
    pub fn share(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(connection) => Some(Self::Two(connection.share())),
        }
    }

    /// Sends `der` and reads its answer; `room` is kept for the next request.
    pub async fn exchange(
        &mut self,
        heads: &Heads,
        method: Method,
        der: &[u8],
        room: &mut Room,
    ) -> Result<Reply, WireError> {
        match self {
            Self::One(connection) => {
                heads.encode(&mut room.request, &mut room.text, method, der);
                connection.exchange(&room.request).await
            }
            Self::Two(connection) => {
                let request = heads.http2(&mut room.text, method, der).ok_or(WireError::Unsupported)?;
                connection.exchange(request).await
            }
        }
    }

    /// Part of the last answer.
    #[must_use]
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        match self {
            Self::One(connection) => connection.octets(range),
            Self::Two(connection) => connection.octets(range),
        }
    }
}

/// Where requests are put together.
#[derive(Debug, Default)]
pub struct Room {
    request: Vec<u8>,
    text: String,
}

/// A connection's octets.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, room),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, room),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
