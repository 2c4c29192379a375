//! Time in TLS: a handshake that does not end, a client that says nothing, one that takes no answer.

use super::*;
use crate::signing::test_pki;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A server's certificate for 127.0.0.1 and its key, by openssl.
fn identity() -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key"), path("certificate"));
    test_pki::openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        "/CN=server",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    (std::fs::read(certificate).unwrap(), std::fs::read(key).unwrap())
}

struct Secure {
    server: Server,
    client: Arc<ClientConfig>,
}

impl Secure {
    fn start(limits: Limits) -> Self {
        let (certificate, key) = identity();
        let material = TlsMaterial {
            certificate: &certificate,
            key: &key,
            client_ca: None,
            client_certificates: ClientCertificates::Required,
            oldest: OldestTls::Tls12,
        };
        let tls = Arc::new(Tls::new(TlsIdentity::new(&material).unwrap()));
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Clock::fixed(UnixTime::from_seconds(NOW));
        let service = OcspService::new(Echo, Arc::clone(&metrics), clock, limits, None);
        let server = Server::run(metrics, move |listener, shutdown| {
            serve_ocsp(listener, Some(tls), service, shutdown)
        });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
        Self { server, client: Arc::new(client) }
    }

    fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.server.address).unwrap();
        // Only so that a test that would hang fails instead.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let mut socket = self.socket();
        let name = "127.0.0.1".try_into().unwrap();
        let mut session = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        StreamOwned::new(session, socket)
    }
}

fn short() -> Limits {
    Limits { stall: Duration::from_millis(100), idle: Duration::from_millis(300), ..Limits::default() }
}

/// Whether the server has nothing more to say, and ends the connection.
fn ends(stream: &mut impl Read) -> bool {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => true,
        Err(why) => {
            matches!(why.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset)
        }
    }
}

#[test]
fn a_handshake_that_never_ends_is_ended() {
    let secure = Secure::start(short());
    assert!(ends(&mut secure.socket()), "not a word");
    let mut trickling = secure.socket();
    // The beginning of a record that never comes whole, octet by octet.
    for octet in [22, 3, 1, 2, 0, 1] {
        if trickling.write_all(&[octet]).is_err() {
            break;
        }
    }
    assert!(ends(&mut trickling));
    // It is counted once the connection is gone.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while secure.server.metrics.tls_handshakes.stalled.get() < 2 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn what_stalls_or_idles_behind_a_handshake_is_ended_too() {
    let secure = Secure::start(short());
    assert!(ends(&mut secure.connect()), "no request");
    let mut slow = secure.connect();
    slow.write_all(b"POST / HTTP/1.1\r\nHost").unwrap();
    assert!(ends(&mut slow), "half a head");
    let mut idle = secure.connect();
    idle.write_all(&post(&SHARED)).unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    assert!(ends(&mut idle), "answered, and then quiet");
    assert_eq!(secure.server.metrics.tls_handshakes.done.get(), 3);
}

#[test]
fn a_client_that_takes_no_answers_is_ended() {
    let secure = Secure::start(short());
    let mut greedy = secure.connect();
    let request = post(&SHARED).repeat(1000);
    // The server stops reading when nobody takes what it says, and then it stops altogether.
    let refused = (0..10_000).find_map(|_| greedy.write_all(&request).err());
    assert!(refused.is_some());
}

#[test]
fn key_and_certificate_have_to_fit_and_errors_name_the_file() {
    let ((certificate, key), (_, other)) = (identity(), identity());
    let material = |certificate, key, client_ca| TlsMaterial {
        certificate,
        key,
        client_ca,
        client_certificates: ClientCertificates::Optional,
        oldest: OldestTls::Tls13,
    };
    let fault = |material: TlsMaterial<'_>| TlsIdentity::new(&material).map(drop).map_err(|why| why.file());
    assert_eq!(fault(material(&certificate, &key, None)), Ok(()));
    assert_eq!(fault(material(&certificate, &key, Some(&certificate))), Ok(()));
    assert_eq!(fault(material(&certificate, &other, None)), Err(TlsFile::Certificate));
    assert_eq!(fault(material(b"", &key, None)), Err(TlsFile::Certificate));
    assert_eq!(fault(material(&certificate, b"", None)), Err(TlsFile::Key));
    assert_eq!(fault(material(&certificate, &key, Some(b""))), Err(TlsFile::ClientCa));
}
