//! In whose name answers are signed: a key, and the certificate that lets it (RFC 6960 4.2.2.2).
//!
//! Callers: whoever loads a configuration makes one per issuer key; `snapshot` holds it, `respond`
//! reads it; clients ask [`names_responder`]. Invariants: a [`ResponderIdentity`] passed every check that a relying party makes on a
//! responder's certificate, at the time it was made; it may run out later, and
//! [`ResponderIdentity::not_after`] bounds every answer.
//! Errors: [`IdentityError`], each check its own, with both sides of what was compared.

use super::digest::sha1;
use super::{IssuanceError, Signer, verify_issued_by};
use crate::asn1::{tag, tlv};
use crate::ocsp::BasicResponse;
use crate::x509::{Certificate, PublicKey, UnixTime};
use std::fmt;
use std::sync::Arc;

/// Why a key may not sign answers for an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The private key belongs to another certificate.
    #[error(
        "the signer's key does not belong to its certificate {certificate}: the certificate holds {expected}, \
         the key file {found}"
    )]
    KeyMismatch { certificate: String, expected: KeyId, found: KeyId },
    /// RFC 6960 4.2.2.2: the certificate is issued directly by the CA that is asked about.
    #[error("the signer's certificate {certificate} was issued by {found}, not by {expected}")]
    OtherIssuer { certificate: String, expected: String, found: String },
    /// The CA has the right name and another key: another generation of it, or another CA.
    #[error(
        "the signer's certificate {certificate} names {issuer} as its issuer, but was not signed with that CA's \
         key: {reason} (each key of a CA needs a signer of its own)"
    )]
    NotIssuedByKey { certificate: String, issuer: String, reason: IssuanceError },
    /// RFC 6960 4.2.2.2: id-kp-OCSPSigning in extendedKeyUsage.
    #[error(
        "the signer's certificate {certificate} is not for OCSP: its extended key usage lacks OCSPSigning (ask the \
         CA for one with extendedKeyUsage = OCSPSigning)"
    )]
    NoOcspSigning { certificate: String },
    /// RFC 6960 4.2.2.2.1: without it a relying party asks about the responder itself, of the responder.
    #[error(
        "the signer's certificate {certificate} lacks id-pkix-ocsp-nocheck, so verifiers would ask for its own status \
         (ask the CA for one with noCheck)"
    )]
    NoNocheck { certificate: String },
    /// RFC 5280 4.2.1.3, 4.2.1.12: a keyUsage that does not let its key sign.
    #[error(
        "the signer's certificate {certificate} does not let its key sign: its key usage lacks digitalSignature"
    )]
    NoDigitalSignature { certificate: String },
    #[error("the signer's certificate {certificate} is not valid before {not_before}, and it is {now}")]
    NotYetValid { certificate: String, not_before: UnixTime, now: UnixTime },
    #[error("the signer's certificate {certificate} expired at {not_after}, and it is {now}")]
    Expired { certificate: String, not_after: UnixTime, now: UnixTime },
}

/// A public key as people compare them: its kind and the start of its SHA-1, as in a key identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId {
    kind: String,
    hash: [u8; 20],
}

impl From<&PublicKey> for KeyId {
    fn from(key: &PublicKey) -> Self {
        Self { kind: key.to_string(), hash: sha1(key.bits()) }
    }
}

/// `ECDSA P-256 key 1a2b3c4d…`
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key ", self.kind)?;
        self.hash.iter().take(8).try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str("…")
    }
}

/// Who signs answers for one issuer key.
#[derive(Clone)]
pub struct ResponderIdentity {
    signer: Arc<dyn Signer>,
    /// The delegate's, or the CA's when the CA signs by itself.
    certificate: Certificate,
    key_hash: [u8; 20],
    /// Empty when the CA signs by itself.
    certs_der: Box<[u8]>,
}

