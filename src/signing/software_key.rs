//! Private keys in this process's memory, read from PKCS#8 (RFC 5958) files.
//!
//! Callers: whoever loads a configuration, and `demo`, which makes keys.
//! aws-lc signs: it is a tenth faster than `ring` with P-256 and two to five times as fast with everything else;
//! without the feature `aws-lc`, `ring` does that too and only cannot make RSA keys.
//! Invariants: a key that exists here has signed nothing weak: P-256, P-384, Ed25519, or RSA with
//! 2048 to 4096 bits. Its octets are wiped from what was read; the libraries keep their own copy.
//! Errors: [`KeyError`], which never holds a part of a key.

#[cfg(feature = "aws-lc")]
use aws_lc_rs as library;
#[cfg(not(feature = "aws-lc"))]
use ring as library;

use super::{RSA_SIGN_BITS, SignError, Signer};
use crate::asn1::{self, DerError, Reader, tag, write_tlv};
use crate::x509::{
    KeyAlgorithm, PemError, PublicKey, PublicKeyError, SignatureAlgorithm, is_pem, key_algorithm,
    modulus_bits, pem_blocks, to_pem,
};
use library::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use ring::rand::SecureRandom as _;
use std::fmt;
use zeroize::Zeroizing;

/// Kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
    Ed25519,
}

impl KeyKind {
    pub const ALL: [Self; 5] = [Self::P256, Self::P384, Self::Rsa2048, Self::Rsa3072, Self::Ed25519];

