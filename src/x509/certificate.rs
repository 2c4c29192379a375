//! Certificates (RFC 5280 4): of CAs, of responders, of cards whose serial is put into an inventory.
//!
//! Callers: configuration, `signing`, `ingest` (CRL issuers, inventories), `cli`. Not the hot path.
//! Invariants: a [`Certificate`] is immutable and was read strictly; names, key and the signed part are
//! the very octets of the file, since hashes and signatures are over those. Signatures are not
//! verified here: that is `signing`'s. A certificate may carry an algorithm that ocsprey refuses, so
//! that an old CA generation whose self-signature is SHA-1 can still be named as an issuer: only who
//! relies on that signature is told ([`Certificate::signature_algorithm`]).
//! Errors: [`CertificateError`].

mod pem;

pub use pem::{PemBlock, PemError, is_pem, pem_blocks, to_pem};

use super::UnixTime;
use super::{AlgorithmError, PublicKey, PublicKeyError, SerialNumber, SerialNumberError, SignatureAlgorithm};
use crate::asn1::{DerError, Reader, tag};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc6960};
use der::Decode;
use std::fmt;
use std::ops::Range;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::name::RdnSequence;

/// Why octets are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate is not DER: {0}")]
    Der(#[from] DerError),
    #[error("the certificate is not PEM: {0}")]
    Pem(#[from] PemError),
    /// PEM without a `CERTIFICATE` block.
    #[error("the PEM file holds no CERTIFICATE but a {found}")]
    NotACertificate { found: String },
    /// RFC 5280 4.1.2.1 knows versions 1 to 3.
    #[error("the certificate has an unknown version")]
    Version,
    #[error("the certificate's serial number is unusable: {0}")]
    SerialNumber(#[from] SerialNumberError),
    /// RFC 5280 4.1.1.2: the algorithm inside the signed part and outside of it are the same.
    #[error(
        "the certificate names two different signature algorithms, one inside its signed part and one outside"
    )]
    SignatureAlgorithms,
    #[error("the certificate's public key is unusable: {0}")]
    PublicKey(#[from] PublicKeyError),
    /// RFC 5280 4.2: no extension stands twice.
    #[error("the certificate has the extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// An extension that is known here has content that is not what its standard says.
    #[error("the content of the certificate's extension {0} cannot be read")]
    Extension(ObjectIdentifier),
}

/// A certificate, as it stood.
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    signature: Range<usize>,
    signature_algorithm: Result<SignatureAlgorithm, AlgorithmError>,
    serial_number: SerialNumber,
    not_before: UnixTime,
    not_after: UnixTime,
    public_key: PublicKey,
    extensions: Extensions,
}

/// What the extensions that matter here say.
#[derive(Clone, Default)]
struct Extensions {
    seen: Vec<ObjectIdentifier>,
    subject_key_identifier: Option<Vec<u8>>,
    authority_key_identifier: Option<Vec<u8>>,
    is_ca: bool,
    key_usage: Option<KeyUsage>,
    ocsp_signing: bool,
    ocsp_nocheck: bool,
    crl_distribution_points: Vec<Vec<u8>>,
}

