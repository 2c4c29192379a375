//! An OCSP response, read (RFC 6960 4.2.1). What it says is believed only after [`super::verify`].
//!
//! Called by `query` alone. Borrows everything; every failure is an [`AnswerError`].

use super::error::AnswerError;
use crate::asn1::{self, DerError, Reader, tag};
use crate::x509::{CrlReason, Revocation, UnixTime};
use const_oid::ObjectIdentifier;

/// A successful response that nobody has verified yet.
#[derive(Debug)]
pub(super) struct BasicResponse<'a> {
    /// `tbsResponseData`, as it was signed.
    pub(super) tbs: &'a [u8],
    pub(super) responder: ResponderId<'a>,
    pub(super) produced_at: UnixTime,
    pub(super) responses: Vec<SingleResponse<'a>>,
    pub(super) extensions: Extensions<'a>,
    /// The raw AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// DER each.
    pub(super) certificates: Vec<&'a [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponderId<'a> {
    /// A Name's DER.
    ByName(&'a [u8]),
    /// SHA-1 of the public key's bits.
    ByKey(&'a [u8]),
}

#[derive(Debug)]
pub(super) struct SingleResponse<'a> {
    pub(super) hash_oid: &'a [u8],
    pub(super) name_hash: &'a [u8],
    pub(super) key_hash: &'a [u8],
    /// The INTEGER's content.
    pub(super) serial: &'a [u8],
    pub(super) status: CertStatus,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertStatus {
    Good,
    Revoked(Revocation),
    Unknown,
}

/// What is understood of extensions.
#[derive(Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) nonce: Option<&'a [u8]>,
    /// RFC 6960 4.4.8.
    pub(super) extended_revoke: bool,
    pub(super) invalidity: Option<UnixTime>,
}

fn der(what: &'static str) -> impl Fn(DerError) -> AnswerError {
    move |source| AnswerError::Der { what, source }
}

/// Reads a whole `OCSPResponse`.
pub(super) fn parse(octets: &[u8]) -> Result<BasicResponse<'_>, AnswerError> {
    let wrong = der("the OCSPResponse");
    let mut outer = Reader::new(octets);
    let mut response = outer.sequence().map_err(&wrong)?;
    outer.finish().map_err(&wrong)?;
    let status = match response.expect(tag::ENUMERATED).map_err(&wrong)?.content {
        [status] => *status,
        _ => return Err(wrong(DerError::Value)),
    };
    if status != 0 {
        return Err(AnswerError::Status(status));
    }
    let bytes = response.optional(tag::context_constructed(0)).map_err(&wrong)?;
    response.finish().map_err(&wrong)?;
    let mut explicit = Reader::new(bytes.ok_or(AnswerError::NotBasic)?.content);
    let mut bytes = explicit.sequence().map_err(&wrong)?;
    explicit.finish().map_err(&wrong)?;
    if bytes.oid().map_err(&wrong)? != asn1::OCSP_BASIC {
        return Err(AnswerError::NotBasic);
    }
    let basic = bytes.expect(tag::OCTET_STRING).map_err(&wrong)?.content;
    bytes.finish().map_err(&wrong)?;
    basic_response(basic)
}

fn basic_response(octets: &[u8]) -> Result<BasicResponse<'_>, AnswerError> {
    let wrong = der("the BasicOCSPResponse");
    let mut outer = Reader::new(octets);
    let mut basic = outer.sequence().map_err(&wrong)?;
    outer.finish().map_err(&wrong)?;
    let tbs = basic.expect(tag::SEQUENCE).map_err(&wrong)?;
    let algorithm = basic.expect(tag::SEQUENCE).map_err(&wrong)?.raw;
    let signature = basic.bit_string().map_err(&wrong)?;
    let mut certificates = Vec::new();
    if let Some(explicit) = basic.optional(tag::context_constructed(0)).map_err(&wrong)? {
        let mut explicit = Reader::new(explicit.content);
        let mut list = explicit.sequence().map_err(&wrong)?;
        explicit.finish().map_err(&wrong)?;
        while !list.is_empty() {
            certificates.push(list.expect(tag::SEQUENCE).map_err(&wrong)?.raw);
        }
    }
    basic.finish().map_err(&wrong)?;

    let wrong = der("the ResponseData");
    let mut data = Reader::new(tbs.content);
    if let Some(version) = data.optional(tag::context_constructed(0)).map_err(&wrong)? {
        match Reader::new(version.content).integer().map_err(&wrong)? {
            // A DEFAULT that is written out: not DER, yet without any doubt version 1.
            [0] => {}
            [version, ..] => return Err(AnswerError::Version(version.saturating_add(1))),
            [] => return Err(wrong(DerError::Value)),
        }
    }
    let responder = responder_id(&mut data).map_err(&wrong)?;
    let produced_at = generalized_time(&mut data).map_err(&wrong)?;
    let mut list = data.sequence().map_err(&wrong)?;
    let mut responses = Vec::new();
    while !list.is_empty() {
        responses.push(single_response(list.sequence().map_err(&wrong)?)?);
    }
    let extensions = extensions(&mut data, 1)?;
    data.finish().map_err(&wrong)?;
    Ok(BasicResponse {
        tbs: tbs.raw,
        responder,
        produced_at,
        responses,
        extensions,
        algorithm,
        signature,
        certificates,
    })
}

