//! The extensions of a CRL and of its entries (RFC 5280 5.2 and 5.3).

use super::{CrlError, CrlHeader};
use crate::asn1::{self, DerError, Reader, tag};
use crate::x509::{
    CrlReason, DIRECTORY_NAME, Extension, ExtensionError, Extensions, Revocation, UnixTime,
    canonical_general_names, canonical_relative_to_issuer, general_names_text,
};
use const_oid::ObjectIdentifier;

/// Which certificates a CRL speaks of (`onlyContains…` of RFC 5280 5.2.5; at most one may be true).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CertificateKinds {
    All = 0,
    User = 1,
    Ca = 2,
    Attribute = 3,
}

impl CertificateKinds {
    pub const ALL: [Self; 4] = [Self::All, Self::User, Self::Ca, Self::Attribute];

    /// The kinds with this value.
    #[must_use]
    pub fn from_value(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kinds| *kinds as u8 == value)
    }
}

/// `issuingDistributionPoint` (RFC 5280 5.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// The extension's value as it stands.
    pub raw: Vec<u8>,
    /// The distribution point's names in canonical form ([`canonical_general_names`]); empty when the
    /// CRL names none.
    pub distribution_point: Vec<u8>,
    /// The same for people.
    pub text: String,
    pub kinds: CertificateKinds,
    /// `onlySomeReasons`: bit n stands for the reason flag n (RFC 5280 4.2.1.13).
    pub reasons: Option<u16>,
    pub is_indirect: bool,
}

/// The extensions of a CRL that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrlExtensions {
    /// `keyIdentifier` of the authorityKeyIdentifier.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// Big-endian without leading zeros, at most 20 octets.
    pub crl_number: Option<Vec<u8>>,
    /// BaseCRLNumber of a delta CRL, in the same form.
    pub delta_base: Option<Vec<u8>>,
    pub issuing_distribution_point: Option<IssuingDistributionPoint>,
}

/// The most extensions one list may have; RFC 5280 knows nine. They are compared each with each before
/// any signature was verified, so their number may not be a stranger's choice.
pub const MAX_EXTENSIONS: usize = 32;

/// The error for a list near this octet.
fn refused(at: u64) -> impl Fn(ExtensionError<'_>) -> CrlError {
    move |error| match error {
        ExtensionError::Der(why) => CrlError::Malformed { at, why },
        ExtensionError::Duplicate { oid } => CrlError::DuplicateExtension { oid: readable(oid) },
        ExtensionError::TooMany => CrlError::TooManyExtensions,
    }
}

/// For messages; an object identifier too long for the type shows as 0.0.
pub(super) fn readable(oid: &[u8]) -> ObjectIdentifier {
    ObjectIdentifier::from_bytes(oid).unwrap_or(ObjectIdentifier::new_unwrap("0.0"))
}

/// What the extensions of one entry say.
#[derive(Debug, Default)]
pub(super) struct EntryExtensions<'a> {
    pub reason: Option<CrlReason>,
    pub invalidity: Option<UnixTime>,
    pub certificate_issuer: Option<&'a [u8]>,
}