impl Certificate {
    /// From DER.
    ///
    /// # Errors
    /// When it is not one certificate, read strictly.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        let at = |part: &[u8]| {
            // Every part is a slice of `bytes`.
            let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
            start..start + part.len()
        };
        let mut outer = Reader::new(bytes);
        let mut certificate = outer.sequence()?;
        outer.finish()?;
        let tbs = certificate.expect(tag::SEQUENCE)?;
        let signature_algorithm = certificate.expect(tag::SEQUENCE)?.raw;
        let signature = certificate.bit_string()?;
        certificate.finish()?;

        let mut fields = Reader::new(tbs.content);
        let version = match fields.optional(tag::context_constructed(0))? {
            None => 0,
            Some(explicit) => {
                let mut explicit = Reader::new(explicit.content);
                let version = explicit.integer()?;
                explicit.finish()?;
                // X.690 11.5: version 1, the default, is not written; some old roots do.
                match version {
                    [version @ 0..=2] => *version,
                    _ => return Err(CertificateError::Version),
                }
            }
        };
        let serial_number = SerialNumber::from_der_content(fields.integer()?)?;
        if fields.expect(tag::SEQUENCE)?.raw != signature_algorithm {
            return Err(CertificateError::SignatureAlgorithms);
        }
        let issuer = fields.expect(tag::SEQUENCE)?.raw;
        let mut validity = fields.sequence()?;
        let not_before = UnixTime::from_element(&validity.element()?)?;
        let not_after = UnixTime::from_element(&validity.element()?)?;
        validity.finish()?;
        let subject = fields.expect(tag::SEQUENCE)?.raw;
        let public_key = PublicKey::from_spki(fields.expect(tag::SEQUENCE)?.raw)?;
        // issuerUniqueID and subjectUniqueID, which nobody uses.
        fields.optional(tag::context(1))?;
        fields.optional(tag::context(2))?;
        let extensions = match fields.optional(tag::context_constructed(3))? {
            None => Extensions::default(),
            // RFC 5280 4.1.2.9: in version 3 only.
            Some(_) if version != 2 => return Err(CertificateError::Version),
            Some(explicit) => Extensions::read(explicit.content)?,
        };
        fields.finish()?;

        Ok(Self {
            tbs: at(tbs.raw),
            issuer: at(issuer),
            subject: at(subject),
            signature: at(signature),
            der: bytes.into(),
            signature_algorithm: SignatureAlgorithm::from_algorithm_identifier(signature_algorithm),
            serial_number,
            not_before,
            not_after,
            public_key,
            extensions,
        })
    }

    /// From DER, or from PEM: the first certificate in it, which in a chain is the holder's own.
    ///
    /// # Errors
    /// When there is no certificate, or it is broken.
    pub fn from_pem_or_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::first(Self::all_from_pem_or_der(bytes)?)
    }

    fn first(all: Vec<Self>) -> Result<Self, CertificateError> {
        all.into_iter().next().ok_or(CertificateError::Pem(PemError::NoBlock))
    }

    /// From DER (one), or from PEM: every certificate in it, in order; never none.
    ///
    /// # Errors
    /// When there is no certificate, or one is broken.
    pub fn all_from_pem_or_der(bytes: &[u8]) -> Result<Vec<Self>, CertificateError> {
        if !is_pem(bytes) {
            return Ok(vec![Self::from_der(bytes)?]);
        }
        let mut found = String::new();
        let mut certificates = Vec::new();
        for block in pem_blocks(bytes)? {
            // RFC 7468 5.3: the second is an old name of the first.
            if matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE") {
                certificates.push(Self::from_der(&block.der)?);
            } else {
                found = block.label;
            }
        }
        if certificates.is_empty() {
            Err(CertificateError::NotACertificate { found })
        } else {
            Ok(certificates)
        }
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }

    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The subject's name: its DER as it stands.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        self.part(&self.subject)
    }

    /// The issuer's name: its DER as it stands.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        self.part(&self.issuer)
    }

    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    #[must_use]
    pub fn serial_number(&self) -> SerialNumber {
        self.serial_number
    }

    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second of its validity.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The signed part: the DER of the `TBSCertificate`.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.part(&self.tbs)
    }

    /// With what its issuer signed it.
    ///
    /// # Errors
    /// When that is weak or unknown, which matters only to who relies on this signature.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, AlgorithmError> {
        self.signature_algorithm
    }

    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.part(&self.signature)
    }

    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.extensions.subject_key_identifier.as_deref()
    }

    /// The keyIdentifier of its authorityKeyIdentifier.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.extensions.authority_key_identifier.as_deref()
    }

    /// Whether basicConstraints say that it is a CA's (RFC 5280 4.2.1.9).
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// RFC 5280 4.2.1.3: without keyUsage the key may be used for everything.
    fn allows(&self, usage: impl FnOnce(&KeyUsage) -> bool) -> bool {
        self.extensions.key_usage.as_ref().is_none_or(usage)
    }

    #[must_use]
    pub fn allows_crl_sign(&self) -> bool {
        self.allows(KeyUsage::crl_sign)
    }

    #[must_use]
    pub fn allows_cert_sign(&self) -> bool {
        self.allows(KeyUsage::key_cert_sign)
    }

    #[must_use]
    pub fn allows_digital_signature(&self) -> bool {
        self.allows(KeyUsage::digital_signature)
    }

    /// Whether extendedKeyUsage holds id-kp-OCSPSigning (RFC 6960 4.2.2.2); anyExtendedKeyUsage does not do.
    #[must_use]
    pub fn allows_ocsp_signing(&self) -> bool {
        self.extensions.ocsp_signing
    }

    /// Whether it has id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).
    #[must_use]
    pub fn has_ocsp_nocheck(&self) -> bool {
        self.extensions.ocsp_nocheck
    }

    /// Where its CRLs are: of each distribution point with a fullName, the octets within that
    /// `[0]`, `GeneralName`s one behind the other, to be matched with a CRL's
    /// issuingDistributionPoint.
    #[must_use]
    pub fn crl_distribution_points(&self) -> Vec<Vec<u8>> {
        self.extensions.crl_distribution_points.clone()
    }

    /// Its subject for people, as RFC 4514 writes it.
    #[must_use]
    pub fn subject_text(&self) -> String {
        name_text(self.subject())
    }

    /// Its issuer for people, as RFC 4514 writes it.
    #[must_use]
    pub fn issuer_text(&self) -> String {
        name_text(self.issuer())
    }

    #[must_use]
    pub fn pem(&self) -> String {
        to_pem("CERTIFICATE", &self.der)
    }
}

