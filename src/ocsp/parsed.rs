//! `OCSPResponse` read in place: for the clients (`ocsprey query`, the load generator), and for looking at
//! an answer before it leaves. What it says is believed only when its signature is verified.
//!
//! Invariants: what was read holds nothing that was skipped, and what can be asked of it does not fail.
//! Errors: [`ParseResponseError`].

use super::cert_id::{CertIdError, CertIdRef};
use super::crl_id::CrlId;
use super::extensions::MAX_EXTENSIONS;
use super::response::{CertStatus, OcspResponseStatus};
use crate::asn1::{self, DerError, Reader, tag};
use crate::x509::{CrlReason, Extension, ExtensionError, Extensions, Revocation, UnixTime};
use const_oid::ObjectIdentifier;
use std::fmt;

/// Where in a response something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponsePart {
    OcspResponse,
    BasicOcspResponse,
    ResponseData,
    SingleResponse,
    CertStatus,
    Extensions,
}

impl fmt::Display for ResponsePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OcspResponse => "the OCSPResponse",
            Self::BasicOcspResponse => "the BasicOCSPResponse",
            Self::ResponseData => "the ResponseData",
            Self::SingleResponse => "a SingleResponse",
            Self::CertStatus => "a CertStatus",
            Self::Extensions => "a list of extensions",
        })
    }
}

/// Why octets are not an OCSPResponse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseResponseError {
    #[error("{part} is not DER as RFC 6960 has it: {why}")]
    Der { part: ResponsePart, why: DerError },
    #[error(transparent)]
    CertId(#[from] CertIdError),
    #[error("the response's status is {0}, which RFC 6960 does not know")]
    Status(u8),
    #[error("the response is of a type other than id-pkix-ocsp-basic")]
    NotBasic,
    #[error("the response says that it succeeded and holds no answer")]
    NoResponseBytes,
    /// As people count: the INTEGER and one.
    #[error("the response has version {0}, and only version 1 exists")]
    Version(u16),
    #[error("the response gives the revocation reason {0}, which does not exist")]
    Reason(u8),
    /// RFC 6960 4.4 and RFC 5280 4.2: such a response must not be used.
    #[error("the response has a critical extension that is not understood: {oid}")]
    UnknownCriticalExtension { oid: String },
    /// RFC 5280 4.2.
    #[error("the response has an extension twice")]
    DuplicateExtension,
    #[error("the response has too many extensions")]
    TooManyExtensions,
}

/// What is wrong within a part, before somebody says which part it is.
enum Wrong {
    Der(DerError),
    /// A part of this part has been named already, or it is not about DER.
    Told(ParseResponseError),
}

impl Wrong {
    fn within(part: ResponsePart) -> impl Fn(Self) -> ParseResponseError {
        move |wrong| match wrong {
            Self::Der(why) => ParseResponseError::Der { part, why },
            Self::Told(error) => error,
        }
    }
}

impl From<DerError> for Wrong {
    fn from(why: DerError) -> Self {
        Self::Der(why)
    }
}

impl From<ParseResponseError> for Wrong {
    fn from(error: ParseResponseError) -> Self {
        Self::Told(error)
    }
}

impl From<CertIdError> for Wrong {
    fn from(error: CertIdError) -> Self {
        Self::Told(error.into())
    }
}

impl From<ExtensionError<'_>> for Wrong {
    fn from(error: ExtensionError<'_>) -> Self {
        match error {
            ExtensionError::Der(why) => Self::Der(why),
            ExtensionError::Duplicate { .. } => ParseResponseError::DuplicateExtension.into(),
            ExtensionError::TooMany => ParseResponseError::TooManyExtensions.into(),
        }
    }
}

/// A response: an error status, or a basic response.
#[derive(Debug, Clone, Copy)]
pub enum ParsedResponse<'a> {
    Error(OcspResponseStatus),
    Basic(BasicResponse<'a>),
}

/// `BasicOCSPResponse` (RFC 6960 4.2.1).
#[derive(Debug, Clone, Copy)]
pub struct BasicResponse<'a> {
    /// `tbsResponseData` as it stands: what is signed.
    pub to_be_signed: &'a [u8],
    /// SHA-1 of the responder's key; `None` when the responder is given by name.
    pub responder_key_hash: Option<&'a [u8]>,
    /// The DER of the responder's Name, where it is given so.
    pub responder_name: Option<&'a [u8]>,
    pub produced_at: UnixTime,
    singles: Reader<'a>,
    /// The nonce extension's value; see [`BasicResponse::nonce_octets`].
    pub nonce: Option<&'a [u8]>,
    pub extended_revoke: bool,
    pub signature_algorithm: &'a [u8],
    pub signature: &'a [u8],
    certificates: Reader<'a>,
}