impl<'a> EntryExtensions<'a> {
    pub fn parse(content: &'a [u8], entry: u64, at: u64) -> Result<Self, CrlError> {
        // A reasonCode and nothing else, not critical: what nearly every entry of every CRL has. The general
        // way below reads the same octets to the same result, at many times the cost.
        if let [0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, code] = *content {
            let reason = CrlReason::from_value(code).ok_or(CrlError::Reason { entry, value: code })?;
            return Ok(Self { reason: Some(reason), ..Self::default() });
        }
        let mut found = Self::default();
        for extension in Extensions::new(Reader::new(content), MAX_EXTENSIONS) {
            let Extension { oid, critical, value } = extension.map_err(refused(at))?;
            match oid {
                asn1::REASON_CODE => found.reason = Some(reason_code(value, entry)?),
                asn1::INVALIDITY_DATE => found.invalidity = Some(invalidity_date(value)?),
                asn1::CERTIFICATE_ISSUER => {
                    found.certificate_issuer = Some(certificate_issuer(value, entry)?);
                }
                _ if critical => {
                    return Err(CrlError::UnknownCriticalEntryExtension { entry, oid: readable(oid) });
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The revocation this entry states.
    pub fn revocation(&self, time: UnixTime) -> Revocation {
        // RFC 5280 5.3.1: `unspecified` should be expressed by leaving the reason out.
        let reason = self.reason.filter(|&reason| reason != CrlReason::Unspecified);
        Revocation { time, reason, invalidity: self.invalidity }
    }
}

fn reason_code(value: &[u8], entry: u64) -> Result<CrlReason, CrlError> {
    let malformed = |_| CrlError::Extension { name: "reasonCode" };
    let mut reader = Reader::new(value);
    let content = reader.expect(tag::ENUMERATED).map_err(malformed)?.content;
    reader.finish().map_err(malformed)?;
    let &[code] = content else { return Err(CrlError::Extension { name: "reasonCode" }) };
    CrlReason::from_value(code).ok_or(CrlError::Reason { entry, value: code })
}

fn invalidity_date(value: &[u8]) -> Result<UnixTime, CrlError> {
    let malformed = || CrlError::Extension { name: "invalidityDate" };
    let mut reader = Reader::new(value);
    let content = reader.expect(tag::GENERALIZED_TIME).map_err(|_| malformed())?.content;
    reader.finish().map_err(|_| malformed())?;
    UnixTime::from_generalized_time(content).ok_or_else(malformed)
}

/// The Name in a certificateIssuer. GeneralNames may hold names of every form, but RFC 5280 5.3.3 has the
/// "distinguished name from the issuer field of the certificate" in it, so one directoryName it is: of two
/// nobody could say which one is meant.
fn certificate_issuer(value: &[u8], entry: u64) -> Result<&[u8], CrlError> {
    let malformed = |_| CrlError::Extension { name: "certificateIssuer" };
    let mut reader = Reader::new(value);
    let mut names = reader.sequence().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    let name = names.element().map_err(malformed)?;
    if name.tag != DIRECTORY_NAME || !names.is_empty() {
        return Err(CrlError::CertificateIssuerName { entry });
    }
    Ok(name.content)
}

impl CrlExtensions {
    /// From the content of `crlExtensions`' SEQUENCE.
    pub(super) fn parse(content: &[u8], header: &CrlHeader, at: u64) -> Result<Self, CrlError> {
        let mut found = Self::default();
        for extension in Extensions::new(Reader::new(content), MAX_EXTENSIONS) {
            let Extension { oid, critical, value } = extension.map_err(refused(at))?;
            match oid {
                asn1::AUTHORITY_KEY_IDENTIFIER => found.authority_key_identifier = key_identifier(value)?,
                asn1::CRL_NUMBER => found.crl_number = Some(number(value, "cRLNumber")?),
                asn1::DELTA_CRL_INDICATOR => found.delta_base = Some(number(value, "deltaCRLIndicator")?),
                asn1::ISSUING_DISTRIBUTION_POINT => {
                    found.issuing_distribution_point =
                        Some(IssuingDistributionPoint::from_der(value, &header.issuer)?);
                }
                _ if critical => return Err(CrlError::UnknownCriticalExtension { oid: readable(oid) }),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn key_identifier(value: &[u8]) -> Result<Option<Vec<u8>>, CrlError> {
    let malformed = |_| CrlError::Extension { name: "authorityKeyIdentifier" };
    let mut reader = Reader::new(value);
    let mut fields = reader.sequence().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    let key = fields.optional(tag::context(0)).map_err(malformed)?;
    Ok(key.map(|element| element.content.to_vec()))
}

/// A CRL number in its shortest unsigned form: at most 20 octets, not negative (RFC 5280 5.2.3).
fn number(value: &[u8], name: &'static str) -> Result<Vec<u8>, CrlError> {
    let malformed = |_| CrlError::Extension { name };
    let mut reader = Reader::new(value);
    let content = reader.integer().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    let digits = match content {
        [first, ..] if *first >= 0x80 => return Err(CrlError::Number),
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    if digits.len() > 20 { Err(CrlError::Number) } else { Ok(digits.to_vec()) }
}

impl IssuingDistributionPoint {
    /// From the extension's value. `issuer` is the CRL issuer's Name: a distribution point may be given relative to it.
    ///
    /// # Errors
    /// When it is malformed, empty, or contradicts itself.
    pub fn from_der(value: &[u8], issuer: &[u8]) -> Result<Self, CrlError> {
        let malformed = |_: DerError| CrlError::Extension { name: "issuingDistributionPoint" };
        let mut reader = Reader::new(value);
        let mut fields = reader.sequence().map_err(malformed)?;
        reader.finish().map_err(malformed)?;
        if fields.is_empty() {
            return Err(CrlError::EmptyDistributionPoint);
        }
        let (mut distribution_point, mut text) = (Vec::new(), String::new());
        if let Some(point) = fields.optional(tag::context_constructed(0)).map_err(malformed)? {
            let mut choice = Reader::new(point.content);
            let name = choice.element().map_err(malformed)?;
            choice.finish().map_err(malformed)?;
            (distribution_point, text) = match name.tag {
                FULL_NAME => (
                    canonical_general_names(name.content).map_err(malformed)?,
                    general_names_text(name.content),
                ),
                RELATIVE => (
                    canonical_relative_to_issuer(issuer, name.content).map_err(malformed)?,
                    "(a name relative to the CRL issuer)".to_owned(),
                ),
                _ => return Err(CrlError::Extension { name: "issuingDistributionPoint" }),
            };
            if distribution_point.is_empty() {
                return Err(CrlError::Extension { name: "issuingDistributionPoint" });
            }
        }
        let user = flag(&mut fields, 1)?;
        let ca = flag(&mut fields, 2)?;
        let reasons = match fields.optional(tag::context(3)).map_err(malformed)? {
            Some(flags) => Some(reason_flags(flags.content)?),
            None => None,
        };
        let is_indirect = flag(&mut fields, 4)?;
        let attribute = flag(&mut fields, 5)?;
        fields.finish().map_err(malformed)?;
        let kinds = match (user, ca, attribute) {
            (false, false, false) => CertificateKinds::All,
            (true, false, false) => CertificateKinds::User,
            (false, true, false) => CertificateKinds::Ca,
            (false, false, true) => CertificateKinds::Attribute,
            _ => return Err(CrlError::ConflictingKinds),
        };
        Ok(Self { raw: value.to_vec(), distribution_point, text, kinds, reasons, is_indirect })
    }
}

/// The two forms of a DistributionPointName (RFC 5280 4.2.1.13).
const FULL_NAME: u8 = tag::context_constructed(0);
const RELATIVE: u8 = tag::context_constructed(1);

fn flag(fields: &mut Reader<'_>, number: u8) -> Result<bool, CrlError> {
    let malformed = |_: DerError| CrlError::Extension { name: "issuingDistributionPoint" };
    match fields.optional(tag::context(number)).map_err(malformed)?.map(|element| element.content) {
        None | Some([0x00]) => Ok(false),
        Some([0xff]) => Ok(true),
        Some(_) => Err(malformed(DerError::Value)),
    }
}

fn reason_flags(content: &[u8]) -> Result<u16, CrlError> {
    let malformed = || CrlError::Extension { name: "issuingDistributionPoint" };
    let (unused, octets) = content.split_first().ok_or_else(malformed)?;
    if *unused > 7 || octets.is_empty() || octets.len() > 2 {
        return Err(malformed());
    }
    // Bit 0 of a BIT STRING is the highest bit of its first octet (X.690 8.6.2).
    let mut flags = 0;
    for (index, octet) in octets.iter().enumerate() {
        flags |= u16::from(octet.reverse_bits()) << (8 * index);
    }
    Ok(flags)
}
