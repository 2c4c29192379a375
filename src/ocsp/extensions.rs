//! Extensions of requests: the nonce (RFC 9654), and the rule for those that are not understood.

use super::request::RequestError;
use crate::asn1::{self, DerError, Reader, tag};
use crate::x509::{Extension, ExtensionError, Extensions};

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
    pub nonce_is_critical: bool,
    /// The content of PreferredSignatureAlgorithms (RFC 6960 4.4.7.1).
    pub preferred_algorithms: Option<&'a [u8]>,
}

/// Extensions in one list; the standards know five.
pub(super) const MAX_EXTENSIONS: usize = 16;

/// The extensions of a list, which holds one at least: `Extensions ::= SEQUENCE SIZE (1..MAX)`.
fn walk(list: Reader<'_>) -> Result<impl Iterator<Item = Result<Extension<'_>, RequestError>>, RequestError> {
    if list.is_empty() {
        return Err(DerError::Value.into());
    }
    Ok(Extensions::new(list, MAX_EXTENSIONS).map(|extension| extension.map_err(RequestError::from)))
}

impl From<ExtensionError<'_>> for RequestError {
    fn from(error: ExtensionError<'_>) -> Self {
        match error {
            ExtensionError::Der(why) => Self::Der(why),
            ExtensionError::Duplicate { .. } => Self::DuplicateExtension,
            ExtensionError::TooMany => Self::TooManyExtensions,
        }
    }
}

impl<'a> RequestExtensions<'a> {
    /// From the content of `requestExtensions`.
    pub fn parse(list: Reader<'a>) -> Result<Self, RequestError> {
        let mut found = Self::default();
        for extension in walk(list)? {
            let Extension { oid, critical, value } = extension?;
            match oid {
                asn1::OCSP_NONCE => {
                    found.nonce = Some(nonce(value)?);
                    found.nonce_is_critical = critical;
                }
                asn1::OCSP_RESPONSE => acceptable_responses(value)?,
                asn1::OCSP_PREF_SIG_ALGS => found.preferred_algorithms = Some(preferred_algorithms(value)?),
                _ if critical => return Err(RequestError::UnknownCriticalExtension),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The singleRequestExtensions of one CertID: only the rule for critical ones matters, because a
/// service locator is for responders that forward (RFC 6960 4.4.6), and this one does not.
pub(super) fn check_single_extensions(list: Reader<'_>) -> Result<(), RequestError> {
    for extension in walk(list)? {
        let Extension { oid, critical, .. } = extension?;
        if critical && oid != asn1::OCSP_SERVICE_LOCATOR {
            return Err(RequestError::UnknownCriticalExtension);
        }
    }
    Ok(())
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
