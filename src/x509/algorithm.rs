//! Algorithms and public keys: what an `AlgorithmIdentifier` and a `SubjectPublicKeyInfo` say.
//!
//! Callers: the certificate and CRL parsers, `ocsp` (CertID hashes, response templates), `signing`.
//! Invariants: an algorithm that exists here is one that may be used; weak ones (SHA-1, MD5) are
//! refused while they are read, by name. A [`PublicKey`] may be of a kind that nothing here can
//! verify with ([`KeyAlgorithm::Other`]), since a card may carry one; whoever wants to verify is told.
//! Errors: [`AlgorithmError`], [`PublicKeyError`]; both name what was found.

use crate::asn1::{self, DerError, Reader, tag, write_header, write_tlv};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use std::fmt;

/// A hash function, for CertIDs and within signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// For CertIDs and key hashes only (RFC 6960 4.1.1, RFC 5019 2.1.1); never in a signature.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// From the content octets of its OBJECT IDENTIFIER.
    #[must_use]
    pub fn from_oid(oid: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.oid() == oid)
    }

    /// The content octets of its OBJECT IDENTIFIER.
    #[must_use]
    pub const fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => asn1::SHA1,
            Self::Sha256 => asn1::SHA256,
            Self::Sha384 => asn1::SHA384,
            Self::Sha512 => asn1::SHA512,
        }
    }

    /// Octets of a hash value.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// `SHA-256`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A signature algorithm that may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519,
}

/// Why an `AlgorithmIdentifier` does not name a signature algorithm that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// It is no `AlgorithmIdentifier`.
    #[error("the algorithm identifier cannot be read: {0}")]
    Der(#[from] DerError),
    /// Its hash or signature scheme can be forged.
    #[error("the signature algorithm {} is too weak to be trusted", NamedOid(.0))]
    Weak(ObjectIdentifier),
    /// ocsprey does not know it.
    #[error("the signature algorithm {} is not supported", NamedOid(.0))]
    Unsupported(ObjectIdentifier),
    /// Parameters other than the standard gives it (RFC 4055 5, RFC 5758 3.2, RFC 8410 3).
    #[error("the signature algorithm {0} has parameters that it must not have")]
    Parameters(SignatureAlgorithm),
}

/// Signature algorithms that are refused as weak rather than as unknown.
const WEAK: [ObjectIdentifier; 6] = [
    rfc5912::MD_2_WITH_RSA_ENCRYPTION,
    rfc5912::MD_5_WITH_RSA_ENCRYPTION,
    rfc5912::SHA_1_WITH_RSA_ENCRYPTION,
    rfc5912::DSA_WITH_SHA_1,
    // ecdsa-with-SHA1 (ANSI X9.62), which the database does not hold.
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
    // sha1WithRSA of OIW, found in old certificates.
    ObjectIdentifier::new_unwrap("1.3.14.3.2.29"),
];

/// The DER of a NULL, the parameters of the RSA algorithms.
const NULL: [u8; 2] = [tag::NULL, 0];

/// `SEQUENCE { OBJECT IDENTIFIER oid, parameters }`, made while compiling; a wrong `N` does not compile.
const fn identifier<const N: usize>(oid: &[u8], parameters: &[u8]) -> [u8; N] {
    assert!(N == 4 + oid.len() + parameters.len() && N < 0x80);
    let mut der = [0; N];
    der[0] = tag::SEQUENCE;
    der[1] = (N - 2) as u8;
    der[2] = tag::OBJECT_IDENTIFIER;
    der[3] = oid.len() as u8;
    let mut at = 0;
    while at < oid.len() {
        der[4 + at] = oid[at];
        at += 1;
    }
    let mut at = 0;
    while at < parameters.len() {
        der[4 + oid.len() + at] = parameters[at];
        at += 1;
    }
    der
}

