//! A client of rustls on a blocking socket: shows whatever certificate it is told to, and keeps its connection.

use crate::support::Pki;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

/// Whom a client says that it is.
pub struct Shown<'a> {
    /// Also trusted as the server's CA, where it is that of the verifiers.
    pub pki: &'a Pki,
    /// `None`: it shows no certificate.
    pub name: Option<&'a str>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The OCSPResponseStatus: the ENUMERATED at the beginning.
    pub fn ocsp_status(&self) -> u8 {
        assert_eq!(self.status, 200, "{self:?}");
        let at = self.body.windows(2).position(|octets| octets == [0x0a, 1]).expect("an OCSPResponse");
        self.body[at + 2]
    }

    pub fn is_good(&self) -> bool {
        self.ocsp_status() == 0
    }
}

pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

/// One that may open many connections.
pub fn configuration(shown: &Shown<'_>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(shown.pki.path("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = if versions.is_empty() {
        builder.with_safe_default_protocol_versions()
    } else {
        builder.with_protocol_versions(versions)
    };
    let builder = builder.unwrap().with_root_certificates(roots);
    Arc::new(match shown.name {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = CertificateDer::from_pem_file(shown.pki.path(&format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(shown.pki.path(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    })
}

impl Client {
    /// Connects and ends the handshake; in TLS 1.3 the server's refusal comes with the first answer.
    pub fn connect(
        port: u16,
        shown: &Shown<'_>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Self> {
        Self::connect_with(port, configuration(shown, versions))
    }

    pub fn connect_with(port: u16, configuration: Arc<ClientConfig>) -> io::Result<Self> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        // Only so that a test that would hang fails instead.
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut session = ClientConnection::new(configuration, "127.0.0.1".try_into().unwrap())
            .map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Self { stream: StreamOwned::new(session, socket), received: Vec::new() })
    }

    /// What is left when the session is forgotten: an open connection that says nothing any more.
    pub fn into_socket(self) -> TcpStream {
        self.stream.into_parts().1
    }

    /// POSTs `request`; `headers` end each in `\r\n`.
    pub fn try_ask(&mut self, request: &[u8], headers: &str) -> io::Result<Answer> {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\n{headers}Content-Length: {}\r\n\r\n",
            request.len()
        );
        self.stream.write_all(&[head.as_bytes(), request].concat())?;
        self.stream.flush()?;
        self.receive()
    }

    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.try_ask(request, "").unwrap()
    }

    fn receive(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8(self.received.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        let length = length.unwrap_or(0);
        while self.received.len() < length {
            self.more()?;
        }
        Ok(Answer { status, head, body: self.received.drain(..length).collect() })
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }

    /// Whether the session was taken up from an earlier one.
    pub fn is_resumed(&self) -> bool {
        use tokio_rustls::rustls::HandshakeKind;
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the server showed.
    pub fn server_certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
}