/// The subject only: a serial number is a citizen.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject_text())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// A `Name` for people, as RFC 4514 writes it.
fn name_text(name: &[u8]) -> String {
    match RdnSequence::from_der(name) {
        Ok(name) if name.is_empty() => "(no name)".to_owned(),
        Ok(name) => name.to_string(),
        Err(_) => "(a name that cannot be read)".to_owned(),
    }
}

impl Extensions {
    fn read(content: &[u8]) -> Result<Self, CertificateError> {
        let mut extensions = Self::default();
        let mut explicit = Reader::new(content);
        let mut list = explicit.sequence()?;
        explicit.finish()?;
        while !list.is_empty() {
            let mut extension = list.sequence()?;
            let oid = ObjectIdentifier::from_bytes(extension.oid()?).map_err(|_| DerError::Value)?;
            if extension.peek() == Some(tag::BOOLEAN) {
                extension.boolean()?;
            }
            let value = extension.expect(tag::OCTET_STRING)?.content;
            extension.finish()?;
            if extensions.seen.contains(&oid) {
                return Err(CertificateError::DuplicateExtension(oid));
            }
            extensions.seen.push(oid);
            extensions.take(oid, value).map_err(|NotRead| CertificateError::Extension(oid))?;
        }
        Ok(extensions)
    }

    fn take(&mut self, oid: ObjectIdentifier, value: &[u8]) -> Result<(), NotRead> {
        match oid {
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                let mut value = Reader::new(value);
                self.subject_key_identifier = Some(value.expect(tag::OCTET_STRING)?.content.to_vec());
                value.finish()?;
            }
            rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                let mut identifier = Reader::new(value).sequence()?;
                let key = identifier.optional(tag::context(0))?;
                self.authority_key_identifier = key.map(|key| key.content.to_vec());
            }
            rfc5280::ID_CE_BASIC_CONSTRAINTS => self.is_ca = BasicConstraints::from_der(value)?.ca,
            rfc5280::ID_CE_KEY_USAGE => self.key_usage = Some(KeyUsage::from_der(value)?),
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                let ExtendedKeyUsage(purposes) = ExtendedKeyUsage::from_der(value)?;
                self.ocsp_signing = purposes.contains(&rfc5280::ID_KP_OCSP_SIGNING);
            }
            // RFC 6960 4.2.2.2.1: the value is NULL; some CAs write other things, and its presence counts.
            rfc6960::ID_PKIX_OCSP_NOCHECK => self.ocsp_nocheck = true,
            rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS => self.crl_distribution_points = full_names(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// RFC 5280 4.2.1.13: `SEQUENCE OF SEQUENCE { [0] { [0] fullName | [1] … }, [1] reasons, [2] cRLIssuer }`.
fn full_names(value: &[u8]) -> Result<Vec<Vec<u8>>, DerError> {
    let mut outer = Reader::new(value);
    let mut points = outer.sequence()?;
    outer.finish()?;
    let mut names = Vec::new();
    while !points.is_empty() {
        let mut point = points.sequence()?;
        if let Some(name) = point.optional(tag::context_constructed(0))?
            && let Some(full) = Reader::new(name.content).optional(tag::context_constructed(0))?
        {
            names.push(full.content.to_vec());
        }
    }
    Ok(names)
}

/// An extension's content is not what its standard says; the caller knows which one.
struct NotRead;

impl From<DerError> for NotRead {
    fn from(_: DerError) -> Self {
        Self
    }
}

impl From<der::Error> for NotRead {
    fn from(_: der::Error) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
