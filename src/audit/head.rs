//! Signed heads: what was in a segment up to a moment, in the words of the key that signs.
//!
//! A head is written behind the records of each commit, in a frame of its own. The last one of a segment is
//! final, its hash stands in the next segment's first record, and a copy of it in the file `heads`: so heads of
//! segments that are gone still lead from the first to the last.

use super::record::Octets;
use super::tree::Hash;
use crate::signing::{SignError, Signer, VerifyError, sha256, verify};
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm, UnixTime};

/// What every signature begins with, so that no other use of the key makes one of these.
const CONTEXT: &[u8] = b"ocsprey audit head 1\n";

/// Whether records may follow it in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    Within = 0,
    Final = 1,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub segment: u64,
    /// Records that the root is over.
    pub records: u64,
    pub root: Hash,
    /// As in the segment's first record.
    pub previous: Hash,
    pub time: UnixTime,
    pub place: Place,
    pub signature: Vec<u8>,
}

impl Head {
    /// Signs it with `signer`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(mut self, signer: &dyn Signer) -> Result<Self, SignError> {
        self.signature.clear();
        let message = self.to_be_signed();
        signer.sign(&message, &mut self.signature)?;
        Ok(self)
    }

    /// # Errors
    /// When it was not signed so with this key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), VerifyError> {
        verify(key, algorithm_of(key), &self.to_be_signed(), &self.signature)
    }

    /// By which it is named in the next segment.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.to_be_signed())
    }

    /// Context, segment u64, records u64, root, previous, time i64, place u8.
    fn to_be_signed(&self) -> Vec<u8> {
        let mut out = CONTEXT.to_vec();
        out.extend_from_slice(&self.segment.to_be_bytes());
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.time.seconds().to_be_bytes());
        out.push(self.place as u8);
        out
    }

    /// What is signed without its context, and the signature to the end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.to_be_signed().split_off(CONTEXT.len());
        out.extend_from_slice(&self.signature);
        out
    }

    /// From the body of its frame.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        let mut octets = Octets(body);
        Some(Self {
            segment: octets.u64()?,
            records: octets.u64()?,
            root: octets.array()?,
            previous: octets.array()?,
            time: octets.time()?,
            place: match octets.array()? {
                [0] => Place::Within,
                [1] => Place::Final,
                _ => return None,
            },
            signature: octets.0.to_vec(),
        })
    }
}

/// The one algorithm that a key of its kind signs heads with.
fn algorithm_of(key: &PublicKey) -> SignatureAlgorithm {
    match key.algorithm() {
        KeyAlgorithm::Ed25519 => SignatureAlgorithm::Ed25519,
        KeyAlgorithm::P384 => SignatureAlgorithm::EcdsaSha384,
        KeyAlgorithm::P256 => SignatureAlgorithm::EcdsaSha256,
        KeyAlgorithm::Rsa | KeyAlgorithm::Other(_) => SignatureAlgorithm::RsaSha256,
    }
}
