//! Verifying signatures, of whole messages and of messages that come in pieces.
//!
//! Callers: [`super::ResponderIdentity`], `ingest` (CRLs of any length), `cli query`.
//! aws-lc verifies where it is compiled in: it offers every combination of curve and hash, and
//! verifies from a digest. `ring` alone knows no ECDSA with SHA-512 and must see the whole message.
//! Errors: [`VerifyError`]; the algorithm and the key are compared before any arithmetic, so that a
//! mismatch is not taken for a forgery.

#[cfg(feature = "aws-lc")]
use aws_lc_rs as library;
#[cfg(not(feature = "aws-lc"))]
use ring as library;

use super::RSA_VERIFY_BITS;
use crate::x509::{AlgorithmError, Certificate, KeyAlgorithm, PublicKey, SignatureAlgorithm, canonical_name};
use library::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// The longest message that is kept in memory where a signature cannot be verified from a digest
/// (Ed25519; everything without aws-lc): 512 MiB, a CRL of some 14 million entries.
pub const MAX_BUFFERED: usize = 512 << 20;

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The message, the signature or the key is another one.
    #[error("the signature ({algorithm}) does not verify with the {key} key")]
    Signature { algorithm: SignatureAlgorithm, key: KeyAlgorithm },
    /// The signature's algorithm is one for another kind of key.
    #[error("a signature made by {algorithm} cannot come from a key of kind {key}")]
    KeyKind { algorithm: SignatureAlgorithm, key: KeyAlgorithm },
    /// A kind of key that nothing here verifies with.
    #[error("signatures of keys of kind {key} are not supported")]
    UnsupportedKey { key: KeyAlgorithm },
    /// Too short to be trusted, or longer than anything in use.
    #[error("the RSA key has {bits} bits; {} to {} are accepted", RSA_VERIFY_BITS.start(), RSA_VERIFY_BITS.end())]
    RsaSize { bits: usize },
    /// `ring` alone has no ECDSA with SHA-512.
    #[error("this build cannot verify {algorithm} with a {key} key (build with the feature aws-lc)")]
    NeedsAwsLc { algorithm: SignatureAlgorithm, key: KeyAlgorithm },
    /// See [`MAX_BUFFERED`].
    #[error(
        "a message signed by {algorithm} has to be kept in memory here, and this one is over {} octets",
        MAX_BUFFERED
    )]
    TooLong { algorithm: SignatureAlgorithm },
}

/// Which combinations exist, and what the library calls them.
fn verification(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
) -> Result<&'static dyn VerificationAlgorithm, VerifyError> {
    use KeyAlgorithm::{Ed25519, Other, P256, P384, Rsa};
    use SignatureAlgorithm as Signed;
    if let Some(bits) = key.rsa_bits()
        && !RSA_VERIFY_BITS.contains(&bits)
    {
        return Err(VerifyError::RsaSize { bits });
    }
    match (key.algorithm(), algorithm) {
        (Rsa, Signed::RsaSha256) => Ok(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Rsa, Signed::RsaSha384) => Ok(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Rsa, Signed::RsaSha512) => Ok(&signature::RSA_PKCS1_2048_8192_SHA512),
        (P256, Signed::EcdsaSha256) => Ok(&signature::ECDSA_P256_SHA256_ASN1),
        (P256, Signed::EcdsaSha384) => Ok(&signature::ECDSA_P256_SHA384_ASN1),
        (P384, Signed::EcdsaSha256) => Ok(&signature::ECDSA_P384_SHA256_ASN1),
        (P384, Signed::EcdsaSha384) => Ok(&signature::ECDSA_P384_SHA384_ASN1),
        #[cfg(feature = "aws-lc")]
        (P256, Signed::EcdsaSha512) => Ok(&signature::ECDSA_P256_SHA512_ASN1),
        #[cfg(feature = "aws-lc")]
        (P384, Signed::EcdsaSha512) => Ok(&signature::ECDSA_P384_SHA512_ASN1),
        #[cfg(not(feature = "aws-lc"))]
        (key @ (P256 | P384), Signed::EcdsaSha512) => Err(VerifyError::NeedsAwsLc { algorithm, key }),
        (Ed25519, Signed::Ed25519) => Ok(&signature::ED25519),
        (key @ Other(_), _) => Err(VerifyError::UnsupportedKey { key }),
        (key @ (Rsa | P256 | P384 | Ed25519), algorithm) => Err(VerifyError::KeyKind { algorithm, key }),
    }
}

