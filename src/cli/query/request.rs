//! An OCSP request for one certificate, in octets (RFC 6960 4.1).
//!
//! Called by `query` alone, and on purpose not what the responder reads requests with: a mistake
//! in one of the two is then seen by the other.

use crate::asn1::{self, tag, tlv, write_tlv};
use crate::signing::{Digest, digest};
use crate::x509::{Certificate, HashAlgorithm, SerialNumber};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of a nonce (RFC 9654 2.1: 32 is what a client should send).
pub(super) const NONCE_LEN: usize = 32;

/// Which certificate is asked about (RFC 6960 4.1.1).
pub(super) struct CertId {
    pub(super) hash: HashAlgorithm,
    pub(super) name_hash: Digest,
    pub(super) key_hash: Digest,
    pub(super) serial: SerialNumber,
}

impl CertId {
    pub(super) fn new(hash: HashAlgorithm, issuer: &Certificate, serial: SerialNumber) -> Self {
        Self {
            hash,
            name_hash: digest(hash, issuer.subject()),
            key_hash: digest(hash, issuer.public_key().bits()),
            serial,
        }
    }

    fn der(&self) -> Vec<u8> {
        let mut algorithm = tlv(tag::OBJECT_IDENTIFIER, self.hash.oid());
        if self.hash == HashAlgorithm::Sha1 {
            // RFC 3370 2.1 allows NULL and nothing; every old client sends NULL. RFC 5754 2: nothing for SHA-2.
            write_tlv(&mut algorithm, tag::NULL, &[]);
        }
        let mut content = tlv(tag::SEQUENCE, &algorithm);
        write_tlv(&mut content, tag::OCTET_STRING, self.name_hash.as_ref());
        write_tlv(&mut content, tag::OCTET_STRING, self.key_hash.as_ref());
        write_tlv(&mut content, tag::INTEGER, self.serial.as_bytes());
        tlv(tag::SEQUENCE, &content)
    }
}

/// The DER of an unsigned `OCSPRequest` that asks for `cert_id`.
pub(super) fn encode(cert_id: &CertId, nonce: Option<&[u8; NONCE_LEN]>) -> Vec<u8> {
    let request = tlv(tag::SEQUENCE, &cert_id.der());
    let mut tbs = tlv(tag::SEQUENCE, &request);
    if let Some(nonce) = nonce {
        let mut extension = tlv(tag::OBJECT_IDENTIFIER, asn1::OCSP_NONCE);
        write_tlv(&mut extension, tag::OCTET_STRING, &tlv(tag::OCTET_STRING, nonce));
        let extensions = tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &extension));
        write_tlv(&mut tbs, tag::context_constructed(2), &extensions);
    }
    tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &tbs))
}

/// `{url}/{url-encoding of the base64 of the request}` (RFC 6960 A.1).
pub(super) fn get_url(url: &str, request: &[u8]) -> String {
    let text = STANDARD.encode(request);
    let mut out = String::with_capacity(url.len() + text.len() + 16);
    out.push_str(url.trim_end_matches('/'));
    out.push('/');
    for char in text.chars() {
        match char {
            '+' => out.push_str("%2B"),
            '/' => out.push_str("%2F"),
            '=' => out.push_str("%3D"),
            _ => out.push(char),
        }
    }
    out
}
