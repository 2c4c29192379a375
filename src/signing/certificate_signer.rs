//! A [`Signer`] as x509-cert's builders want to see one, so that any key here can issue certificates
//! and CRLs. Callers: `demo`, which makes a PKI to try everything on, and tests that need one.

use super::Signer;
use crate::x509::PublicKey;
use der::asn1::BitString;
use der::{Decode, Document};
use x509_cert::spki::{
    self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey,
    SignatureBitStringEncoding,
};

/// Issues with a [`Signer`]: `builder.build::<_, SignatureOctets>(&CertificateSigner::new(&key))`.
#[derive(Clone, Copy)]
pub struct CertificateSigner<'a>(&'a dyn Signer);

impl<'a> CertificateSigner<'a> {
    #[must_use]
    pub fn new(signer: &'a dyn Signer) -> Self {
        Self(signer)
    }
}

/// A signature as it stands in a BIT STRING, of whatever algorithm.
pub struct SignatureOctets(Vec<u8>);

impl SignatureBitStringEncoding for SignatureOctets {
    fn to_bitstring(&self) -> der::Result<BitString> {
        BitString::from_bytes(&self.0)
    }
}

impl signature::Signer<SignatureOctets> for CertificateSigner<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<SignatureOctets, signature::Error> {
        let mut octets = Vec::new();
        self.0.sign(message, &mut octets).map_err(|_| signature::Error::new())?;
        Ok(SignatureOctets(octets))
    }
}

impl signature::Keypair for CertificateSigner<'_> {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        self.0.public_key().clone()
    }
}

impl DynSignatureAlgorithmIdentifier for CertificateSigner<'_> {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned::from_der(self.0.algorithm().algorithm_identifier())?)
    }
}

impl EncodePublicKey for PublicKey {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        Ok(Document::try_from(self.spki())?)
    }
}

#[cfg(test)]
mod tests {
    use crate::signing::test_pki::{Authority, Issuance, key, openssl};
    use crate::signing::{KeyKind, Signer};

    /// OpenSSL is the judge of what every kind of key issues here.
    #[test]
    fn openssl_verifies_what_every_kind_of_key_issues() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        for kind in KeyKind::ALL {
            let authority = Authority::new(kind, "CN=Test CA,O=Test,C=XX");
            let responder = authority.issue(key(kind).public_key(), Issuance::default());
            let (ca, leaf) = (path("ca.pem"), path("leaf.pem"));
            std::fs::write(&ca, authority.certificate.pem()).unwrap();
            std::fs::write(&leaf, responder.pem()).unwrap();
            let time = crate::signing::test_pki::now().seconds().to_string();
            let shown = openssl(&["verify", "-attime", &time, "-CAfile", &ca, &leaf]);
            assert!(String::from_utf8_lossy(&shown).ends_with(": OK\n"), "{kind}");
        }
    }
}
