//! RFC 6960 in octets, against the ledger of clauses and against other people's decoder.

mod judged;
mod nonces;
mod parsed;
mod requests;
mod responses;

use super::*;
use crate::asn1::{self, tag, tlv};
use crate::x509::HashAlgorithm;

/// One element of these parts.
pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(tag::SEQUENCE, parts)
}

pub(super) fn explicit(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    der(tag::context_constructed(number), parts)
}

/// `id-sha…`, and NULL behind it where `null`.
pub(super) fn algorithm(hash: HashAlgorithm, null: bool) -> Vec<u8> {
    let oid = der(tag::OBJECT_IDENTIFIER, &[hash.oid()]);
    sequence(&[&oid, if null { &[tag::NULL, 0] } else { &[] }])
}

/// A CertID whose hashes are all `aa` and all `bb`, about the serial number with this content.
pub(super) fn cert_id(hash: HashAlgorithm, null: bool, serial: &[u8]) -> Vec<u8> {
    let name_hash = der(tag::OCTET_STRING, &[&vec![0xaa; hash.output_len()]]);
    let key_hash = der(tag::OCTET_STRING, &[&vec![0xbb; hash.output_len()]]);
    sequence(&[&algorithm(hash, null), &name_hash, &key_hash, &der(tag::INTEGER, &[serial])])
}

pub(super) fn sha1_cert_id() -> Vec<u8> {
    cert_id(HashAlgorithm::Sha1, true, &[0x01])
}

/// `Request`
pub(super) fn single(cert_id: &[u8]) -> Vec<u8> {
    sequence(&[cert_id])
}

pub(super) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = der(tag::OBJECT_IDENTIFIER, &[oid]);
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[&oid, critical, &der(tag::OCTET_STRING, &[value])])
}

/// An OCSPRequest about these, with these requestExtensions.
pub(super) fn request(singles: &[Vec<u8>], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut tbs = sequence(&[&singles.concat()]);
    if !extensions.is_empty() {
        tbs.extend(explicit(2, &[&sequence(&[&extensions.concat()])]));
    }
    sequence(&[&sequence(&[&tbs])])
}

/// A request about one certificate with these requestExtensions.
pub(super) fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    request(&[single(&sha1_cert_id())], extensions)
}

/// 1.3.6.1.4.1.55555.1: understood by nobody.
pub(super) const STRANGE: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xb2, 0x03, 1];
