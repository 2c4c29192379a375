//! A [`Signer`] whose signatures are verified before they are given out: every n-th, and after a wrong one
//! each.
//!
//! A key module that fails, a register that flips: a wrong signature leaves a responder unnoticed, because it
//! signs and never verifies, and is then in caches for days. Callers: whoever loads keys wraps them in it, so
//! that answers signed for a request and answers signed beforehand pass through it alike.
//!
//! Invariants: the first signature after loading is verified; from a wrong one on so are the next n, so that a
//! key that fails now and then cannot hide between two looks; what does not verify never leaves.
//! Concurrency: two counters that all threads add to, no lock; the threads' order does not matter.

use super::{SignError, Signer, verify};
use crate::x509::{PublicKey, SignatureAlgorithm};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct VerifiedSigner {
    signer: Arc<dyn Signer>,
    every: NonZeroU64,
    made: OwnLine,
    /// All signatures before this one are verified.
    suspect_until: AtomicU64,
}

/// Written with every signature, by every thread: what stands beside it would go from core to core with it.
#[repr(align(128))]
struct OwnLine(AtomicU64);

impl VerifiedSigner {
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, every: NonZeroU64) -> Self {
        Self { signer, every, made: OwnLine(AtomicU64::new(0)), suspect_until: AtomicU64::new(0) }
    }
}

impl Signer for VerifiedSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        let before = signature.len();
        self.signer.sign(message, signature)?;
        let number = self.made.0.fetch_add(1, Ordering::Relaxed);
        if number % self.every != 0 && number >= self.suspect_until.load(Ordering::Relaxed) {
            return Ok(());
        }
        let made = signature.get(before..).unwrap_or_default();
        if verify(self.public_key(), self.algorithm(), message, made).is_ok() {
            return Ok(());
        }
        self.suspect_until.fetch_max(number.saturating_add(self.every.get()), Ordering::Relaxed);
        signature.truncate(before);
        Err(SignError::Wrong(self.algorithm()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyKind, test_pki};
    use super::*;

    /// Signs rightly but for these, counted from 0.
    struct Failing {
        key: Arc<dyn Signer>,
        wrong: &'static [u64],
        made: AtomicU64,
    }

    impl Signer for Failing {
        fn algorithm(&self) -> SignatureAlgorithm {
            self.key.algorithm()
        }

        fn public_key(&self) -> &PublicKey {
            self.key.public_key()
        }

        fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
            self.key.sign(message, signature)?;
            if self.wrong.contains(&self.made.fetch_add(1, Ordering::Relaxed)) {
                *signature.last_mut().unwrap() ^= 1;
            }
            Ok(())
        }
    }

    /// Which of the first `count` signatures are withheld.
    fn withheld(kind: KeyKind, every: u64, wrong: &'static [u64], count: u64) -> Vec<u64> {
        let key = test_pki::key(kind);
        let algorithm = key.algorithm();
        let signer = Arc::new(Failing { key, wrong, made: AtomicU64::new(0) });
        let verified = VerifiedSigner::new(signer, NonZeroU64::new(every).unwrap());
        let withheld = (0..count).filter(|_| {
            let mut signature = b"before".to_vec();
            match verified.sign(b"message", &mut signature) {
                Ok(()) => {
                    assert!(signature.len() > 6);
                    false
                }
                Err(error) => {
                    assert_eq!(error, SignError::Wrong(algorithm));
                    assert_eq!(signature, b"before");
                    true
                }
            }
        });
        withheld.collect()
    }

    #[test]
    fn h4_a_wrong_signature_does_not_leave_whatever_the_algorithm() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519] {
            assert_eq!(withheld(kind, 1, &[1, 2], 4), [1, 2], "{kind:?}");
        }
    }

    #[test]
    fn h4_the_first_and_every_nth_signature_is_verified() {
        assert_eq!(withheld(KeyKind::P256, 4, &[0], 1), [0]);
        assert_eq!(withheld(KeyKind::P256, 4, &[3, 4], 8), [4]);
    }

    #[test]
    fn h4_after_a_wrong_signature_the_next_n_are_verified() {
        assert_eq!(withheld(KeyKind::P256, 4, &[1, 4, 5, 7, 9, 13, 15], 16), [4, 5, 7, 9]);
    }
}
