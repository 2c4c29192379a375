//! A CRL for tests, every part of it as raw DER, so that each can be wrong on its own.

pub(crate) use crate::asn1::tlv;
use crate::asn1::{self, tag};
use crate::x509::{CrlReason, SerialNumber};

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag::SEQUENCE, &parts.concat())
}

pub(crate) fn integer(content: &[u8]) -> Vec<u8> {
    tlv(tag::INTEGER, content)
}

pub(crate) fn utc(text: &str) -> Vec<u8> {
    tlv(tag::UTC_TIME, text.as_bytes())
}

pub(crate) fn generalized(text: &str) -> Vec<u8> {
    tlv(tag::GENERALIZED_TIME, text.as_bytes())
}

/// A Name of one CN.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let attribute =
        sequence(&[tlv(tag::OBJECT_IDENTIFIER, &[0x55, 4, 3]), tlv(tag::UTF8_STRING, text.as_bytes())]);
    sequence(&[tlv(tag::SET, &attribute)])
}

/// An Extension.
pub(crate) fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { tlv(tag::BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[tlv(tag::OBJECT_IDENTIFIER, oid), critical, tlv(tag::OCTET_STRING, value)])
}

/// An object identifier that nobody knows, of the arc for examples: 1.3.6.1.4.1.32473.`number`.
pub(crate) fn unknown_oid(number: u8) -> Vec<u8> {
    assert!(number < 0x80);
    vec![0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, number]
}

pub(crate) fn reason(reason: CrlReason) -> Vec<u8> {
    extension(asn1::REASON_CODE, false, &tlv(tag::ENUMERATED, &[reason.value()]))
}

pub(crate) fn invalidity(text: &str) -> Vec<u8> {
    extension(asn1::INVALIDITY_DATE, false, &generalized(text))
}

/// certificateIssuer with one directoryName.
pub(crate) fn certificate_issuer(text: &str) -> Vec<u8> {
    let names = sequence(&[tlv(tag::context_constructed(4), &name(text))]);
    extension(asn1::CERTIFICATE_ISSUER, true, &names)
}

pub(crate) fn crl_number(content: &[u8]) -> Vec<u8> {
    extension(asn1::CRL_NUMBER, false, &integer(content))
}

pub(crate) fn delta_indicator(content: &[u8]) -> Vec<u8> {
    extension(asn1::DELTA_CRL_INDICATOR, true, &integer(content))
}

pub(crate) fn key_identifier(octets: &[u8]) -> Vec<u8> {
    let value = sequence(&[tlv(tag::context(0), octets)]);
    extension(asn1::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

/// issuingDistributionPoint with these fields.
pub(crate) fn idp(fields: &[Vec<u8>]) -> Vec<u8> {
    extension(asn1::ISSUING_DISTRIBUTION_POINT, true, &sequence(fields))
}

/// The IDP field distributionPoint with a fullName of one URI.
pub(crate) fn idp_uri(uri: &str) -> Vec<u8> {
    let full_name = tlv(tag::context_constructed(0), &tlv(tag::context(6), uri.as_bytes()));
    tlv(tag::context_constructed(0), &full_name)
}

/// One of the IDP's BOOLEANs: 1 user, 2 CA, 4 indirect, 5 attribute certificates.
pub(crate) fn idp_flag(number: u8) -> Vec<u8> {
    tlv(tag::context(number), &[0xff])
}

/// An entry; without crlEntryExtensions if there are none.
pub(crate) fn entry(serial: SerialNumber, time: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if extensions.is_empty() { Vec::new() } else { sequence(extensions) };
    sequence(&[integer(serial.as_bytes()), time.to_vec(), extensions])
}

/// An entry like most: a serial and a reason.
pub(crate) fn revoked(serial: u64, why: CrlReason) -> Vec<u8> {
    entry(SerialNumber::from(serial), &utc("261101120000Z"), &[reason(why)])
}

/// ecdsa-with-SHA256.
pub(crate) fn ecdsa() -> Vec<u8> {
    sequence(&[tlv(tag::OBJECT_IDENTIFIER, asn1::ECDSA_WITH_SHA256)])
}

/// The parts of a CertificateList, each as its DER. As it comes, a lawful CRL without entries.
#[derive(Debug, Clone)]
pub(crate) struct TestCrl {
    /// The content of the version's INTEGER; `None`: version 1.
    pub version: Option<Vec<u8>>,
    /// The AlgorithmIdentifier in the signed part.
    pub algorithm: Vec<u8>,
    /// The one outside; `None`: the same.
    pub outer_algorithm: Option<Vec<u8>>,
    pub issuer: Vec<u8>,
    pub this_update: Vec<u8>,
    pub next_update: Vec<u8>,
    /// `None`: no revokedCertificates at all.
    pub entries: Option<Vec<Vec<u8>>>,
    /// `None`: no crlExtensions at all.
    pub extensions: Option<Vec<Vec<u8>>>,
    /// Stands at the end of the signed part.
    pub at_the_end: Vec<u8>,
    /// Stands behind the signature, inside the CertificateList.
    pub behind_the_signature: Vec<u8>,
}

impl TestCrl {
    pub(crate) fn new() -> Self {
        Self {
            version: Some(vec![1]),
            algorithm: ecdsa(),
            outer_algorithm: None,
            issuer: name("Test CA"),
            this_update: utc("261122000000Z"),
            next_update: utc("261129000000Z"),
            entries: None,
            extensions: Some(vec![crl_number(&[7])]),
            at_the_end: Vec::new(),
            behind_the_signature: Vec::new(),
        }
    }

    /// tbsCertList.
    pub(crate) fn tbs(&self) -> Vec<u8> {
        let extensions =
            self.extensions.as_ref().map(|list| tlv(tag::context_constructed(0), &sequence(list)));
        sequence(&[
            self.version.as_ref().map(|content| integer(content)).unwrap_or_default(),
            self.algorithm.clone(),
            self.issuer.clone(),
            self.this_update.clone(),
            self.next_update.clone(),
            self.entries.as_ref().map(|entries| sequence(entries)).unwrap_or_default(),
            extensions.unwrap_or_default(),
            self.at_the_end.clone(),
        ])
    }

    /// The CRL with the signature that `sign` makes of tbsCertList.
    pub(crate) fn signed(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let tbs = self.tbs();
        let bits = [vec![0], sign(&tbs)].concat();
        sequence(&[
            tbs,
            self.outer_algorithm.clone().unwrap_or_else(|| self.algorithm.clone()),
            tlv(tag::BIT_STRING, &bits),
            self.behind_the_signature.clone(),
        ])
    }

    /// The CRL with a signature of some octets, for tests that do not verify it.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.signed(|_| b"signature".to_vec())
    }
}