macro_rules! identifiers {
    ($($name:ident = $oid:expr, $parameters:expr;)*) => {$(
        static $name: [u8; 4 + $oid.len() + $parameters.len()] = identifier($oid, &$parameters);
    )*};
}

const NOTHING: [u8; 0] = [];
identifiers! {
    RSA_SHA256 = asn1::SHA256_WITH_RSA, NULL;
    RSA_SHA384 = asn1::SHA384_WITH_RSA, NULL;
    RSA_SHA512 = asn1::SHA512_WITH_RSA, NULL;
    ECDSA_SHA256 = asn1::ECDSA_WITH_SHA256, NOTHING;
    ECDSA_SHA384 = asn1::ECDSA_WITH_SHA384, NOTHING;
    ECDSA_SHA512 = asn1::ECDSA_WITH_SHA512, NOTHING;
    ED25519 = asn1::ED25519, NOTHING;
}

impl SignatureAlgorithm {
    pub const ALL: [Self; 7] = [
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
    ];

    /// From a whole `AlgorithmIdentifier`, as it stands in a certificate, CRL or response.
    ///
    /// RFC 4055 5: the RSA algorithms have NULL parameters; some signers leave them out, which is
    /// tolerated. RFC 5758 3.2 and RFC 8410 3: the others have none.
    ///
    /// # Errors
    /// When it is not DER, weak, not supported, or has other parameters.
    pub fn from_algorithm_identifier(raw: &[u8]) -> Result<Self, AlgorithmError> {
        let mut outer = Reader::new(raw);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let oid = fields.oid()?;
        let parameters = fields.rest();
        let Some(algorithm) = Self::ALL.into_iter().find(|algorithm| algorithm.oid() == oid) else {
            let oid = ObjectIdentifier::from_bytes(oid).map_err(|_| DerError::Value)?;
            return Err(if WEAK.contains(&oid) {
                AlgorithmError::Weak(oid)
            } else {
                AlgorithmError::Unsupported(oid)
            });
        };
        let lawful = parameters.is_empty() || (algorithm.is_rsa() && parameters == NULL);
        if lawful { Ok(algorithm) } else { Err(AlgorithmError::Parameters(algorithm)) }
    }

    /// The DER of its `AlgorithmIdentifier`.
    #[must_use]
    pub fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::RsaSha256 => &RSA_SHA256,
            Self::RsaSha384 => &RSA_SHA384,
            Self::RsaSha512 => &RSA_SHA512,
            Self::EcdsaSha256 => &ECDSA_SHA256,
            Self::EcdsaSha384 => &ECDSA_SHA384,
            Self::EcdsaSha512 => &ECDSA_SHA512,
            Self::Ed25519 => &ED25519,
        }
    }

    /// The content octets of its OBJECT IDENTIFIER.
    #[must_use]
    pub const fn oid(self) -> &'static [u8] {
        match self {
            Self::RsaSha256 => asn1::SHA256_WITH_RSA,
            Self::RsaSha384 => asn1::SHA384_WITH_RSA,
            Self::RsaSha512 => asn1::SHA512_WITH_RSA,
            Self::EcdsaSha256 => asn1::ECDSA_WITH_SHA256,
            Self::EcdsaSha384 => asn1::ECDSA_WITH_SHA384,
            Self::EcdsaSha512 => asn1::ECDSA_WITH_SHA512,
            Self::Ed25519 => asn1::ED25519,
        }
    }

    /// The hash of the message that is signed; `None` for Ed25519, which signs the message itself.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::RsaSha256 | Self::EcdsaSha256 => Some(HashAlgorithm::Sha256),
            Self::RsaSha384 | Self::EcdsaSha384 => Some(HashAlgorithm::Sha384),
            Self::RsaSha512 | Self::EcdsaSha512 => Some(HashAlgorithm::Sha512),
            Self::Ed25519 => None,
        }
    }

    /// `ECDSA with SHA-256`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSA with SHA-256",
            Self::RsaSha384 => "RSA with SHA-384",
            Self::RsaSha512 => "RSA with SHA-512",
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
            Self::Ed25519 => "Ed25519",
        }
    }

    const fn is_rsa(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An object identifier with its name, where it has a known one: `1.2.3 (name)`.
struct NamedOid<'a>(&'a ObjectIdentifier);