/// One `SingleResponse`.
#[derive(Debug, Clone, Copy)]
pub struct ParsedSingleResponse<'a> {
    pub cert_id: CertIdRef<'a>,
    pub status: CertStatus,
    pub this_update: UnixTime,
    pub next_update: Option<UnixTime>,
    /// The CRL that the status was found on, as the responder says (RFC 6960 4.4.2).
    pub crl: Option<CrlId<'a>>,
}

impl<'a> ParsedResponse<'a> {
    /// Reads a whole response; nothing may follow it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseResponseError> {
        Self::read(octets).map_err(Wrong::within(ResponsePart::OcspResponse))
    }

    fn read(octets: &'a [u8]) -> Result<Self, Wrong> {
        let mut outer = Reader::new(octets);
        let mut response = outer.sequence()?;
        outer.finish()?;
        let &[code] = response.expect(tag::ENUMERATED)?.content else { return Err(DerError::Value.into()) };
        let status = OcspResponseStatus::from_value(code).ok_or(ParseResponseError::Status(code))?;
        let bytes = response.optional(tag::context_constructed(0))?;
        response.finish()?;
        if status != OcspResponseStatus::Successful {
            return Ok(Self::Error(status));
        }
        let bytes = bytes.ok_or(ParseResponseError::NoResponseBytes)?;
        let mut fields = explicit(bytes.content, Reader::sequence)?;
        if fields.oid()? != asn1::OCSP_BASIC {
            return Err(ParseResponseError::NotBasic.into());
        }
        let basic = fields.expect(tag::OCTET_STRING)?.content;
        fields.finish()?;
        Ok(Self::Basic(BasicResponse::read(basic).map_err(Wrong::within(ResponsePart::BasicOcspResponse))?))
    }
}

/// What `tbsResponseData` says.
struct Told<'a> {
    responder_key_hash: Option<&'a [u8]>,
    responder_name: Option<&'a [u8]>,
    produced_at: UnixTime,
    singles: Reader<'a>,
    nonce: Option<&'a [u8]>,
    extended_revoke: bool,
}

impl<'a> BasicResponse<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, Wrong> {
        let mut outer = Reader::new(octets);
        let mut basic = outer.sequence()?;
        outer.finish()?;
        let data = basic.expect(tag::SEQUENCE)?;
        let signature_algorithm = basic.expect(tag::SEQUENCE)?.raw;
        let signature = basic.bit_string()?;
        let certificates = match basic.optional(tag::context_constructed(0))? {
            Some(certificates) => explicit(certificates.content, Reader::sequence)?,
            None => Reader::new(&[]),
        };
        basic.finish()?;
        let mut each = certificates;
        while !each.is_empty() {
            each.expect(tag::SEQUENCE)?;
        }
        let told = Told::read(data.content).map_err(Wrong::within(ResponsePart::ResponseData))?;
        Ok(Self {
            to_be_signed: data.raw,
            responder_key_hash: told.responder_key_hash,
            responder_name: told.responder_name,
            produced_at: told.produced_at,
            singles: told.singles,
            nonce: told.nonce,
            extended_revoke: told.extended_revoke,
            signature_algorithm,
            signature,
            certificates,
        })
    }

    /// The single responses in their order.
    pub fn singles(&self) -> impl Iterator<Item = ParsedSingleResponse<'a>> + use<'a> {
        let mut rest = self.singles;
        // `parse` has read each of them once, so none fails now.
        std::iter::from_fn(move || if rest.is_empty() { None } else { single(&mut rest).ok() })
    }

    /// The DER of each certificate that came with it.
    pub fn certificates(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.certificates;
        std::iter::from_fn(move || rest.element().ok().map(|element| element.raw))
    }

    /// The octets of the nonce: what the inner OCTET STRING holds (RFC 9654 2.1). Some responders leave
    /// it out; the extension's value is the nonce then.
    #[must_use]
    pub fn nonce_octets(&self) -> Option<&'a [u8]> {
        let value = self.nonce?;
        Some(explicit(value, |inner| inner.expect(tag::OCTET_STRING)).map_or(value, |inner| inner.content))
    }
}

impl<'a> Told<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Wrong> {
        let mut fields = Reader::new(content);
        if let Some(version) = fields.optional(tag::context_constructed(0))? {
            // A DEFAULT that is written out: not DER, yet without any doubt version 1.
            match explicit(version.content, Reader::integer)? {
                [0] => {}
                &[version @ 1..=0x7f] => {
                    return Err(ParseResponseError::Version(u16::from(version) + 1).into());
                }
                _ => return Err(DerError::Value.into()),
            }
        }
        let (mut responder_key_hash, mut responder_name) = (None, None);
        if let Some(name) = fields.optional(tag::context_constructed(1))? {
            responder_name = Some(explicit(name.content, |name| name.expect(tag::SEQUENCE))?.raw);
        } else {
            let key = fields.expect(tag::context_constructed(2))?;
            responder_key_hash = Some(explicit(key.content, |key| key.expect(tag::OCTET_STRING))?.content);
        }
        let produced_at = time(&mut fields)?;
        let singles = fields.sequence()?;
        let mut each = singles;
        while !each.is_empty() {
            single(&mut each)?;
        }
        let (mut nonce, mut extended_revoke) = (None, false);
        extensions(&mut fields, |Extension { oid, value, .. }| {
            match oid {
                asn1::OCSP_NONCE => nonce = Some(value),
                asn1::OCSP_EXTENDED_REVOKE => extended_revoke = true,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        fields.finish()?;
        Ok(Self { responder_key_hash, responder_name, produced_at, singles, nonce, extended_revoke })
    }
}

/// The SingleResponse that is next in `list`.
fn single<'a>(list: &mut Reader<'a>) -> Result<ParsedSingleResponse<'a>, ParseResponseError> {
    ParsedSingleResponse::read(list).map_err(Wrong::within(ResponsePart::SingleResponse))
}

