//! OCSP requests in octets: DER (RFC 6960 4.1), and HTTP around it (A.1), written into one buffer that
//! a connection keeps, so that a request costs no allocation and one `write`.
//!
//! Called by `drive`. Written on its own and not with what `ocsprey query` uses: that one builds a
//! request for people once, this one some 100,000 a second.

use crate::target::Target;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use ocsprey::asn1::{self, len_of, tag, write_header, write_tlv};
use ocsprey::signing::digest;
use ocsprey::x509::{Certificate, HashAlgorithm};
use std::io::Write;

/// Octets of a nonce (RFC 9654 2.1: 32 is what a client should send).
pub const NONCE_LEN: usize = 32;

/// The nonce of one request.
pub type Nonce = [u8; NONCE_LEN];

/// What every CertID for one issuer and one hash algorithm begins with.
#[derive(Debug, Clone)]
pub struct CertIdPrefix {
    pub hash: HashAlgorithm,
    /// hashAlgorithm, issuerNameHash, issuerKeyHash.
    octets: Vec<u8>,
}

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Post,
    Get,
}

impl CertIdPrefix {
    #[must_use]
    pub fn new(hash: HashAlgorithm, issuer: &Certificate) -> Self {
        let mut algorithm = Vec::new();
        write_tlv(&mut algorithm, tag::OBJECT_IDENTIFIER, hash.oid());
        if hash == HashAlgorithm::Sha1 {
            // As every old client does; for SHA-2 the parameters are absent (RFC 5754 2).
            write_tlv(&mut algorithm, tag::NULL, &[]);
        }
        let mut octets = Vec::new();
        write_tlv(&mut octets, tag::SEQUENCE, &algorithm);
        write_tlv(&mut octets, tag::OCTET_STRING, digest(hash, issuer.subject()).as_ref());
        write_tlv(&mut octets, tag::OCTET_STRING, digest(hash, issuer.public_key().bits()).as_ref());
        Self { hash, octets }
    }

    /// The content of the CertID of `serial` (the content octets of its INTEGER).
    #[must_use]
    pub fn cert_id_content(&self, serial: &[u8]) -> Vec<u8> {
        let mut content = self.octets.clone();
        write_tlv(&mut content, tag::INTEGER, serial);
        content
    }

    /// Writes the DER of an unsigned request about `serials` into `out`.
    pub fn encode<'a, I>(&self, out: &mut Vec<u8>, serials: I, nonce: Option<&Nonce>)
    where
        I: Iterator<Item = &'a [u8]> + Clone,
    {
        let cert_id = |serial: &[u8]| self.octets.len() + len_of(serial.len());
        let list: usize = serials.clone().map(|serial| len_of(len_of(cert_id(serial)))).sum();
        let (value, extension) = (len_of(NONCE_LEN), len_of(asn1::OCSP_NONCE.len()));
        let extension = extension + len_of(value);
        let extensions = len_of(len_of(extension));
        let tbs = len_of(list) + if nonce.is_some() { len_of(extensions) } else { 0 };
        write_header(out, tag::SEQUENCE, len_of(tbs));
        write_header(out, tag::SEQUENCE, tbs);
        write_header(out, tag::SEQUENCE, list);
        for serial in serials {
            let content = cert_id(serial);
            write_header(out, tag::SEQUENCE, len_of(content));
            write_header(out, tag::SEQUENCE, content);
            out.extend_from_slice(&self.octets);
            write_tlv(out, tag::INTEGER, serial);
        }
        if let Some(nonce) = nonce {
            write_header(out, tag::context_constructed(2), extensions);
            write_header(out, tag::SEQUENCE, len_of(extension));
            write_header(out, tag::SEQUENCE, extension);
            write_tlv(out, tag::OBJECT_IDENTIFIER, asn1::OCSP_NONCE);
            write_header(out, tag::OCTET_STRING, value);
            write_tlv(out, tag::OCTET_STRING, nonce);
        }
    }
}

/// Makes a request without a nonce malformed, as late in it as can be: its last serial number, which is
/// `serial`, becomes an OCTET STRING.
pub fn spoil(der: &mut [u8], serial: &[u8]) {
    let at = der.len().checked_sub(len_of(serial.len()));
    if let Some(octet) = at.and_then(|at| der.get_mut(at)) {
        *octet = tag::OCTET_STRING;
    }
}

/// What the heads of all requests of a run share.
#[derive(Debug, Clone)]
pub struct Heads {
    /// `http://HOST:PORT/PATH`: what HTTP/2 splits into its own fields.
    base: String,
    /// Up to the length's digits.
    post: Vec<u8>,
    /// Up to the base64.
    get: Vec<u8>,
    /// Behind them.
    post_end: &'static [u8],
    get_end: Vec<u8>,
}

impl Heads {
    #[must_use]
    pub fn new(target: &Target, keep_alive: bool) -> Self {
        let (path, host) = (&target.path, &target.authority);
        let close = if keep_alive { "" } else { "Connection: close\r\n" };
        let post_path = if path.is_empty() { "/" } else { path };
        let post = format!(
            "POST {post_path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/ocsp-request\r\n\
             {close}Content-Length: "
        );
        let scheme = if target.secure { "https" } else { "http" };
        Self {
            base: format!("{scheme}://{host}{path}/"),
            post: post.into_bytes(),
            get: format!("GET {path}/").into_bytes(),
            post_end: b"\r\n\r\n",
            get_end: format!(" HTTP/1.1\r\nHost: {host}\r\n{close}\r\n").into_bytes(),
        }
    }

