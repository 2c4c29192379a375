//! TLS of the OCSP listener: RFC 8446 and, unless it is switched off, RFC 5246, by rustls.
//!
//! `app` reads the files, makes a [`TlsIdentity`] of them and puts it into [`Tls`], of which every listener has a
//! copy; a reload puts another one there. Connections that stand keep what they began with.
//!
//! Who is refused in the handshake gets TLS's alert and no HTTP: no certificate where one is demanded, one that
//! no configured CA issued or that has run out, TLS 1.1 and older. Who is let in is not yet somebody who may
//! ask: that is decided for each request, by [`super::gate`].
//!
//! Sessions are resumed from the memory of this process and not from tickets that clients keep, so a reload
//! ends all of them, and a CA that was taken out lets nobody in by an old session. Nothing is taken before the
//! handshake has ended (no early data), so no request can be replayed by who only listened.

use super::listener::Limits;
use super::peer::{Peer, PeerCertificate};
use crate::metrics::Metrics;
use crate::x509::{Certificate, UnixTime};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{
    ServerSessionMemoryCache, VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier,
};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::server::TlsStream;

/// Sessions of this process that may be taken up again.
const SESSIONS: usize = 4096;

/// Whether a client has to show a certificate of a configured CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// Without one there is no connection.
    #[default]
    Required,
    /// Who has one is known by it.
    Optional,
}

/// The oldest TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OldestTls {
    #[default]
    Tls12,
    Tls13,
}

impl OldestTls {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::Tls12 => &BOTH,
            Self::Tls13 => &BOTH[..1],
        }
    }
}

/// What a listener shows and demands, as PEM.
#[derive(Debug, Clone, Copy)]
pub struct TlsMaterial<'a> {
    /// The server's certificate, and behind it those that lead to its root.
    pub certificate: &'a [u8],
    /// PKCS#8, or as older programs write keys.
    pub key: &'a [u8],
    /// The CAs whose certificates clients show.
    pub client_ca: Option<&'a [u8]>,
    pub client_certificates: ClientCertificates,
    pub oldest: OldestTls,
}

/// Which of the files an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    Certificate,
    Key,
    ClientCa,
}

/// Why files do not make a TLS listener.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("holds no certificate that can be read: {0} (write it in PEM, the server's own first)")]
    Certificate(pem::Error),
    #[error("holds no private key that can be read: {0} (write it in PEM)")]
    Key(pem::Error),
    #[error("does not make a TLS server with its key: {0}")]
    Identity(rustls::Error),
    #[error("holds no CA certificate that can be read: {0} (write them in PEM, one behind the other)")]
    ClientCa(pem::Error),
    #[error("a certificate in it cannot be a root of clients: {0}")]
    ClientRoot(rustls::Error),
    #[error("clients cannot be verified with it: {0}")]
    ClientVerifier(#[from] VerifierBuilderError),
}

impl TlsError {
    /// Whose fault it is.
    #[must_use]
    pub fn file(&self) -> TlsFile {
        match self {
            Self::Certificate(_) | Self::Identity(_) => TlsFile::Certificate,
            Self::Key(_) => TlsFile::Key,
            Self::ClientCa(_) | Self::ClientRoot(_) | Self::ClientVerifier(_) => TlsFile::ClientCa,
        }
    }
}

/// Files that were read and fit together.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    /// Of the certificate in the chain that ends first.
    not_after: Option<UnixTime>,
}

impl TlsIdentity {
    /// # Errors
    /// The first thing that is wrong with the files.
    pub fn new(material: &TlsMaterial<'_>) -> Result<Self, TlsError> {
        let chain = certificates(material.certificate).map_err(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(material.key).map_err(TlsError::Key)?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(material.oldest.versions())
            .map_err(TlsError::Identity)?;
        let ends = chain.iter().filter_map(|der| Some(Certificate::from_der(der).ok()?.not_after()));
        let not_after = ends.min();
        let builder = match material.client_ca {
            None => builder.with_no_client_auth(),
            Some(client_ca) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(client_ca).map_err(TlsError::ClientCa)? {
                    roots.add(certificate).map_err(TlsError::ClientRoot)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier: Arc<dyn ClientCertVerifier> = match material.client_certificates {
                    ClientCertificates::Required => verifier.build()?,
                    ClientCertificates::Optional => verifier.allow_unauthenticated().build()?,
                };
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Identity)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        // Verifiers keep their connections; one session each is enough for those who come again.
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), not_after })
    }
}

/// One or more.
fn certificates(octets: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(octets).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}

/// The TLS of a listener, whatever identity is in force when a client comes.
#[derive(Debug)]
pub struct Tls {
    current: ArcSwap<TlsIdentity>,
    /// Why a client was refused, the first since somebody asked.
    refusal: ArcSwapOption<String>,
}

impl Tls {
    #[must_use]
    pub fn new(identity: TlsIdentity) -> Self {
        Self { current: ArcSwap::from_pointee(identity), refusal: ArcSwapOption::empty() }
    }

    /// From now on clients meet `identity`.
    pub fn replace(&self, identity: TlsIdentity) {
        self.current.store(Arc::new(identity));
    }

    /// When the first certificate of the chain that clients meet ends.
    #[must_use]
    pub fn not_after(&self) -> Option<UnixTime> {
        self.current.load().not_after
    }

    /// Why the first client was refused since this was last asked, as rustls says it: nothing of who it was.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.refusal.swap(None).map(|why| why.to_string())
    }

    /// The handshake, which has as long as anything else that stalls. `None`: there is no connection.
    pub(super) async fn greet(
        &self,
        stream: TcpStream,
        limits: &Limits,
        metrics: Option<&Metrics>,
    ) -> Option<TlsStream<TcpStream>> {
        let accepting = TlsAcceptor::from(Arc::clone(&self.current.load().config)).accept(stream);
        let greeted = tokio::time::timeout(limits.stall, accepting).await;
        if let Ok(Err(why)) = &greeted
            && self.refusal.load().is_none()
        {
            self.refusal.store(Some(Arc::new(why.to_string())));
        }
        if let Some(metrics) = metrics {
            match &greeted {
                Ok(Ok(_)) => metrics.tls_handshakes.done.inc(),
                Ok(Err(_)) => metrics.tls_handshakes.refused.inc(),
                Err(_) => metrics.tls_handshakes.stalled.inc(),
            }
        }
        greeted.ok()?.ok()
    }
}

/// Who is at the other end of `stream`.
pub(super) fn peer_of(stream: &TlsStream<TcpStream>, address: IpAddr) -> Peer {
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    Peer::new(address, shown.map(|certificate| PeerCertificate::new(certificate)))
}
