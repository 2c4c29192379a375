//! From the hashes of a CertID to a CA key.

use crate::ocsp::CertIdRef;
use crate::signing::{Digest, digest};
use crate::x509::{Certificate, HashAlgorithm};

/// One CA key under one hash algorithm.
#[derive(Debug)]
struct Entry {
    hash: HashAlgorithm,
    key_hash: Digest,
    name_hash: Digest,
    key: usize,
}

/// All of them. A handful of CA keys times four algorithms: a walk over them that compares the key
/// hash first beats any hash table.
#[derive(Debug, Default)]
pub(super) struct CertIdIndex {
    entries: Vec<Entry>,
}

impl CertIdIndex {
    /// The name is hashed as it stands in the certificate, the key without its BIT STRING's tag,
    /// length and count of unused bits (RFC 6960 4.1.1).
    pub fn insert(&mut self, certificate: &Certificate, key: usize) {
        for hash in HashAlgorithm::ALL {
            self.entries.push(Entry {
                hash,
                key_hash: digest(hash, certificate.public_key().bits()),
                name_hash: digest(hash, certificate.subject()),
                key,
            });
        }
    }

    pub fn find(&self, cert_id: &CertIdRef<'_>) -> Option<usize> {
        let hash = cert_id.hash?;
        self.entries
            .iter()
            .find(|entry| {
                entry.hash == hash
                    && entry.key_hash.as_ref() == cert_id.issuer_key_hash
                    && entry.name_hash.as_ref() == cert_id.issuer_name_hash
            })
            .map(|entry| entry.key)
    }
}
