//! A small PKI for tests: authorities with any kind of key that issue whatever a test asks for.

use super::{CertificateSigner, KeyKind, SignatureOctets, Signer, SoftwareKey};
use crate::x509::{Certificate, PublicKey, UnixTime};
use const_oid::AssociatedOid;
use der::asn1::{Null, ObjectIdentifier};
use der::{Decode, Encode};
use std::str::FromStr;
use std::sync::Arc;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder, Result as BuilderResult};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

/// The middle of what [`Issuance`] issues.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

/// A key of `kind`; where this build cannot make RSA keys, OpenSSL does.
pub(crate) fn key(kind: KeyKind) -> Arc<SoftwareKey> {
    Arc::new(key_and_pem(kind).0)
}

pub(crate) fn key_and_pem(kind: KeyKind) -> (SoftwareKey, String) {
    match SoftwareKey::generate(kind) {
        Ok(made) => made,
        Err(super::KeyError::NeedsAwsLc { .. }) => {
            let bits = if kind == KeyKind::Rsa3072 { "3072" } else { "2048" };
            let option = format!("rsa_keygen_bits:{bits}");
            let pem = openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &option]);
            (SoftwareKey::from_pkcs8_pem(&pem).unwrap(), String::from_utf8(pem).unwrap())
        }
        Err(error) => panic!("{error}"),
    }
}

/// What `openssl` prints.
pub(crate) fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

struct Profile {
    issuer: Name,
    subject: Name,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> BuilderResult<Vec<Extension>> {
        Ok(Vec::new())
    }
}

/// What a certificate is to say; as it comes, a lawful OCSP responder's.
pub(crate) struct Issuance {
    pub subject: &'static str,
    pub serial_number: u64,
    pub not_before: UnixTime,
    pub not_after: UnixTime,
    pub ca: bool,
    pub key_usage: Option<KeyUsages>,
    pub extended_key_usage: Option<ObjectIdentifier>,
    pub nocheck: bool,
    /// Further extensions: identifier and content.
    pub more: Vec<(ObjectIdentifier, Vec<u8>)>,
}

impl Default for Issuance {
    fn default() -> Self {
        Self {
            subject: "CN=OCSP Responder,O=Test,C=XX",
            serial_number: 2,
            not_before: now().plus(-86_400),
            not_after: now().plus(86_400),
            ca: false,
            key_usage: Some(KeyUsages::DigitalSignature),
            extended_key_usage: Some(const_oid::db::rfc5280::ID_KP_OCSP_SIGNING),
            nocheck: true,
            more: Vec::new(),
        }
    }
}

struct Raw(ObjectIdentifier, Vec<u8>);

impl x509_cert::ext::ToExtension for Raw {
    type Error = der::Error;

    fn to_extension(self, _: &Name, _: &[Extension]) -> Result<Extension, der::Error> {
        let extn_value = der::asn1::OctetString::new(self.1)?;
        Ok(Extension { extn_id: self.0, critical: false, extn_value })
    }
}

pub(crate) struct Authority {
    pub key: Arc<SoftwareKey>,
    pub certificate: Certificate,
}

impl Authority {
    /// A self-signed CA.
    pub(crate) fn new(kind: KeyKind, name: &'static str) -> Self {
        let key = key(kind);
        let usage = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
        let mut draft = Issuance { subject: name, serial_number: 1, ca: true, ..Issuance::default() };
        draft.key_usage = None;
        draft.extended_key_usage = None;
        draft.nocheck = false;
        draft.not_after = now().plus(10 * 365 * 86_400);
        draft.more.push((KeyUsage::OID, KeyUsage(usage).to_der().unwrap()));
        let certificate = issue(key.as_ref(), name, key.public_key(), draft);
        Self { key, certificate }
    }

    pub(crate) fn issue(&self, to: &PublicKey, draft: Issuance) -> Certificate {
        let name = Name::from_der(self.certificate.subject()).unwrap().to_string();
        issue(self.key.as_ref(), &name, to, draft)
    }
}

fn issue(signer: &dyn Signer, issuer: &str, to: &PublicKey, draft: Issuance) -> Certificate {
    let time = |time: UnixTime| Time::try_from(time.to_system()).unwrap();
    let profile =
        Profile { issuer: Name::from_str(issuer).unwrap(), subject: Name::from_str(draft.subject).unwrap() };
    let mut builder = CertificateBuilder::new(
        profile,
        SerialNumber::from(draft.serial_number),
        Validity::new(time(draft.not_before), time(draft.not_after)),
        SubjectPublicKeyInfo::from_der(to.spki()).unwrap(),
    )
    .unwrap();
    builder.add_extension(&BasicConstraints { ca: draft.ca, path_len_constraint: None }).unwrap();
    if let Some(usage) = draft.key_usage {
        builder.add_extension(&KeyUsage(usage.into())).unwrap();
    }
    if let Some(purpose) = draft.extended_key_usage {
        builder.add_extension(&ExtendedKeyUsage(vec![purpose])).unwrap();
    }
    if draft.nocheck {
        let null = Null.to_der().unwrap();
        builder.add_extension(Raw(const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK, null)).unwrap();
    }
    for (oid, content) in draft.more {
        builder.add_extension(Raw(oid, content)).unwrap();
    }
    let certificate = builder.build::<_, SignatureOctets>(&CertificateSigner::new(signer)).unwrap();
    Certificate::from_der(&certificate.to_der().unwrap()).unwrap()
}
