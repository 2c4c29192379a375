//! The demo's certificates: roots, OCSP signers, and the few card certificates that are really issued.
//!
//! Called by `mod.rs` when a demo is made, and again when an OCSP signer has run out. Built with
//! x509-cert's `CertificateBuilder` and one profile for each kind of certificate, shaped like those
//! of a national PKI (RFC 5280, and for the OCSP signer RFC 6960 4.2.2.2 and RFC 9919).
//! Invariants: every certificate has a subjectKeyIdentifier (RFC 5280 4.2.1.2, method 1) and, unless
//! it is a root, an authorityKeyIdentifier; policies lie below the arc that is reserved for
//! documentation (1.3.6.1.4.1.32473), so that nobody takes a demo card for a real one.
//! Errors: [`PkiError`].

use super::{CardCa, Place};
use crate::signing::{CertificateSigner, KeyError, KeyKind, SignError, SignatureOctets, Signer, SoftwareKey};
use crate::x509::{SerialNumber, UnixTime};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912, rfc6960};
use der::asn1::{Ia5String, Null};
use der::{Decode, DecodePem, Encode, EncodePem, pem::LineEnding};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("a key cannot be made or read: {0}")]
    Key(#[from] KeyError),
    #[error("the key does not sign: {0}")]
    Sign(#[from] SignError),
    #[error("a certificate cannot be built: {0}")]
    Build(#[from] x509_cert::builder::Error),
    #[error("a name, time or certificate cannot be encoded or read: {0}")]
    Der(#[from] der::Error),
}

/// How long certificates are valid.
const YEAR: i64 = 365 * 86_400;
const ROOT_BEFORE: i64 = 6 * YEAR;
const ROOT_AFTER: i64 = 10 * YEAR;
const CARD_BEFORE: i64 = 2 * YEAR;
const CARD_AFTER: i64 = 3 * YEAR;
/// An OCSP signer with ocsp-nocheck cannot be revoked, so it is short-lived (RFC 6960 4.2.2.2.1).
pub(super) const SIGNER_AFTER: i64 = 30 * 86_400;
/// Clocks differ a little; nobody should find the new signer not yet valid.
const SIGNER_BEFORE: i64 = 3_600;

/// A certificate and the key of its subject, both PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

/// A CA that can sign: certificates and CRLs.
pub struct Authority {
    pub ca: CardCa,
    name: Name,
    name_der: Vec<u8>,
    key_identifier: Vec<u8>,
    key: SoftwareKey,
}

impl Authority {
    /// A new root with a new key.
    ///
    /// # Errors
    /// When no key of this kind can be made, or it does not sign.
    pub fn create(ca: CardCa, kind: KeyKind, now: UnixTime) -> Result<(Self, Issued), PkiError> {
        let (key, key_pem) = SoftwareKey::generate(kind)?;
        let name: Name = ca.subject().parse()?;
        let certificate = build(
            Root(name),
            SerialNumber::from(1),
            validity(now.plus(-ROOT_BEFORE), now.plus(ROOT_AFTER))?,
            key.public_key().spki(),
            &key,
        )?;
        let authority = Self::of(ca, &certificate, key)?;
        Ok((authority, Issued { certificate: certificate.to_pem(LineEnding::LF)?, key: key_pem }))
    }

    /// The root that an earlier start made.
    ///
    /// # Errors
    /// When the certificate or the key cannot be read.
    pub fn load(ca: CardCa, certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, PkiError> {
        let certificate = x509_cert::Certificate::from_pem(certificate_pem)?;
        Self::of(ca, &certificate, SoftwareKey::from_pkcs8_pem(key_pem)?)
    }

    fn of(ca: CardCa, certificate: &x509_cert::Certificate, key: SoftwareKey) -> Result<Self, PkiError> {
        let tbs = certificate.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der()?;
        let key_identifier = SubjectKeyIdentifier::try_from(SubjectPublicKeyInfoRef::from_der(&spki)?)?;
        Ok(Self {
            ca,
            name: tbs.subject().clone(),
            name_der: tbs.subject().to_der()?,
            key_identifier: key_identifier.0.as_bytes().to_vec(),
            key,
        })
    }

    /// Its Name, DER.
    #[must_use]
    pub fn name_der(&self) -> &[u8] {
        &self.name_der
    }

    /// The content of its subjectKeyIdentifier.
    #[must_use]
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        &self.key
    }

    /// A new OCSP signer that this CA authorises (RFC 6960 4.2.2.2), the `generation`th.
    ///
    /// # Errors
    /// As [`Authority::create`].
    pub fn issue_ocsp_signer(
        &self,
        kind: KeyKind,
        generation: u64,
        now: UnixTime,
    ) -> Result<Issued, PkiError> {
        let (key, key_pem) = SoftwareKey::generate(kind)?;
        let subject: Name =
            format!("CN=Demo OCSP Responder {generation:04},{}", self.ca.subject()).parse()?;
        let certificate = build(
            Issuance { issuer: self.name.clone(), subject, purpose: OcspSigner },
            // The root has 1; the cards' counter starts far above.
            SerialNumber::from(1 + generation),
            validity(now.plus(-SIGNER_BEFORE), now.plus(SIGNER_AFTER))?,
            key.public_key().spki(),
            &self.key,
        )?;
        Ok(Issued { certificate: certificate.to_pem(LineEnding::LF)?, key: key_pem })
    }

    /// A card's certificate, PEM. Its key stays in the card: it is made and thrown away.
    ///
    /// # Errors
    /// As [`Authority::create`].
    pub fn issue_card_certificate(
        &self,
        kind: KeyKind,
        serial: SerialNumber,
        place: &Place,
        ocsp_url: &str,
        now: UnixTime,
    ) -> Result<String, PkiError> {
        let (key, _) = SoftwareKey::generate(kind)?;
        let purpose = Card {
            ca: self.ca,
            distribution_point: self.ca.distribution_point(place).parse()?,
            ocsp_url: Ia5String::new(ocsp_url)?,
        };
        let subject = format!("CN=DEMO{:0>12},C=JP", serial.to_hex().to_uppercase()).parse()?;
        let profile = Issuance { issuer: self.name.clone(), subject, purpose };
        let validity = validity(now.plus(-CARD_BEFORE), now.plus(CARD_AFTER))?;
        let certificate = build(profile, serial, validity, key.public_key().spki(), &self.key)?;
        Ok(certificate.to_pem(LineEnding::LF)?)
    }
}

fn validity(not_before: UnixTime, not_after: UnixTime) -> Result<Validity, PkiError> {
    Ok(Validity::new(not_before.to_system().try_into()?, not_after.to_system().try_into()?))
}

fn build<P: BuilderProfile>(
    profile: P,
    serial: SerialNumber,
    validity: Validity,
    spki: &[u8],
    signer: &SoftwareKey,
) -> Result<x509_cert::Certificate, PkiError> {
    let serial = x509_cert::serial_number::SerialNumber::new(serial.as_bytes())?;
    let builder = CertificateBuilder::new(profile, serial, validity, SubjectPublicKeyInfo::from_der(spki)?)?;
    Ok(builder.build::<_, SignatureOctets>(&CertificateSigner::new(signer))?)
}

/// A self-signed CA.
struct Root(Name);

impl BuilderProfile for Root {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        spk: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let mut list = ExtensionList::new(tbs);
        list.push(&BasicConstraints { ca: true, path_len_constraint: Some(0) })?;
        list.push(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?;
        list.push(&SubjectKeyIdentifier::try_from(spk)?)?;
        Ok(list.extensions)
    }
}

/// What a CA issues to somebody else.
struct Issuance<P> {
    issuer: Name,
    subject: Name,
    purpose: P,
}

/// What a certificate is for, in extensions.
trait Purpose {
    fn extend(&self, list: &mut ExtensionList<'_>) -> Result<(), der::Error>;
}

impl<P: Purpose> BuilderProfile for Issuance<P> {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        spk: SubjectPublicKeyInfoRef<'_>,
        issuer_spk: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let mut list = ExtensionList::new(tbs);
        list.push(&AuthorityKeyIdentifier::try_from(issuer_spk)?)?;
        list.push(&SubjectKeyIdentifier::try_from(spk)?)?;
        self.purpose.extend(&mut list)?;
        Ok(list.extensions)
    }
}

/// A delegated OCSP signer. RFC 9919 and the Baseline Requirements 7.1.2.8: no pointer to
/// revocation information of its own, since with ocsp-nocheck nobody asks.
struct OcspSigner;

impl Purpose for OcspSigner {
    fn extend(&self, list: &mut ExtensionList<'_>) -> Result<(), der::Error> {
        list.push(&KeyUsage(KeyUsages::DigitalSignature.into()))?;
        list.push(&ExtendedKeyUsage(vec![rfc5912::ID_KP_OCSP_SIGNING]))?;
        list.push((rfc6960::ID_PKIX_OCSP_NOCHECK, false, &Null))
    }
}

/// What a citizen carries.
struct Card {
    ca: CardCa,
    distribution_point: Name,
    ocsp_url: Ia5String,
}

impl Purpose for Card {
    fn extend(&self, list: &mut ExtensionList<'_>) -> Result<(), der::Error> {
        let usage = match self.ca {
            CardCa::UserAuthentication => KeyUsages::DigitalSignature.into(),
            CardCa::DigitalSignature => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
        };
        let point = GeneralName::DirectoryName(self.distribution_point.clone());
        list.push(&KeyUsage(usage))?;
        list.push(&CertificatePolicies(vec![PolicyInformation {
            policy_identifier: policy(self.ca),
            policy_qualifiers: None,
        }]))?;
        list.push(&CrlDistributionPoints(vec![DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![point])),
            reasons: None,
            crl_issuer: None,
        }]))?;
        list.push(&AuthorityInfoAccessSyntax(vec![AccessDescription {
            access_method: rfc5280::ID_AD_OCSP,
            access_location: GeneralName::UniformResourceIdentifier(self.ocsp_url.clone()),
        }]))
    }
}

/// Below the arc that IANA reserves for examples in documents.
fn policy(ca: CardCa) -> ObjectIdentifier {
    match ca {
        CardCa::UserAuthentication => ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.8.5.1"),
        CardCa::DigitalSignature => ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.8.5.2"),
    }
}

/// Extensions in the order they are pushed.
struct ExtensionList<'a> {
    subject: &'a Name,
    extensions: Vec<Extension>,
}

impl<'a> ExtensionList<'a> {
    fn new(tbs: &'a TbsCertificate) -> Self {
        Self { subject: tbs.subject(), extensions: Vec::new() }
    }

    fn push<E: ToExtension<Error = der::Error>>(&mut self, extension: E) -> Result<(), der::Error> {
        self.extensions.push(extension.to_extension(self.subject, &self.extensions)?);
        Ok(())
    }
}