impl fmt::Display for NamedOid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match const_oid::db::DB.by_oid(self.0) {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => self.0.fmt(f),
        }
    }
}

/// What kind of key a public key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// One that nothing is signed or verified with here: its algorithm, or its curve.
    Other(ObjectIdentifier),
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa => f.write_str("RSA"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => NamedOid(oid).fmt(f),
        }
    }
}

/// Why octets are not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// It is no `SubjectPublicKeyInfo`, or the key within is not what its algorithm says.
    #[error("the public key cannot be read: {0}")]
    Der(#[from] DerError),
    /// The parameters are not those of the algorithm.
    #[error("the public key of kind {0} has parameters that it must not have")]
    Parameters(KeyAlgorithm),
    /// An elliptic curve point that is compressed or of a wrong length (RFC 5480 2.2).
    #[error("the {0} public key is not an uncompressed point of its curve")]
    Point(KeyAlgorithm),
    /// An Ed25519 key that does not have 32 octets (RFC 8410 4).
    #[error("an Ed25519 public key has 32 octets, this one {0}")]
    Ed25519Length(usize),
}

/// A public key, as a `SubjectPublicKeyInfo` holds it.
#[derive(Clone)]
pub struct PublicKey {
    spki: Box<[u8]>,
    bits: Box<[u8]>,
    algorithm: KeyAlgorithm,
    rsa_bits: Option<usize>,
}

impl PublicKey {
    /// From the DER of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is not one, or the key within is not of its kind.
    pub fn from_spki(spki: &[u8]) -> Result<Self, PublicKeyError> {
        let mut outer = Reader::new(spki);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let mut identifier = fields.sequence()?;
        let bits = fields.bit_string()?;
        fields.finish()?;
        let algorithm = key_algorithm(&mut identifier)?;
        let rsa_bits = match algorithm {
            KeyAlgorithm::Rsa => Some(rsa_modulus_bits(bits)?),
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::Ed25519 | KeyAlgorithm::Other(_) => None,
        };
        let octets = match algorithm {
            KeyAlgorithm::P256 => 65,
            KeyAlgorithm::P384 => 97,
            KeyAlgorithm::Ed25519 if bits.len() != 32 => {
                return Err(PublicKeyError::Ed25519Length(bits.len()));
            }
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa | KeyAlgorithm::Other(_) => bits.len(),
        };
        let curve = matches!(algorithm, KeyAlgorithm::P256 | KeyAlgorithm::P384);
        if bits.len() != octets || (curve && bits.first() != Some(&4)) {
            return Err(PublicKeyError::Point(algorithm));
        }
        Ok(Self { spki: spki.into(), bits: bits.into(), algorithm, rsa_bits })
    }

    /// From the content of the BIT STRING: an RSAPublicKey, an uncompressed point, or 32 octets.
    ///
    /// # Errors
    /// As [`PublicKey::from_spki`].
    pub fn from_bits(algorithm: KeyAlgorithm, bits: &[u8]) -> Result<Self, PublicKeyError> {
        let mut identifier = Vec::new();
        match (algorithm, curve_of(algorithm)) {
            (KeyAlgorithm::Rsa, _) => {
                write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::RSA_ENCRYPTION);
                identifier.extend_from_slice(&NULL);
            }
            (KeyAlgorithm::Ed25519, _) => write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::ED25519),
            (_, Some(curve)) => {
                write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::EC_PUBLIC_KEY);
                write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, curve);
            }
            (other, None) => return Err(PublicKeyError::Parameters(other)),
        }
        let mut content = Vec::with_capacity(bits.len() + 40);
        write_tlv(&mut content, tag::SEQUENCE, &identifier);
        write_header(&mut content, tag::BIT_STRING, bits.len() + 1);
        content.push(0);
        content.extend_from_slice(bits);
        let mut spki = Vec::with_capacity(content.len() + 4);
        write_tlv(&mut spki, tag::SEQUENCE, &content);
        Self::from_spki(&spki)
    }

    /// The DER of the `SubjectPublicKeyInfo` as it stood.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The content of the BIT STRING without the octet that counts unused bits: what
    /// `issuerKeyHash` and the `byKey` ResponderID hash (RFC 6960 4.1.1, 4.2.2.3).
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The size of an RSA key's modulus in bits; `None` for other kinds.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        self.rsa_bits
    }
}

