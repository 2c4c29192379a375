//! `OCSPResponse` read in place: for the client, and for looking at an answer before it leaves.

use super::cert_id::{CertIdError, CertIdRef};
use super::extensions::MAX_EXTENSIONS;
use super::response::{CertStatus, OcspResponseStatus};
use crate::asn1::{self, DerError, Element, Reader, tag};
use crate::x509::{CrlReason, Extension, ExtensionError, Extensions, Revocation, UnixTime};

/// Why octets are not an OCSPResponse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseResponseError {
    #[error("the response is malformed: {0}")]
    Der(#[from] DerError),
    #[error(transparent)]
    CertId(#[from] CertIdError),
    #[error("the response's status is {0}, which RFC 6960 does not know")]
    Status(u8),
    #[error("the response is of a type other than id-pkix-ocsp-basic")]
    NotBasic,
    #[error("the response says that it succeeded and holds no answer")]
    NoResponseBytes,
    /// RFC 6960 4.4 and RFC 5280 4.2: such a response must not be used.
    #[error("the response has a critical extension that is not understood")]
    UnknownCriticalExtension,
    /// RFC 5280 4.2.
    #[error("the response has an extension twice")]
    DuplicateExtension,
    #[error("the response has too many extensions")]
    TooManyExtensions,
}

impl From<ExtensionError<'_>> for ParseResponseError {
    fn from(error: ExtensionError<'_>) -> Self {
        match error {
            ExtensionError::Der(why) => Self::Der(why),
            ExtensionError::Duplicate { .. } => Self::DuplicateExtension,
            ExtensionError::TooMany => Self::TooManyExtensions,
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
    /// The responder's Name, where it is given so.
    pub responder_name: Option<&'a [u8]>,
    pub produced_at: UnixTime,
    singles: Reader<'a>,
    /// The nonce extension's value.
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
}

impl<'a> ParsedResponse<'a> {
    /// Reads a whole response; nothing may follow it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseResponseError> {
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
        let mut explicit = Reader::new(bytes.content);
        let mut fields = explicit.sequence()?;
        explicit.finish()?;
        if fields.oid()? != asn1::OCSP_BASIC {
            return Err(ParseResponseError::NotBasic);
        }
        let basic = fields.expect(tag::OCTET_STRING)?.content;
        fields.finish()?;
        BasicResponse::parse(basic).map(Self::Basic)
    }
}

impl<'a> BasicResponse<'a> {
    fn parse(octets: &'a [u8]) -> Result<Self, ParseResponseError> {
        let mut outer = Reader::new(octets);
        let mut basic = outer.sequence()?;
        outer.finish()?;
        let data = basic.expect(tag::SEQUENCE)?;
        let signature_algorithm = basic.expect(tag::SEQUENCE)?.raw;
        let signature = basic.bit_string()?;
        let mut certificates = Reader::new(&[]);
        if let Some(explicit) = basic.optional(tag::context_constructed(0))? {
            let mut explicit = Reader::new(explicit.content);
            certificates = explicit.sequence()?;
            explicit.finish()?;
        }
        basic.finish()?;

        let mut fields = Reader::new(data.content);
        if let Some(version) = fields.optional(tag::context_constructed(0))? {
            let mut version = Reader::new(version.content);
            if version.integer()? != [0] {
                return Err(DerError::Value.into());
            }
            version.finish()?;
        }
        let (mut responder_key_hash, mut responder_name) = (None, None);
        if let Some(name) = fields.optional(tag::context_constructed(1))? {
            responder_name = Some(name.content);
        } else {
            let mut explicit = fields.nested(tag::context_constructed(2))?;
            responder_key_hash = Some(explicit.expect(tag::OCTET_STRING)?.content);
            explicit.finish()?;
        }
        let produced_at = time(&fields.expect(tag::GENERALIZED_TIME)?)?;
        let singles = fields.sequence()?;
        let (mut nonce, mut extended_revoke) = (None, false);
        if let Some(explicit) = fields.optional(tag::context_constructed(1))? {
            let mut explicit = Reader::new(explicit.content);
            let list = explicit.sequence()?;
            explicit.finish()?;
            for extension in Extensions::new(list, MAX_EXTENSIONS) {
                let Extension { oid, critical, value } = extension?;
                match oid {
                    asn1::OCSP_NONCE => nonce = Some(value),
                    asn1::OCSP_EXTENDED_REVOKE => extended_revoke = true,
                    _ if critical => return Err(ParseResponseError::UnknownCriticalExtension),
                    _ => {}
                }
            }
        }
        fields.finish()?;
        let mut each = certificates;
        while !each.is_empty() {
            each.expect(tag::SEQUENCE)?;
        }
        let mut each = singles;
        while !each.is_empty() {
            ParsedSingleResponse::read(&mut each)?;
        }
        Ok(Self {
            to_be_signed: data.raw,
            responder_key_hash,
            responder_name,
            produced_at,
            singles,
            nonce,
            extended_revoke,
            signature_algorithm,
            signature,
            certificates,
        })
    }

    /// The single responses in their order.
    pub fn singles(&self) -> impl Iterator<Item = ParsedSingleResponse<'a>> + use<'a> {
        let mut rest = self.singles;
        // `parse` has read each of them once, so none fails now.
        std::iter::from_fn(
            move || if rest.is_empty() { None } else { ParsedSingleResponse::read(&mut rest).ok() },
        )
    }

    /// The DER of each certificate that came with it.
    pub fn certificates(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.certificates;
        std::iter::from_fn(move || rest.element().ok().map(|element| element.raw))
    }
}

impl<'a> ParsedSingleResponse<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, ParseResponseError> {
        let mut fields = list.sequence()?;
        let cert_id = CertIdRef::read(&mut fields)?;
        let status = fields.element()?;
        let this_update = time(&fields.expect(tag::GENERALIZED_TIME)?)?;
        let mut next_update = None;
        if let Some(explicit) = fields.optional(tag::context_constructed(0))? {
            let mut explicit = Reader::new(explicit.content);
            next_update = Some(time(&explicit.expect(tag::GENERALIZED_TIME)?)?);
            explicit.finish()?;
        }
        let mut invalidity = None;
        if let Some(explicit) = fields.optional(tag::context_constructed(1))? {
            invalidity = invalidity_date(explicit.content)?;
        }
        fields.finish()?;
        let status = match status.tag {
            // Both are NULL.
            found if [tag::context(0), tag::context(2)].contains(&found) && !status.content.is_empty() => {
                return Err(DerError::Value.into());
            }
            found if found == tag::context(0) => CertStatus::Good,
            found if found == tag::context(2) => CertStatus::Unknown,
            found if found == tag::context_constructed(1) => {
                CertStatus::Revoked(revoked_info(status.content, invalidity)?)
            }
            found => return Err(DerError::Tag { expected: tag::context(0), found }.into()),
        };
        Ok(Self { cert_id, status, this_update, next_update })
    }
}