fn responder_id<'a>(data: &mut Reader<'a>) -> Result<ResponderId<'a>, DerError> {
    if let Some(name) = data.optional(tag::context_constructed(1))? {
        let mut name = Reader::new(name.content);
        let raw = name.expect(tag::SEQUENCE)?.raw;
        name.finish()?;
        return Ok(ResponderId::ByName(raw));
    }
    let mut key = data.nested(tag::context_constructed(2))?;
    let hash = key.expect(tag::OCTET_STRING)?.content;
    key.finish()?;
    Ok(ResponderId::ByKey(hash))
}

fn single_response(mut single: Reader<'_>) -> Result<SingleResponse<'_>, AnswerError> {
    let wrong = der("a SingleResponse");
    let mut cert_id = single.sequence().map_err(&wrong)?;
    let hash_oid = cert_id.sequence().and_then(|mut algorithm| algorithm.oid()).map_err(&wrong)?;
    let name_hash = cert_id.expect(tag::OCTET_STRING).map_err(&wrong)?.content;
    let key_hash = cert_id.expect(tag::OCTET_STRING).map_err(&wrong)?.content;
    let serial = cert_id.integer().map_err(&wrong)?;
    cert_id.finish().map_err(&wrong)?;
    let mut status = cert_status(&mut single)?;
    let this_update = generalized_time(&mut single).map_err(&wrong)?;
    let next_update = match single.optional(tag::context_constructed(0)).map_err(&wrong)? {
        None => None,
        Some(explicit) => Some(generalized_time(&mut Reader::new(explicit.content)).map_err(&wrong)?),
    };
    let extensions = extensions(&mut single, 1)?;
    single.finish().map_err(&wrong)?;
    if let CertStatus::Revoked(revocation) = &mut status {
        revocation.invalidity = extensions.invalidity;
    }
    Ok(SingleResponse { hash_oid, name_hash, key_hash, serial, status, this_update, next_update })
}

fn cert_status(single: &mut Reader<'_>) -> Result<CertStatus, AnswerError> {
    const GOOD: u8 = tag::context(0);
    const REVOKED: u8 = tag::context_constructed(1);
    const UNKNOWN: u8 = tag::context(2);
    let wrong = der("a CertStatus");
    let element = single.element().map_err(&wrong)?;
    match element.tag {
        GOOD | UNKNOWN if !element.content.is_empty() => Err(wrong(DerError::Value)),
        GOOD => Ok(CertStatus::Good),
        UNKNOWN => Ok(CertStatus::Unknown),
        REVOKED => {
            let mut info = Reader::new(element.content);
            let time = generalized_time(&mut info).map_err(&wrong)?;
            let mut reason = None;
            if let Some(explicit) = info.optional(tag::context_constructed(0)).map_err(&wrong)? {
                let mut explicit = Reader::new(explicit.content);
                let [value] = *explicit.expect(tag::ENUMERATED).map_err(&wrong)?.content else {
                    return Err(wrong(DerError::Value));
                };
                reason = Some(CrlReason::from_value(value).ok_or(AnswerError::Reason(value))?);
            }
            info.finish().map_err(&wrong)?;
            Ok(CertStatus::Revoked(Revocation { time, reason, invalidity: None }))
        }
        found => Err(wrong(DerError::Tag { expected: GOOD, found })),
    }
}

/// `[number] EXPLICIT Extensions OPTIONAL`
fn extensions<'a>(within: &mut Reader<'a>, number: u8) -> Result<Extensions<'a>, AnswerError> {
    let wrong = der("the extensions");
    let mut found = Extensions::default();
    let Some(explicit) = within.optional(tag::context_constructed(number)).map_err(&wrong)? else {
        return Ok(found);
    };
    let mut list = Reader::new(explicit.content).sequence().map_err(&wrong)?;
    while !list.is_empty() {
        let mut extension = list.sequence().map_err(&wrong)?;
        let oid = extension.oid().map_err(&wrong)?;
        let critical = match extension.peek() {
            Some(tag::BOOLEAN) => extension.boolean().map_err(&wrong)?,
            _ => false,
        };
        let value = extension.expect(tag::OCTET_STRING).map_err(&wrong)?.content;
        extension.finish().map_err(&wrong)?;
        match oid {
            // Some responders leave the inner OCTET STRING out; what counts is that the octets are ours.
            asn1::OCSP_NONCE => {
                let inner = Reader::new(value).expect(tag::OCTET_STRING);
                found.nonce = Some(inner.map_or(value, |nonce| nonce.content));
            }
            asn1::OCSP_EXTENDED_REVOKE => found.extended_revoke = true,
            asn1::INVALIDITY_DATE => {
                found.invalidity = Some(generalized_time(&mut Reader::new(value)).map_err(&wrong)?);
            }
            unknown if critical => {
                let text = ObjectIdentifier::from_bytes(unknown)
                    .map_or_else(|_| super::super::words::hex(unknown), |oid| oid.to_string());
                return Err(AnswerError::CriticalExtension(text));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn generalized_time(reader: &mut Reader<'_>) -> Result<UnixTime, DerError> {
    let element = reader.expect(tag::GENERALIZED_TIME)?;
    UnixTime::from_element(&element)
}