    /// As it is written on the command line: `p256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there is no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is not PEM: {0} (openssl pkcs8 -topk8 -nocrypt writes what is wanted)")]
    Pem(#[from] PemError),
    #[error("the key is DER, and PEM is wanted (openssl pkcs8 -topk8 -nocrypt -inform DER converts it)")]
    NotPem,
    /// There is nobody to type a passphrase when a responder starts.
    #[error(
        "the key is encrypted (openssl pkcs8 -in … -out … decrypts it; protect the file by its permissions)"
    )]
    Encrypted,
    /// PKCS#1 or SEC 1, or something else altogether.
    #[error(
        "the file holds a {label}, and a PKCS#8 PRIVATE KEY is wanted (openssl pkcs8 -topk8 -nocrypt converts it)"
    )]
    NotPkcs8 { label: String },
    #[error("the key cannot be read: {0}")]
    Der(#[from] DerError),
    #[error("the key cannot be read: {0}")]
    PublicKey(#[from] PublicKeyError),
    #[error("a key of kind {key} cannot sign here (use ECDSA P-256 or P-384, RSA, or Ed25519)")]
    Unsupported { key: KeyAlgorithm },
    #[error("the RSA key has {bits} bits; {} to {} can sign", RSA_SIGN_BITS.start(), RSA_SIGN_BITS.end())]
    RsaSize { bits: usize },
    /// `ring` does not compute it.
    #[error("the {key} key holds no public key, which this build needs (build with the feature aws-lc)")]
    PublicKeyMissing { key: KeyAlgorithm },
    /// The private and the public part do not belong together, or a number is out of range.
    #[error("the {key} key is not consistent in itself: the file is damaged")]
    Inconsistent { key: KeyAlgorithm },
    #[error("a {kind} key could not be made: the machine may lack random numbers")]
    Generation { kind: KeyKind },
    #[error("this build cannot make a {kind} key (build with the feature aws-lc, or use openssl genpkey)")]
    NeedsAwsLc { kind: KeyKind },
}

/// A private key in memory.
pub struct SoftwareKey {
    pair: Pair,
    algorithm: SignatureAlgorithm,
    public_key: PublicKey,
}

enum Pair {
    Ec(EcdsaKeyPair, library::rand::SystemRandom),
    Rsa(Box<library::signature::RsaKeyPair>, library::rand::SystemRandom),
    Ed25519(library::signature::Ed25519KeyPair),
}

impl SoftwareKey {
    /// From a PEM file with an unencrypted PKCS#8 `PRIVATE KEY`; other blocks beside it are passed over.
    ///
    /// # Errors
    /// When there is no such key, or it is of a kind that does not sign here.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, KeyError> {
        if !is_pem(pem) && pem.first() == Some(&tag::SEQUENCE) {
            return Err(KeyError::NotPem);
        }
        let blocks = pem_blocks(pem)?;
        if let Some(key) = blocks.iter().find(|block| block.label == "PRIVATE KEY") {
            return Self::from_pkcs8(&key.der);
        }
        // The block that looks most like a key explains best what is wrong.
        let named = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")).or(blocks.first());
        let label = named.map(|block| block.label.clone()).unwrap_or_default();
        if label == "ENCRYPTED PRIVATE KEY" {
            Err(KeyError::Encrypted)
        } else {
            Err(KeyError::NotPkcs8 { label })
        }
    }

    /// RFC 5958 2: `SEQUENCE { version, AlgorithmIdentifier, OCTET STRING, [0] attributes, [1] publicKey }`.
    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        fields.integer()?;
        let key = key_algorithm(&mut fields.sequence()?)?;
        let private = fields.expect(tag::OCTET_STRING)?.content;
        match key {
            KeyAlgorithm::P256 | KeyAlgorithm::P384 => Self::from_ec(key, private, der),
            KeyAlgorithm::Rsa => Self::from_rsa(private),
            KeyAlgorithm::Ed25519 => Self::from_ed25519(private),
            KeyAlgorithm::Other(_) => Err(KeyError::Unsupported { key }),
        }
    }

    /// RFC 5915 3: `SEQUENCE { 1, OCTET STRING privateKey, [0] parameters, [1] publicKey }`.
    fn from_ec(key: KeyAlgorithm, private: &[u8], pkcs8: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(private);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        fields.integer()?;
        let scalar = fields.expect(tag::OCTET_STRING)?.content;
        fields.optional(tag::context_constructed(0))?;
        let public = match fields.optional(tag::context_constructed(1))? {
            Some(explicit) => Reader::new(explicit.content).bit_string()?.to_vec(),
            None => public_of(key, pkcs8)?,
        };
        let public_key = PublicKey::from_bits(key, &public)?;
        let (signing, algorithm, octets) = if key == KeyAlgorithm::P256 {
            (&ECDSA_P256_SHA256_ASN1_SIGNING, SignatureAlgorithm::EcdsaSha256, 32)
        } else {
            (&ECDSA_P384_SHA384_ASN1_SIGNING, SignatureAlgorithm::EcdsaSha384, 48)
        };
        let random = library::rand::SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            signing,
            &padded(scalar, octets),
            &public,
            #[cfg(not(feature = "aws-lc"))]
            &random,
        )
        .map_err(|_| KeyError::Inconsistent { key })?;
        Ok(Self { pair: Pair::Ec(pair, random), algorithm, public_key })
    }

    /// RFC 8017 A.1.2: `SEQUENCE { version, modulus, … }`.
    fn from_rsa(private: &[u8]) -> Result<Self, KeyError> {
        let mut fields = Reader::new(private).sequence()?;
        fields.integer()?;
        let bits = modulus_bits(fields.integer()?)?;
        if !RSA_SIGN_BITS.contains(&bits) {
            return Err(KeyError::RsaSize { bits });
        }
        let key = KeyAlgorithm::Rsa;
        let pair =
            library::signature::RsaKeyPair::from_der(private).map_err(|_| KeyError::Inconsistent { key })?;
        let public_key = PublicKey::from_bits(key, pair.public_key().as_ref())?;
        let pair = Pair::Rsa(Box::new(pair), library::rand::SystemRandom::new());
        Ok(Self { pair, algorithm: SignatureAlgorithm::RsaSha256, public_key })
    }

    /// RFC 8410 7: an OCTET STRING with the seed, within the OCTET STRING.
    fn from_ed25519(private: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(private);
        let seed = outer.expect(tag::OCTET_STRING)?.content;
        outer.finish()?;
        let key = KeyAlgorithm::Ed25519;
        let pair = library::signature::Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| KeyError::Inconsistent { key })?;
        let public_key = PublicKey::from_bits(key, pair.public_key().as_ref())?;
        Ok(Self { pair: Pair::Ed25519(pair), algorithm: SignatureAlgorithm::Ed25519, public_key })
    }

    /// Makes a new key: the key, and its PKCS#8 PEM to be kept.
    ///
    /// # Errors
    /// When the machine has no random numbers, or this build does not make that kind.
    pub fn generate(kind: KeyKind) -> Result<(Self, String), KeyError> {
        let der = generate_pkcs8(kind)?;
        Ok((Self::from_pkcs8(&der)?, to_pem("PRIVATE KEY", &der)))
    }
}

/// A scalar that lost its leading zeros on the way, with them.
fn padded(scalar: &[u8], octets: usize) -> Zeroizing<Vec<u8>> {
    let mut full = Zeroizing::new(vec![0; octets.saturating_sub(scalar.len())]);
    full.extend_from_slice(scalar);
    full
}