impl ResponderIdentity {
    /// A responder that the CA has authorised by issuing a certificate for it (RFC 6960 4.2.2.2, 2).
    ///
    /// # Errors
    /// When a relying party would not accept it at `now`.
    pub fn delegated(
        certificate: Certificate,
        issuer: &Certificate,
        signer: Arc<dyn Signer>,
        now: UnixTime,
    ) -> Result<Self, IdentityError> {
        let named = || certificate.subject_text();
        key_matches(&certificate, signer.as_ref())?;
        verify_issued_by(&certificate, issuer).map_err(|reason| match reason {
            IssuanceError::Name => IdentityError::OtherIssuer {
                certificate: named(),
                expected: issuer.subject_text(),
                found: certificate.issuer_text(),
            },
            IssuanceError::Algorithm(_) | IssuanceError::Signature(_) => {
                IdentityError::NotIssuedByKey { certificate: named(), issuer: issuer.subject_text(), reason }
            }
        })?;
        if !certificate.allows_ocsp_signing() {
            return Err(IdentityError::NoOcspSigning { certificate: named() });
        }
        if !certificate.has_ocsp_nocheck() {
            return Err(IdentityError::NoNocheck { certificate: named() });
        }
        if !certificate.allows_digital_signature() {
            return Err(IdentityError::NoDigitalSignature { certificate: named() });
        }
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if now < not_before {
            return Err(IdentityError::NotYetValid { certificate: named(), not_before, now });
        }
        if now > not_after {
            return Err(IdentityError::Expired { certificate: named(), not_after, now });
        }
        let certs = tlv(tag::context_constructed(0), &tlv(tag::SEQUENCE, certificate.der()));
        Ok(Self::new(signer, certificate, certs))
    }

    /// The CA itself signs (RFC 6960 4.2.2.2, 1). Verifiers have its certificate, so that it is not sent.
    ///
    /// # Errors
    /// When the key is not the CA's.
    pub fn ca(issuer: Certificate, signer: Arc<dyn Signer>) -> Result<Self, IdentityError> {
        key_matches(&issuer, signer.as_ref())?;
        Ok(Self::new(signer, issuer, Vec::new()))
    }

    fn new(signer: Arc<dyn Signer>, certificate: Certificate, certs: Vec<u8>) -> Self {
        let key_hash = sha1(certificate.public_key().bits());
        Self { signer, certificate, key_hash, certs_der: certs.into() }
    }

    #[must_use]
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// The responder's own certificate; `None` when the CA signs by itself.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        (!self.certs_der.is_empty()).then_some(&self.certificate)
    }

    /// The `byKey` of its ResponderID: SHA-1 of its public key's bits (RFC 6960 4.2.2.3).
    #[must_use]
    pub fn responder_id_key_hash(&self) -> [u8; 20] {
        self.key_hash
    }

    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.certificate.not_before()
    }

    /// The last second in which answers may be signed and may still hold.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.certificate.not_after()
    }

    /// The `certs` of a BasicOCSPResponse, its `[0]` included: the responder's certificate. Empty,
    /// and then to be left out, when the CA signs by itself.
    #[must_use]
    pub fn certs_der(&self) -> &[u8] {
        &self.certs_der
    }
}

impl fmt::Debug for ResponderIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponderIdentity({:?})", self.certificate)
    }
}

/// Whether the ResponderID of `response` is that of the holder of `certificate` (RFC 6960 4.2.2.3).
/// It is a claim; the signature proves it.
#[must_use]
pub fn names_responder(response: &BasicResponse<'_>, certificate: &Certificate) -> bool {
    match (response.responder_key_hash, response.responder_name) {
        (Some(hash), _) => hash == sha1(certificate.public_key().bits()),
        (None, Some(name)) => name == certificate.subject(),
        (None, None) => false,
    }
}

fn key_matches(certificate: &Certificate, signer: &dyn Signer) -> Result<(), IdentityError> {
    if certificate.public_key() == signer.public_key() {
        return Ok(());
    }
    Err(IdentityError::KeyMismatch {
        certificate: certificate.subject_text(),
        expected: certificate.public_key().into(),
        found: signer.public_key().into(),
    })
}

#[cfg(test)]
mod tests;
