//! Keys that sign, signatures that are verified, hashes.
//!
//! Callers: `snapshot` and `respond` (a [`ResponderIdentity`] signs answers), `ingest` (a
//! [`StreamVerifier`] decides on a CRL), `cli` and `demo`. The only place that names `ring` and
//! `aws-lc-rs`; which of the two does what stands in `software_key` and `verify`.
//! Invariants: what signs is one of the algorithms that [`crate::x509::SignatureAlgorithm`] knows;
//! a [`ResponderIdentity`] exists only after every check that a relying party will make on it.
//! Errors: one enum per step ([`KeyError`], [`SignError`], [`VerifyError`], [`IdentityError`]).

mod certificate_signer;
mod digest;
mod pseudonym;
mod responder_identity;
mod software_key;
#[cfg(test)]
pub(crate) mod test_pki;
mod verified_signer;
mod verify;

pub use certificate_signer::{CertificateSigner, SignatureOctets};
pub use digest::{Digest, Sha256Stream, digest, sha256};
pub use pseudonym::PseudonymKey;
pub use responder_identity::{IdentityError, KeyId, ResponderIdentity, names_responder};
pub use software_key::{KeyError, KeyKind, SoftwareKey};
pub use verified_signer::VerifiedSigner;
pub use verify::{IssuanceError, MAX_BUFFERED, StreamVerifier, VerifyError, verify, verify_issued_by};

use crate::x509::{PublicKey, SignatureAlgorithm};

/// A key that signs, wherever it is kept: in memory here, or in a module behind a wire later.
pub trait Signer: Send + Sync {
    /// With what it signs.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// The key that its signatures verify with.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` and appends the signature, as it stands in a BIT STRING, to `signature`.
    ///
    /// # Errors
    /// When the key cannot sign now; `signature` is then as it was.
    fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError>;
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The library refused; with a key that was accepted this means no random numbers or no memory.
    #[error("the {0} key could not sign: the machine may lack random numbers or memory")]
    Refused(SignatureAlgorithm),
    /// It was looked at, and is not one: see [`VerifiedSigner`].
    #[error(
        "the {0} key made a signature that does not verify: it was not given out (take this machine out of service \
         and look for a fault of its memory or its key module)"
    )]
    Wrong(SignatureAlgorithm),
}

/// The system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandomness;

/// Fills `octets` with random numbers fit for nonces.
///
/// # Errors
/// When the system has none.
pub fn fill_random(octets: &mut [u8]) -> Result<(), NoRandomness> {
    use ring::rand::{SecureRandom, SystemRandom};
    SystemRandom::new().fill(octets).map_err(|_| NoRandomness)
}

/// The RSA keys whose signatures are verified: a CA has 4096 bits at most, some roots more.
pub const RSA_VERIFY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The RSA keys that sign here.
pub const RSA_SIGN_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