/// Verifies `signature` (the content of a BIT STRING) over `message`.
///
/// # Errors
/// When it does not verify, or nothing here could verify it.
pub fn verify(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    UnparsedPublicKey::new(verification(key, algorithm)?, key.bits())
        .verify(message, signature)
        .map_err(|_| VerifyError::Signature { algorithm, key: key.algorithm() })
}

/// Why a certificate was not issued by a given CA's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuanceError {
    /// RFC 5280 6.1.3 (a)(4): names are compared as 7.1 says, since some CAs change the string type.
    #[error("it names another issuer")]
    Name,
    #[error("{0}")]
    Algorithm(#[from] AlgorithmError),
    #[error("{0}")]
    Signature(#[from] VerifyError),
}

/// Whether `certificate` was issued by `issuer`: by its name, and by that very key.
///
/// # Errors
/// When it was not, or its signature is by an algorithm that is not trusted.
pub fn verify_issued_by(certificate: &Certificate, issuer: &Certificate) -> Result<(), IssuanceError> {
    let same = |one, other| matches!((canonical_name(one), canonical_name(other)), (Ok(one), Ok(other)) if one == other);
    if !same(certificate.issuer(), issuer.subject()) {
        return Err(IssuanceError::Name);
    }
    let algorithm = certificate.signature_algorithm()?;
    verify(issuer.public_key(), algorithm, certificate.tbs(), certificate.signature())?;
    Ok(())
}

/// Verifies a message that comes in pieces; the key may be known only at the end, as with a CRL
/// whose authorityKeyIdentifier stands behind its entries.
///
/// With aws-lc and an algorithm that signs a hash the memory is constant; otherwise the message is
/// kept, up to [`MAX_BUFFERED`].
pub struct StreamVerifier {
    algorithm: SignatureAlgorithm,
    seen: Seen,
}

enum Seen {
    #[cfg(feature = "aws-lc")]
    Hashed(library::digest::Context),
    Kept(Vec<u8>),
    TooMuch,
}

impl StreamVerifier {
    #[must_use]
    pub fn new(algorithm: SignatureAlgorithm) -> Self {
        Self { algorithm, seen: Seen::new(algorithm) }
    }

    /// The next octets of the message.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_within(bytes, MAX_BUFFERED);
    }

    fn update_within(&mut self, bytes: &[u8], most: usize) {
        match &mut self.seen {
            #[cfg(feature = "aws-lc")]
            Seen::Hashed(context) => context.update(bytes),
            Seen::Kept(kept) if bytes.len() <= most.saturating_sub(kept.len()) => {
                kept.extend_from_slice(bytes);
            }
            seen @ (Seen::Kept(_) | Seen::TooMuch) => *seen = Seen::TooMuch,
        }
    }

    /// SHA-256 of the message so far, where that is what is signed and was computed anyway.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match &self.seen {
            #[cfg(feature = "aws-lc")]
            Seen::Hashed(context) if *context.algorithm() == library::digest::SHA256 => {
                context.clone().finish().as_ref().try_into().ok()
            }
            _ => None,
        }
    }

    /// Whether [`StreamVerifier::sha256`] gives a hash, whatever comes.
    #[must_use]
    pub fn has_sha256(&self) -> bool {
        self.sha256().is_some()
    }

    /// Ends the message and verifies its signature (the content of a BIT STRING).
    ///
    /// # Errors
    /// As [`verify`], and [`VerifyError::TooLong`].
    pub fn verify(self, key: &PublicKey, signature: &[u8]) -> Result<(), VerifyError> {
        self.finish().verify(key, signature)
    }

    /// Ends the message. A CA may have several keys of one name, of which each can be tried then.
    #[must_use]
    pub fn finish(self) -> Verifiable {
        let message = match self.seen {
            #[cfg(feature = "aws-lc")]
            Seen::Hashed(context) => Message::Digest(context.finish()),
            Seen::Kept(message) => Message::Kept(message),
            Seen::TooMuch => Message::TooLong,
        };
        Verifiable { algorithm: self.algorithm, message }
    }
}