    /// Writes the whole HTTP request with `der` in it over `out`. `text` is room to work in.
    pub fn encode(&self, out: &mut Vec<u8>, text: &mut String, method: Method, der: &[u8]) {
        out.clear();
        match method {
            Method::Post => {
                out.extend_from_slice(&self.post);
                // A Vec takes everything.
                let _ = write!(out, "{}", der.len());
                out.extend_from_slice(self.post_end);
                out.extend_from_slice(der);
            }
            Method::Get => {
                out.extend_from_slice(&self.get);
                escape(text, der);
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(&self.get_end);
            }
        }
    }

    /// The same for HTTP/2. `None` does not happen with the URLs that a [`Target`] takes.
    #[must_use]
    pub fn http2(
        &self,
        text: &mut String,
        method: Method,
        der: &[u8],
    ) -> Option<hyper::Request<Full<Bytes>>> {
        let request = match method {
            Method::Post => hyper::Request::post(&self.base)
                .header(CONTENT_TYPE, "application/ocsp-request")
                .body(Full::new(Bytes::copy_from_slice(der))),
            Method::Get => {
                escape(text, der);
                hyper::Request::get(format!("{}{text}", self.base)).body(Full::default())
            }
        };
        request.ok()
    }
}

/// base64 in a path (RFC 6960 A.1), over `text`.
fn escape(text: &mut String, der: &[u8]) {
    text.clear();
    let mut piece = [0; 4];
    for three in der.chunks(3) {
        // Four octets for three, always.
        let Ok(count) = STANDARD.encode_slice(three, &mut piece) else { return };
        for octet in piece.iter().take(count) {
            match octet {
                b'+' => text.push_str("%2B"),
                b'/' => text.push_str("%2F"),
                b'=' => text.push_str("%3D"),
                other => text.push(char::from(*other)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Reach;
    use ocsprey::demo::{Authority, CardCa};
    use ocsprey::ocsp::OcspRequest;
    use ocsprey::signing::KeyKind;
    use ocsprey::x509::UnixTime;

    fn issuer() -> Certificate {
        let now = UnixTime::from_seconds(1_800_000_000);
        let (_, issued) = Authority::create(CardCa::UserAuthentication, KeyKind::P256, now).unwrap();
        Certificate::from_pem_or_der(issued.certificate.as_bytes()).unwrap()
    }

    #[test]
    fn s4_1_the_responder_reads_back_what_was_asked() {
        let issuer = issuer();
        let long = [0x7f; 20];
        let hundred: [&[u8]; 100] = [&long; 100];
        let lists: [&[&[u8]]; 3] = [&[&[1]], &[&[3, 0xfe, 0], &long], &hundred];
        for hash in HashAlgorithm::ALL {
            let prefix = CertIdPrefix::new(hash, &issuer);
            for (list, nonce) in lists.into_iter().flat_map(|list| [(list, None), (list, Some(&[7; 32]))]) {
                let mut der = Vec::new();
                prefix.encode(&mut der, list.iter().copied(), nonce);
                let read = OcspRequest::parse(&der).unwrap();
                let found: Vec<_> = read.cert_ids().collect();
                assert_eq!(found.len(), list.len());
                for (cert_id, serial) in found.iter().zip(list) {
                    assert_eq!(cert_id.hash, Some(hash));
                    assert_eq!(cert_id.serial_number.as_bytes(), *serial);
                    assert_eq!(cert_id.issuer_name_hash, digest(hash, issuer.subject()).as_ref());
                    assert_eq!(cert_id.issuer_key_hash, digest(hash, issuer.public_key().bits()).as_ref());
                    assert!(cert_id.raw.ends_with(&prefix.cert_id_content(serial)));
                }
                let value = read.nonce.map(|nonce| nonce.value);
                assert_eq!(value, nonce.map(|_| [&[4, 32][..], &[7; 32]].concat()).as_deref());
            }
        }
    }

    #[test]
    fn a1_get_escapes_what_a_path_may_not_hold_and_post_counts_its_octets() {
        let target = Target::new("http://127.0.0.1:8080/ocsp", Reach::ThisMachine).unwrap();
        let (mut out, mut text) = (Vec::new(), String::new());
        // base64: "+/8="
        Heads::new(&target, true).encode(&mut out, &mut text, Method::Get, &[0xfb, 0xff]);
        assert_eq!(out, b"GET /ocsp/%2B%2F8%3D HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
        Heads::new(&target, false).encode(&mut out, &mut text, Method::Post, b"0123456789");
        let sent = String::from_utf8(out).unwrap();
        assert!(sent.starts_with("POST /ocsp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"), "{sent}");
        assert!(sent.ends_with("Connection: close\r\nContent-Length: 10\r\n\r\n0123456789"), "{sent}");
    }
}