/// The public key that belongs to an EC key in PKCS#8 that does not hold it, as some tools write them.
#[cfg(feature = "aws-lc")]
fn public_of(key: KeyAlgorithm, pkcs8: &[u8]) -> Result<Vec<u8>, KeyError> {
    let algorithm = match key {
        KeyAlgorithm::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        KeyAlgorithm::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        KeyAlgorithm::Rsa | KeyAlgorithm::Ed25519 | KeyAlgorithm::Other(_) => {
            return Err(KeyError::PublicKeyMissing { key });
        }
    };
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(|_| KeyError::Inconsistent { key })?;
    Ok(pair.public_key().as_ref().to_vec())
}

#[cfg(not(feature = "aws-lc"))]
fn public_of(key: KeyAlgorithm, _: &[u8]) -> Result<Vec<u8>, KeyError> {
    Err(KeyError::PublicKeyMissing { key })
}

fn generate_pkcs8(kind: KeyKind) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = KeyError::Generation { kind };
    match kind {
        KeyKind::P256 | KeyKind::P384 => {
            let signing = if kind == KeyKind::P256 {
                &ECDSA_P256_SHA256_ASN1_SIGNING
            } else {
                &ECDSA_P384_SHA384_ASN1_SIGNING
            };
            EcdsaKeyPair::generate_pkcs8(signing, &library::rand::SystemRandom::new())
                .map(|document| Zeroizing::new(document.as_ref().to_vec()))
                .map_err(|_| failed)
        }
        KeyKind::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            ring::rand::SystemRandom::new().fill(seed.as_mut()).map_err(|_| failed)?;
            Ok(ed25519_pkcs8(seed.as_ref()))
        }
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => generate_rsa(kind),
    }
}

/// RFC 8410 7, version 1 without the public key: both libraries write version 2, which OpenSSL 3.0 refuses.
fn ed25519_pkcs8(seed: &[u8]) -> Zeroizing<Vec<u8>> {
    // Large enough that no part of a key stays behind in a buffer that had to grow.
    let room = || Zeroizing::new(Vec::with_capacity(64));
    let (mut inner, mut identifier, mut content, mut der) = (room(), room(), room(), room());
    write_tlv(&mut inner, tag::OCTET_STRING, seed);
    write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::ED25519);
    write_tlv(&mut content, tag::INTEGER, &[0]);
    write_tlv(&mut content, tag::SEQUENCE, &identifier);
    write_tlv(&mut content, tag::OCTET_STRING, &inner);
    write_tlv(&mut der, tag::SEQUENCE, &content);
    der
}

#[cfg(feature = "aws-lc")]
fn generate_rsa(kind: KeyKind) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    use library::encoding::{AsDer, Pkcs8V1Der};
    use library::rsa::{KeyPair, KeySize};
    let size = if kind == KeyKind::Rsa3072 { KeySize::Rsa3072 } else { KeySize::Rsa2048 };
    let pair = KeyPair::generate(size).map_err(|_| KeyError::Generation { kind })?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generation { kind })?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

#[cfg(not(feature = "aws-lc"))]
fn generate_rsa(kind: KeyKind) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Err(KeyError::NeedsAwsLc { kind })
}

#[cfg(feature = "aws-lc")]
fn sign_ed25519(
    pair: &library::signature::Ed25519KeyPair,
    message: &[u8],
) -> Result<library::signature::Signature, library::error::Unspecified> {
    pair.try_sign(message)
}

#[cfg(not(feature = "aws-lc"))]
fn sign_ed25519(
    pair: &library::signature::Ed25519KeyPair,
    message: &[u8],
) -> Result<library::signature::Signature, library::error::Unspecified> {
    Ok(pair.sign(message))
}

impl Signer for SoftwareKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        let refused = SignError::Refused(self.algorithm);
        match &self.pair {
            Pair::Ec(pair, random) => {
                let value = pair.sign(random, message).map_err(|_| refused)?;
                signature.extend_from_slice(value.as_ref());
            }
            Pair::Ed25519(pair) => {
                let value = sign_ed25519(pair, message).map_err(|_| refused)?;
                signature.extend_from_slice(value.as_ref());
            }
            Pair::Rsa(pair, random) => {
                let before = signature.len();
                let octets = self.public_key.rsa_bits().unwrap_or_default().div_ceil(8);
                signature.resize(before + octets, 0);
                let room = signature.get_mut(before..).unwrap_or_default();
                if pair.sign(&library::signature::RSA_PKCS1_SHA256, random, message, room).is_err() {
                    signature.truncate(before);
                    return Err(refused);
                }
            }
        }
        Ok(())
    }
}

/// Its kind, and nothing of the key.
impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareKey({})", self.public_key)
    }
}

#[cfg(test)]
mod tests;