impl<'a> ParsedSingleResponse<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, Wrong> {
        let mut fields = list.sequence()?;
        let cert_id = CertIdRef::read(&mut fields)?;
        let mut status = cert_status(&mut fields).map_err(Wrong::within(ResponsePart::CertStatus))?;
        let this_update = time(&mut fields)?;
        let next_update = match fields.optional(tag::context_constructed(0))? {
            Some(next_update) => Some(explicit(next_update.content, time)?),
            None => None,
        };
        let (mut invalidity, mut crl) = (None, None);
        extensions(&mut fields, |Extension { oid, value, .. }| {
            match oid {
                asn1::INVALIDITY_DATE => invalidity = Some(explicit(value, time)?),
                asn1::OCSP_CRL => crl = Some(CrlId::from_der(value)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        fields.finish()?;
        if let CertStatus::Revoked(revocation) = &mut status {
            revocation.invalidity = invalidity;
        }
        Ok(Self { cert_id, status, this_update, next_update, crl })
    }
}

fn cert_status(fields: &mut Reader<'_>) -> Result<CertStatus, Wrong> {
    const GOOD: u8 = tag::context(0);
    const REVOKED: u8 = tag::context_constructed(1);
    const UNKNOWN: u8 = tag::context(2);
    let status = fields.element()?;
    match status.tag {
        // Both are NULL.
        GOOD | UNKNOWN if !status.content.is_empty() => Err(DerError::Value.into()),
        GOOD => Ok(CertStatus::Good),
        UNKNOWN => Ok(CertStatus::Unknown),
        REVOKED => revoked_info(status.content).map(CertStatus::Revoked),
        found => Err(DerError::Tag { expected: GOOD, found }.into()),
    }
}

fn revoked_info(content: &[u8]) -> Result<Revocation, Wrong> {
    let mut fields = Reader::new(content);
    let time = time(&mut fields)?;
    let mut reason = None;
    if let Some(code) = fields.optional(tag::context_constructed(0))? {
        let code = explicit(code.content, |code| code.expect(tag::ENUMERATED))?;
        let &[code] = code.content else { return Err(DerError::Value.into()) };
        reason = Some(CrlReason::from_value(code).ok_or(ParseResponseError::Reason(code))?);
    }
    fields.finish()?;
    Ok(Revocation { time, reason, invalidity: None })
}

/// `[1] EXPLICIT Extensions OPTIONAL`. `understood` says of each whether it is.
fn extensions<'a>(
    fields: &mut Reader<'a>,
    mut understood: impl FnMut(Extension<'a>) -> Result<bool, DerError>,
) -> Result<(), ParseResponseError> {
    let mut walk = || -> Result<(), Wrong> {
        let Some(list) = fields.optional(tag::context_constructed(1))? else { return Ok(()) };
        for extension in Extensions::new(explicit(list.content, Reader::sequence)?, MAX_EXTENSIONS) {
            let extension = extension?;
            if !understood(extension)? && extension.critical {
                return Err(
                    ParseResponseError::UnknownCriticalExtension { oid: oid_text(extension.oid) }.into()
                );
            }
        }
        Ok(())
    };
    walk().map_err(Wrong::within(ResponsePart::Extensions))
}

/// The one thing that `read` takes from `content`; behind it nothing may stand.
pub(super) fn explicit<'a, T>(
    content: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DerError>,
) -> Result<T, DerError> {
    let mut inner = Reader::new(content);
    let found = read(&mut inner)?;
    inner.finish()?;
    Ok(found)
}

fn time(fields: &mut Reader<'_>) -> Result<UnixTime, DerError> {
    UnixTime::from_element(&fields.expect(tag::GENERALIZED_TIME)?)
}

/// In dots; one that is too long for that in hexadecimal.
fn oid_text(oid: &[u8]) -> String {
    ObjectIdentifier::from_bytes(oid)
        .map_or_else(|_| oid.iter().map(|octet| format!("{octet:02x}")).collect(), |oid| oid.to_string())
}