/// A message that came to its end in a [`StreamVerifier`].
pub struct Verifiable {
    algorithm: SignatureAlgorithm,
    message: Message,
}

enum Message {
    #[cfg(feature = "aws-lc")]
    Digest(library::digest::Digest),
    Kept(Vec<u8>),
    TooLong,
}

impl Verifiable {
    /// Verifies a signature of the message.
    ///
    /// # Errors
    /// As [`verify`], and [`VerifyError::TooLong`].
    pub fn verify(&self, key: &PublicKey, signature: &[u8]) -> Result<(), VerifyError> {
        let algorithm = self.algorithm;
        match &self.message {
            #[cfg(feature = "aws-lc")]
            Message::Digest(digest) => UnparsedPublicKey::new(verification(key, algorithm)?, key.bits())
                .verify_digest(digest, signature)
                .map_err(|_| VerifyError::Signature { algorithm, key: key.algorithm() }),
            Message::Kept(message) => verify(key, algorithm, message, signature),
            Message::TooLong => Err(VerifyError::TooLong { algorithm }),
        }
    }
}

impl Seen {
    #[cfg(feature = "aws-lc")]
    fn new(algorithm: SignatureAlgorithm) -> Self {
        use crate::x509::HashAlgorithm;
        use library::digest;
        let hash = match algorithm.hash() {
            Some(HashAlgorithm::Sha256) => &digest::SHA256,
            Some(HashAlgorithm::Sha384) => &digest::SHA384,
            Some(HashAlgorithm::Sha512) => &digest::SHA512,
            // No signature algorithm here uses SHA-1; Ed25519 signs the message itself.
            Some(HashAlgorithm::Sha1) | None => return Self::Kept(Vec::new()),
        };
        Self::Hashed(digest::Context::new(hash))
    }

