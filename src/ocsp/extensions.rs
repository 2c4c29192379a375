//! Extensions of requests: the nonce (RFC 9654), and the rule for those that are not understood.

use super::request::RequestError;
use crate::asn1::{self, DerError, Reader, tag};

/// The longest nonce that is accepted, counted inside the inner OCTET STRING (RFC 9654 2.1).
pub const MAX_NONCE_OCTETS: usize = 128;

/// A nonce as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceRef<'a> {
    /// The extension's value: the DER of the inner OCTET STRING. Repeated as it stands.
    pub value: &'a [u8],
}

/// What the requestExtensions say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestExtensions<'a> {
    pub nonce: Option<NonceRef<'a>>,
    /// The content of PreferredSignatureAlgorithms (RFC 6960 4.4.7.1).
    pub preferred_algorithms: Option<&'a [u8]>,
}

/// One extension: object identifier, criticality, value.
fn read<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], bool, &'a [u8]), DerError> {
    let mut fields = reader.sequence()?;
    let oid = fields.oid()?;
    let critical = if fields.peek() == Some(tag::BOOLEAN) { fields.boolean()? } else { false };
    let value = fields.expect(tag::OCTET_STRING)?.content;
    fields.finish()?;
    Ok((oid, critical, value))
}

/// Calls `each` for every extension of a list, having refused one that stands twice (RFC 5280 4.2).
fn walk<'a>(
    list: Reader<'a>,
    mut each: impl FnMut(&'a [u8], bool, &'a [u8]) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    if list.is_empty() {
        // Extensions ::= SEQUENCE SIZE (1..MAX)
        return Err(DerError::Value.into());
    }
    let mut rest = list;
    let mut count = 0usize;
    while !rest.is_empty() {
        let (oid, critical, value) = read(&mut rest)?;
        let mut earlier = list;
        for _ in 0..count {
            if read(&mut earlier)?.0 == oid {
                return Err(RequestError::DuplicateExtension);
            }
        }
        count += 1;
        // Looking back costs the square of the count, and strangers choose the count.
        if count > MAX_EXTENSIONS {
            return Err(RequestError::TooManyExtensions);
        }
        each(oid, critical, value)?;
    }
    Ok(())
}

/// Extensions in one list; the standards know five.
const MAX_EXTENSIONS: usize = 16;

impl<'a> RequestExtensions<'a> {
    /// From the content of `requestExtensions`.
    pub fn parse(list: Reader<'a>) -> Result<Self, RequestError> {
        let mut found = Self::default();
        walk(list, |oid, critical, value| match oid {
            asn1::OCSP_NONCE => {
                found.nonce = Some(nonce(value)?);
                Ok(())
            }
            asn1::OCSP_RESPONSE => acceptable_responses(value),
            asn1::OCSP_PREF_SIG_ALGS => {
                found.preferred_algorithms = Some(preferred_algorithms(value)?);
                Ok(())
            }
            _ if critical => Err(RequestError::UnknownCriticalExtension),
            _ => Ok(()),
        })?;
        Ok(found)
    }
}

/// The singleRequestExtensions of one CertID: only the rule for critical ones matters, because a
/// service locator is for responders that forward (RFC 6960 4.4.6), and this one does not.
pub(super) fn check_single_extensions(list: Reader<'_>) -> Result<(), RequestError> {
    walk(list, |oid, critical, _| match oid {
        asn1::OCSP_SERVICE_LOCATOR => Ok(()),
        _ if critical => Err(RequestError::UnknownCriticalExtension),
        _ => Ok(()),
    })
}

fn nonce(value: &[u8]) -> Result<NonceRef<'_>, RequestError> {
    let mut reader = Reader::new(value);
    // Old clients send the raw octets without the inner OCTET STRING. They cannot be told from
    // something malformed, so they are refused (conformance C7).
    let inner = reader.expect(tag::OCTET_STRING).map_err(|_| RequestError::Nonce)?;
    reader.finish().map_err(|_| RequestError::Nonce)?;
    if inner.content.is_empty() || inner.content.len() > MAX_NONCE_OCTETS {
        return Err(RequestError::Nonce);
    }
    Ok(NonceRef { value })
}

/// RFC 6960 4.4.3: a client that does not accept a basic response cannot be answered.
fn acceptable_responses(value: &[u8]) -> Result<(), RequestError> {
    let mut reader = Reader::new(value);
    let mut list = reader.sequence()?;
    reader.finish()?;
    let mut accepts_basic = false;
    while !list.is_empty() {
        accepts_basic |= list.oid()? == asn1::OCSP_BASIC;
    }
    if accepts_basic { Ok(()) } else { Err(RequestError::BasicNotAcceptable) }
}

fn preferred_algorithms(value: &[u8]) -> Result<&[u8], RequestError> {
    let mut reader = Reader::new(value);
    let list = reader.sequence()?;
    reader.finish()?;
    let mut each = list;
    while !each.is_empty() {
        each.sequence()?.sequence()?;
    }
    Ok(list.rest())
}
