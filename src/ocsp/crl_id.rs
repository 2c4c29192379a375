//! `CrlID` (RFC 6960 4.4.2): which CRL a status was found on.
//!
//! Called by `snapshot`, which encodes the reference to each CRL once and not with every answer, and by the reader of
//! responses. Invariant: the number holds no sign and no leading zeros, as everywhere else in the house.

use super::parsed::explicit;
use crate::asn1::{self, DerError, Reader, tag, tlv};
use crate::x509::UnixTime;

/// What is said of a CRL: all that is known of it. Where nothing is, there is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrlId<'a> {
    /// Where the CRL is to be had: an IA5String's octets.
    pub url: Option<&'a [u8]>,
    /// Big-endian, without leading zeros.
    pub number: Option<&'a [u8]>,
    /// Its thisUpdate: when it was issued.
    pub time: Option<UnixTime>,
}

impl<'a> CrlId<'a> {
    /// The whole extension, never critical (RFC 6960 4.4): `None` where it would say nothing.
    #[must_use]
    pub fn extension(&self) -> Option<Vec<u8>> {
        let field = |number: u8, inner: &[u8]| tlv(tag::context_constructed(number), inner);
        let url = self.url.map(|url| field(0, &tlv(tag::IA5_STRING, url)));
        let number = self.number.map(|number| field(1, &tlv(tag::INTEGER, &positive(number))));
        let time = self.time.map(|time| field(2, &tlv(tag::GENERALIZED_TIME, &time.to_generalized_time())));
        let content = [url, number, time].into_iter().flatten().collect::<Vec<_>>().concat();
        if content.is_empty() {
            return None;
        }
        let oid = tlv(tag::OBJECT_IDENTIFIER, asn1::OCSP_CRL);
        let value = tlv(tag::OCTET_STRING, &tlv(tag::SEQUENCE, &content));
        Some(tlv(tag::SEQUENCE, &[oid, value].concat()))
    }

    /// From the extension's value.
    ///
    /// # Errors
    /// When it is malformed, or the number is negative.
    pub fn from_der(value: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(value);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let mut found = Self::default();
        if let Some(url) = fields.optional(tag::context_constructed(0))? {
            found.url = Some(explicit(url.content, |inner| inner.expect(tag::IA5_STRING))?.content);
        }
        if let Some(number) = fields.optional(tag::context_constructed(1))? {
            found.number = Some(match explicit(number.content, Reader::integer)? {
                [first, ..] if *first >= 0x80 => return Err(DerError::Value),
                [0, rest @ ..] if !rest.is_empty() => rest,
                all => all,
            });
        }
        if let Some(time) = fields.optional(tag::context_constructed(2))? {
            let time = explicit(time.content, |inner| inner.expect(tag::GENERALIZED_TIME))?;
            found.time = Some(UnixTime::from_element(&time)?);
        }
        fields.finish()?;
        Ok(found)
    }
}

/// The content of an INTEGER that is not negative.
fn positive(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    [sign, number].concat()
}