    #[cfg(not(feature = "aws-lc"))]
    fn new(_: SignatureAlgorithm) -> Self {
        Self::Kept(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::test_pki::{key, openssl};
    use crate::signing::{KeyKind, Signer};

    const MESSAGE: &[u8] = b"tbsCertList";

    fn signed(signer: &dyn Signer) -> Vec<u8> {
        let mut signature = Vec::new();
        signer.sign(MESSAGE, &mut signature).unwrap();
        signature
    }

    fn streamed(
        key: &PublicKey,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let mut stream = StreamVerifier::new(algorithm);
        message.chunks(3).for_each(|piece| stream.update(piece));
        stream.verify(key, signature)
    }

    #[test]
    fn a_signature_verifies_whole_and_in_pieces_and_only_over_its_message_with_its_key() {
        for kind in KeyKind::ALL {
            let (signer, other) = (key(kind), key(kind));
            let algorithm = signer.algorithm();
            let signature = signed(signer.as_ref());
            let wrong = VerifyError::Signature { algorithm, key: signer.public_key().algorithm() };
            for check in [verify, streamed] {
                assert_eq!(check(signer.public_key(), algorithm, MESSAGE, &signature), Ok(()), "{kind}");
                assert_eq!(check(signer.public_key(), algorithm, b"tbsCertlist", &signature), Err(wrong));
                assert_eq!(check(other.public_key(), algorithm, MESSAGE, &signature), Err(wrong));
                assert_eq!(check(signer.public_key(), algorithm, MESSAGE, &signature[1..]), Err(wrong));
                assert_eq!(check(signer.public_key(), algorithm, MESSAGE, &[]), Err(wrong));
            }
        }
    }

    /// OpenSSL signs with every hash and key; keys here sign with one hash each.
    #[test]
    fn every_combination_of_key_and_hash_that_openssl_signs_is_verified() {
        use SignatureAlgorithm as Signed;
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (key_file, message, signature) = (path("key"), path("message"), path("signature"));
        std::fs::write(&message, MESSAGE).unwrap();
        for (kind, algorithms) in [
            (KeyKind::Rsa2048, [Signed::RsaSha256, Signed::RsaSha384, Signed::RsaSha512]),
            (KeyKind::P256, [Signed::EcdsaSha256, Signed::EcdsaSha384, Signed::EcdsaSha512]),
            (KeyKind::P384, [Signed::EcdsaSha256, Signed::EcdsaSha384, Signed::EcdsaSha512]),
        ] {
            let (signer, pem) = crate::signing::test_pki::key_and_pem(kind);
            std::fs::write(&key_file, pem).unwrap();
            for algorithm in algorithms {
                let hash = format!("-{}", algorithm.hash().unwrap().name().replace('-', "").to_lowercase());
                openssl(&["dgst", &hash, "-sign", &key_file, "-out", &signature, &message]);
                let octets = std::fs::read(&signature).unwrap();
                let key = signer.public_key();
                let expected = if cfg!(feature = "aws-lc") || algorithm != Signed::EcdsaSha512 {
                    Ok(())
                } else {
                    Err(VerifyError::NeedsAwsLc { algorithm, key: key.algorithm() })
                };
                assert_eq!(verify(key, algorithm, MESSAGE, &octets), expected, "{algorithm} {kind}");
                assert_eq!(streamed(key, algorithm, MESSAGE, &octets), expected, "{algorithm} {kind}");
            }
        }
    }

    #[test]
    fn an_algorithm_for_another_kind_of_key_is_not_taken_for_a_forgery() {
        let signer = key(KeyKind::P256);
        for algorithm in [SignatureAlgorithm::RsaSha256, SignatureAlgorithm::Ed25519] {
            let refused = Err(VerifyError::KeyKind { algorithm, key: KeyAlgorithm::P256 });
            assert_eq!(verify(signer.public_key(), algorithm, MESSAGE, &[0; 64]), refused);
            assert_eq!(streamed(signer.public_key(), algorithm, MESSAGE, &[0; 64]), refused);
        }
    }

    #[test]
    fn short_rsa_keys_and_keys_of_other_kinds_are_refused_by_name() {
        let public = |arguments: &[&str]| {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("key");
            std::fs::write(&file, openssl(arguments)).unwrap();
            let der = openssl(&["pkey", "-pubout", "-outform", "DER", "-in", file.to_str().unwrap()]);
            PublicKey::from_spki(&der).unwrap()
        };
        let short = public(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
        let algorithm = SignatureAlgorithm::RsaSha256;
        assert_eq!(verify(&short, algorithm, MESSAGE, &[0; 128]), Err(VerifyError::RsaSize { bits: 1024 }));
        let other = public(&["genpkey", "-quiet", "-algorithm", "ED448"]);
        let key = other.algorithm();
        assert!(matches!(key, KeyAlgorithm::Other(_)));
        assert_eq!(verify(&other, algorithm, MESSAGE, &[0; 114]), Err(VerifyError::UnsupportedKey { key }));
    }

    #[test]
    fn a_message_that_must_be_kept_and_is_too_long_is_refused_and_costs_no_memory() {
        let signer = key(KeyKind::Ed25519);
        let signature = signed(signer.as_ref());
        let mut stream = StreamVerifier::new(signer.algorithm());
        stream.update_within(MESSAGE, MESSAGE.len());
        assert!(matches!(&stream.seen, Seen::Kept(kept) if kept == MESSAGE));
        stream.update_within(b"", MESSAGE.len());
        assert_eq!(stream.verify(signer.public_key(), &signature), Ok(()));

        let mut stream = StreamVerifier::new(signer.algorithm());
        stream.update_within(MESSAGE, MESSAGE.len() - 1);
        assert!(matches!(stream.seen, Seen::TooMuch));
        stream.update_within(MESSAGE, MESSAGE.len());
        let refused = VerifyError::TooLong { algorithm: SignatureAlgorithm::Ed25519 };
        assert_eq!(stream.verify(signer.public_key(), &signature), Err(refused));
    }
}
