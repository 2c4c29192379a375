use super::*;
use crate::signing::{KeyKind, test_pki};

/// A key whose module gives out noise.
struct Noise(Arc<SoftwareKey>);

impl Signer for Noise {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        signature.extend([7; 70]);
        Ok(())
    }
}

#[test]
fn h4_a_wrong_signature_is_counted_and_is_no_signature() {
    let metrics = Metrics::new().unwrap();
    let counts = || {
        let issuer = metrics.issuer("auth");
        (issuer.signatures.count(), issuer.signatures_wrong.get())
    };
    let noise = || Arc::new(Noise(test_pki::key(KeyKind::P256)));
    let verified = metered(noise(), 1000, metrics.issuer("auth"));
    for _ in 0..3 {
        let mut signature = Vec::new();
        let wrong = SignError::Wrong(SignatureAlgorithm::EcdsaSha256);
        assert_eq!(verified.sign(b"message", &mut signature), Err(wrong));
        assert!(signature.is_empty());
    }
    assert_eq!(counts(), (0, 3));

    let unverified = metered(noise(), 0, metrics.issuer("auth"));
    unverified.sign(b"message", &mut Vec::new()).unwrap();
    assert_eq!(counts(), (1, 3));
}
