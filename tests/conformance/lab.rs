//! The server that is probed, how it is spoken to, and how its answers are read.

use crate::ledger::{Ledger, Verdict};
use crate::octets::{request, tlv};
use crate::support::{Page, Server, run};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der_0_7::{Decode as _, Encode as _};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use x509_ocsp::{BasicOcspResponse, OcspRequest, OcspResponse};

/// Judges `ids` by a probe: it must hold where the ledger says `pass`, and must not where it says anything
/// else, so that the ledger cannot say less than is true.
pub fn holds(ids: &[&str], probe: impl FnOnce(&Lab)) {
    let lab = Lab::shared();
    let found = catch_unwind(AssertUnwindSafe(|| probe(&lab)));
    let ledger = Ledger::read();
    let passes = |id: &&str| ledger.item(id).verdict == Verdict::Pass;
    match found {
        Ok(()) => {
            let unexpected: Vec<_> = ids.iter().filter(|id| !passes(id)).collect();
            assert!(unexpected.is_empty(), "{unexpected:?} hold, and the ledger says they do not: change it");
        }
        Err(why) if ids.iter().any(passes) => std::panic::resume_unwind(why),
        Err(_) => {}
    }
}

/// A demo of 2,000 cards, served.
pub struct Lab {
    pub server: Server,
}

impl Lab {
    /// The one that other tests have at this moment, or a new one; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lab) = shared.upgrade() {
            return lab;
        }
        let lab = Arc::new(Self { server: Server::demo("p256") });
        *shared = Arc::downgrade(&lab);
        lab
    }

    /// The CertID that openssl makes for a certificate of the demo (`auth-good`), with one of its hashes.
    pub fn cert_id(&self, certificate: &str, hash: &str) -> Vec<u8> {
        let file = format!("{certificate}.pem");
        self.openssl_cert_id(&certificate[..4], &["-cert", &file], hash)
    }

    /// The same of a serial number of the authentication CA, given as the content of an INTEGER.
    pub fn cert_id_of(&self, serial: &[u8], hash: &str) -> Vec<u8> {
        let one = self.openssl_cert_id("auth", &["-serial", "1"], hash);
        let content = &one[2..one.len() - 3];
        tlv(0x30, &[content, &tlv(2, &[serial])])
    }

    fn openssl_cert_id(&self, ca: &str, of: &[&str], hash: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("request.der");
        let (issuer, hash) = (format!("{ca}-ca.pem"), format!("-{hash}"));
        let args = [&["ocsp", "-no_nonce", "-issuer", &issuer, &hash], of].concat();
        let said =
            run(self.server.dir(), "openssl", &[&args[..], &["-reqout", out.to_str().unwrap()]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let request = OcspRequest::from_der(&std::fs::read(out).unwrap()).unwrap();
        request.tbs_request.request_list[0].req_cert.to_der().unwrap()
    }

    /// A request about the good card of the authentication CA.
    pub fn good(&self) -> Vec<u8> {
        request(&[&self.cert_id("auth-good", "sha1")], &[])
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.server.url.trim_start_matches("http://")).unwrap();
        // Only so that a probe that would hang fails instead.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Connection { stream, received: Vec::new() }
    }

    /// One request in raw octets on a connection of its own.
    pub fn ask_raw(&self, octets: impl AsRef<[u8]>) -> Page {
        let mut connection = self.connect();
        connection.send(octets);
        connection.receive()
    }

    pub fn post(&self, body: &[u8]) -> Page {
        self.ask_raw(post(body))
    }

    /// The answer to a request in DER, as HTTP must carry every one.
    pub fn ask(&self, body: &[u8]) -> Answer {
        Answer::read(&self.post(body))
    }

    /// GET with these characters behind the first slash.
    pub fn get(&self, path: &str) -> Page {
        self.ask_raw(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    /// What openssl says of an answer about a certificate of the demo.
    pub fn openssl_says(&self, answer: &[u8], certificate: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("response.der");
        std::fs::write(&file, answer).unwrap();
        let (ca, certificate) = (format!("{}-ca.pem", &certificate[..4]), format!("{certificate}.pem"));
        let args = ["ocsp", "-no_nonce", "-issuer", &ca, "-CAfile", &ca, "-cert", &certificate, "-respin"];
        let said = run(self.server.dir(), "openssl", &[&args[..], &[file.to_str().unwrap()]].concat());
        said.assert_says_one_of(&["Response verify OK"], &certificate);
        said.out
    }
}

pub fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// A POST as it should be.
pub fn post(body: &[u8]) -> Vec<u8> {
    post_with("Content-Type: application/ocsp-request\r\n", body)
}

/// A POST with these headers beside its length.
pub fn post_with(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A connection, and what was received on it and not read yet.
pub struct Connection {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Sends; that the server has closed already shows when something is received.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(octets.as_ref());
    }

    /// Whether anything more came.
    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&piece[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.received)),
        }
    }

    /// A status line and headers, without a body.
    pub fn head(&mut self) -> Page {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.more(), "closed after {:?}", String::from_utf8_lossy(&self.received));
        };
        let head: Vec<u8> = self.received.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        Page { status: status.unwrap_or_else(|| panic!("{first:?}")), headers, body: Vec::new() }
    }

    /// A whole answer.
    pub fn receive(&mut self) -> Page {
        let mut page = self.head();
        let length = page.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            assert!(self.more(), "closed within a body");
        }
        page.body = self.received.drain(..length).collect();
        page
    }

    /// Whether the server says no more and has closed.
    pub fn is_closed(&mut self) -> bool {
        let more = self.more();
        !more && self.received.is_empty()
    }

    /// Reads to the end of the connection, whatever comes.
    pub fn drain(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.received)
    }
}