/// The same key, whether or not the NULL parameters of an RSA algorithm were written.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.bits == other.bits
    }
}

impl Eq for PublicKey {}

/// The kind of the key, and an RSA key's size: `RSA 2048`.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rsa_bits {
            Some(bits) => write!(f, "{} {bits}", self.algorithm),
            None => self.algorithm.fmt(f),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

fn curve_of(algorithm: KeyAlgorithm) -> Option<&'static [u8]> {
    match algorithm {
        KeyAlgorithm::P256 => Some(asn1::SECP256R1),
        KeyAlgorithm::P384 => Some(asn1::SECP384R1),
        KeyAlgorithm::Rsa | KeyAlgorithm::Ed25519 | KeyAlgorithm::Other(_) => None,
    }
}

/// The kind of key that an `AlgorithmIdentifier`'s content names, also in PKCS#8.
///
/// # Errors
/// When it cannot be read or its parameters are not those of its kind.
pub(crate) fn key_algorithm(identifier: &mut Reader<'_>) -> Result<KeyAlgorithm, PublicKeyError> {
    let named = |oid: &[u8]| ObjectIdentifier::from_bytes(oid).map_err(|_| DerError::Value);
    let oid = identifier.oid()?;
    let (algorithm, lawful) = if oid == asn1::RSA_ENCRYPTION {
        // RFC 3279 2.3.1: NULL; left out by some.
        (KeyAlgorithm::Rsa, identifier.is_empty() || identifier.rest() == NULL)
    } else if oid == asn1::ED25519 {
        (KeyAlgorithm::Ed25519, identifier.is_empty())
    } else if oid == asn1::EC_PUBLIC_KEY && identifier.peek() == Some(tag::OBJECT_IDENTIFIER) {
        let curve = identifier.oid()?;
        let algorithm = match curve {
            asn1::SECP256R1 => KeyAlgorithm::P256,
            asn1::SECP384R1 => KeyAlgorithm::P384,
            other => KeyAlgorithm::Other(named(other)?),
        };
        (algorithm, identifier.is_empty())
    } else {
        (KeyAlgorithm::Other(named(oid)?), true)
    };
    if lawful { Ok(algorithm) } else { Err(PublicKeyError::Parameters(algorithm)) }
}

/// The bits of the modulus of an RSAPublicKey (RFC 8017 A.1.1).
fn rsa_modulus_bits(key: &[u8]) -> Result<usize, DerError> {
    let mut outer = Reader::new(key);
    let mut fields = outer.sequence()?;
    outer.finish()?;
    let modulus = fields.integer()?;
    fields.integer()?;
    fields.finish()?;
    modulus_bits(modulus)
}

/// The bits of a modulus, given as the content of its INTEGER.
pub(crate) fn modulus_bits(modulus: &[u8]) -> Result<usize, DerError> {
    match modulus {
        [0x00, first, rest @ ..] => Ok(8 * rest.len() + 8 - first.leading_zeros() as usize),
        [first, rest @ ..] if *first < 0x80 => Ok(8 * rest.len() + 8 - first.leading_zeros() as usize),
        // A negative modulus.
        _ => Err(DerError::Value),
    }
}

#[cfg(test)]
mod tests;
