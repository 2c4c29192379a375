//! Requests in octets, for benchmarks.

use ocsprey::asn1::{self, tag, tlv};
use ocsprey::signing::digest;
use ocsprey::x509::HashAlgorithm;

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// The CertID of a certificate of the CA with this Name and key, and a 16-octet serial number.
pub fn cert_id(name: &[u8], key: &[u8], hash: HashAlgorithm, number: u32) -> Vec<u8> {
    let oid = element(tag::OBJECT_IDENTIFIER, &[hash.oid()]);
    let algorithm = element(tag::SEQUENCE, &[&oid, &[tag::NULL, 0]]);
    let name = element(tag::OCTET_STRING, &[digest(hash, name).as_ref()]);
    let key = element(tag::OCTET_STRING, &[digest(hash, key).as_ref()]);
    let serial = element(tag::INTEGER, &[&[0x5a; 12], &number.to_be_bytes()]);
    element(tag::SEQUENCE, &[&algorithm, &name, &key, &serial])
}

/// An OCSPRequest, with these octets as its nonce.
pub fn request(cert_ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<_> = cert_ids.iter().map(|cert_id| element(tag::SEQUENCE, &[cert_id])).collect();
    let mut tbs = element(tag::SEQUENCE, &[&list.concat()]);
    if let Some(nonce) = nonce {
        let oid = element(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_NONCE]);
        let value = element(tag::OCTET_STRING, &[&element(tag::OCTET_STRING, &[nonce])]);
        let list = element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&oid, &value])]);
        tbs.extend(element(tag::context_constructed(2), &[&list]));
    }
    element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&tbs])])
}