/// An OCSPResponse, read by x509-ocsp.
#[derive(Debug)]
pub struct Answer {
    pub octets: Vec<u8>,
    pub status: u8,
    pub basic: Option<BasicOcspResponse>,
}

impl Answer {
    /// Every OCSPResponse comes in HTTP 200 with its type.
    pub fn read(page: &Page) -> Self {
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.header("content-type"), Some("application/ocsp-response"), "{page:?}");
        let whole = OcspResponse::from_der(&page.body).unwrap();
        assert_eq!(whole.to_der().unwrap(), page.body, "it is DER");
        let basic = whole.response_bytes.map(|bytes| {
            assert_eq!(bytes.response_type.to_string(), "1.3.6.1.5.5.7.48.1.1");
            let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).unwrap();
            assert_eq!(basic.to_der().unwrap(), bytes.response.as_bytes(), "it is DER");
            basic
        });
        Self { octets: page.body.clone(), status: whole.response_status as u8, basic }
    }

    /// A successful one.
    pub fn basic(&self) -> &BasicOcspResponse {
        assert_eq!(self.status, 0);
        self.basic.as_ref().expect("successful, and nothing in it")
    }

    /// The only SingleResponse.
    pub fn single(&self) -> &x509_ocsp::SingleResponse {
        match &self.basic().tbs_response_data.responses[..] {
            [single] => single,
            singles => panic!("{} single responses", singles.len()),
        }
    }

    /// `good`, `revoked` or `unknown`, of each.
    pub fn statuses(&self) -> Vec<&'static str> {
        let status = |single: &x509_ocsp::SingleResponse| match single.cert_status {
            x509_ocsp::CertStatus::Good(_) => "good",
            x509_ocsp::CertStatus::Revoked(_) => "revoked",
            x509_ocsp::CertStatus::Unknown(_) => "unknown",
        };
        self.basic().tbs_response_data.responses.iter().map(status).collect()
    }

    /// The values of the response extensions with this identifier.
    pub fn extensions(&self, identifier: &str) -> Vec<Vec<u8>> {
        let all = self.basic().tbs_response_data.response_extensions.iter().flatten();
        let named = all.filter(|extension| extension.extn_id.to_string() == identifier);
        named.map(|extension| extension.extn_value.as_bytes().to_vec()).collect()
    }
}

/// id-pkix-ocsp-nonce, as x509-ocsp writes it.
pub const NONCE_OID: &str = "1.3.6.1.5.5.7.48.1.2";

pub const MALFORMED: u8 = 1;
pub const UNAUTHORIZED: u8 = 6;