fn time(element: &Element<'_>) -> Result<UnixTime, DerError> {
    UnixTime::from_generalized_time(element.content).ok_or(DerError::Value)
}

fn revoked_info(content: &[u8], invalidity: Option<UnixTime>) -> Result<Revocation, DerError> {
    let mut fields = Reader::new(content);
    let revoked_at = time(&fields.expect(tag::GENERALIZED_TIME)?)?;
    let mut reason = None;
    if let Some(explicit) = fields.optional(tag::context_constructed(0))? {
        let mut explicit = Reader::new(explicit.content);
        let &[code] = explicit.expect(tag::ENUMERATED)?.content else { return Err(DerError::Value) };
        explicit.finish()?;
        reason = Some(CrlReason::from_value(code).ok_or(DerError::Value)?);
    }
    fields.finish()?;
    Ok(Revocation { time: revoked_at, reason, invalidity })
}

fn invalidity_date(content: &[u8]) -> Result<Option<UnixTime>, ParseResponseError> {
    let mut explicit = Reader::new(content);
    let list = explicit.sequence()?;
    explicit.finish()?;
    let mut found = None;
    for extension in Extensions::new(list, MAX_EXTENSIONS) {
        let Extension { oid, critical, value } = extension?;
        match oid {
            asn1::INVALIDITY_DATE => {
                let mut value = Reader::new(value);
                found = Some(time(&value.expect(tag::GENERALIZED_TIME)?)?);
                value.finish()?;
            }
            _ if critical => return Err(ParseResponseError::UnknownCriticalExtension),
            _ => {}
        }
    }
    Ok(found)
}
