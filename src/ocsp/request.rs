//! `OCSPRequest` (RFC 6960 4.1.1), read in place: nothing is copied or allocated.

use super::cert_id::{CertIdError, CertIdRef};
use super::extensions::{NonceRef, RequestExtensions, check_single_extensions};
use crate::asn1::{DerError, Reader, tag};

/// Certificates that one request may ask about. 8 KiB hold about 120 of them.
pub const MAX_CERT_IDS: usize = 100;

/// A request that was read to its last octet.
#[derive(Debug, Clone, Copy)]
pub struct OcspRequest<'a> {
    /// The content of requestList, checked.
    list: Reader<'a>,
    count: usize,
    pub nonce: Option<NonceRef<'a>>,
    /// Whether the client has no use for an answer that leaves its nonce out.
    pub nonce_is_critical: bool,
    /// The content of PreferredSignatureAlgorithms (RFC 6960 4.4.7.1).
    pub preferred_algorithms: Option<&'a [u8]>,
    /// The tbsRequest as it stands, and the content of optionalSignature and of requestorName, unread.
    tbs: &'a [u8],
    signature: Option<&'a [u8]>,
    requestor_name: Option<&'a [u8]>,
}

/// `Signature` (RFC 6960 4.1.1), and what it is of.
#[derive(Debug, Clone, Copy)]
pub struct RequestSignature<'a> {
    /// The DER of the `TBSRequest`.
    pub to_be_signed: &'a [u8],
    /// The DER of the AlgorithmIdentifier.
    pub algorithm: &'a [u8],
    /// The content of the BIT STRING.
    pub bits: &'a [u8],
    certificates: Reader<'a>,
    /// The GeneralName of who says that it asks.
    pub requestor_name: Option<&'a [u8]>,
}

impl<'a> RequestSignature<'a> {
    /// The DER of each certificate that came with it.
    pub fn certificates(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.certificates;
        std::iter::from_fn(move || rest.element().ok().map(|element| element.raw))
    }
}

/// Why octets are not a request that can be answered. Each of them is `malformedRequest` to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the request is malformed: {0}")]
    Der(#[from] DerError),
    #[error(transparent)]
    CertId(#[from] CertIdError),
    /// A version other than v1.
    #[error("the request's version is not v1")]
    Version,
    /// requestList is empty.
    #[error("the request asks about no certificate")]
    Empty,
    #[error("the request asks about more than {MAX_CERT_IDS} certificates")]
    TooMany,
    #[error("the request has a critical extension that is not understood")]
    UnknownCriticalExtension,
    #[error("the request has an extension twice")]
    DuplicateExtension,
    #[error("the request has too many extensions")]
    TooManyExtensions,
    /// Empty, over 128 octets, or not in an OCTET STRING (RFC 9654 2.1).
    #[error("the request's nonce is malformed")]
    Nonce,
    #[error("the request does not accept a basic response")]
    BasicNotAcceptable,
}

impl<'a> OcspRequest<'a> {
    /// Reads a whole request; nothing may follow it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(octets: &'a [u8]) -> Result<Self, RequestError> {
        let mut outer = Reader::new(octets);
        let mut request = outer.sequence()?;
        outer.finish()?;
        let signed = request.expect(tag::SEQUENCE)?;
        let mut tbs = Reader::new(signed.content);
        let signature = request.optional(tag::context_constructed(0))?;
        request.finish()?;

        if let Some(version) = tbs.optional(tag::context_constructed(0))? {
            // DEFAULT v1: written out it is not DER, but it is what it says.
            let mut version = Reader::new(version.content);
            if version.integer()? != [0] {
                return Err(RequestError::Version);
            }
            version.finish()?;
        }
        // RFC 9919 3.1.2 has it treated as if it were absent; only a signature may need it.
        let requestor_name = tbs.optional(tag::context_constructed(1))?;
        let list = tbs.sequence()?;
        let mut extensions = RequestExtensions::default();
        if let Some(explicit) = tbs.optional(tag::context_constructed(2))? {
            let mut explicit = Reader::new(explicit.content);
            let extension_list = explicit.sequence()?;
            explicit.finish()?;
            extensions = RequestExtensions::parse(extension_list)?;
        }
        tbs.finish()?;

        let mut count = 0;
        let mut rest = list;
        while !rest.is_empty() {
            read_request(&mut rest)?;
            count += 1;
            if count > MAX_CERT_IDS {
                return Err(RequestError::TooMany);
            }
        }
        if count == 0 {
            return Err(RequestError::Empty);
        }
        Ok(Self {
            list,
            count,
            nonce: extensions.nonce,
            nonce_is_critical: extensions.nonce_is_critical,
            preferred_algorithms: extensions.preferred_algorithms,
            tbs: signed.raw,
            signature: signature.map(|signature| signature.content),
            requestor_name: requestor_name.map(|name| name.content),
        })
    }

    /// Whether it carries a signature. Unless it is demanded nobody looks at it: RFC 9919 3.1.2 lets it be ignored.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Its signature, read now; `None` where there is none.
    ///
    /// # Errors
    /// When what stands there is no signature.
    pub fn signature(&self) -> Option<Result<RequestSignature<'a>, RequestError>> {
        Some(self.read_signature(self.signature?).map_err(RequestError::from))
    }

    fn read_signature(&self, explicit: &'a [u8]) -> Result<RequestSignature<'a>, DerError> {
        let mut explicit = Reader::new(explicit);
        let mut signature = explicit.sequence()?;
        explicit.finish()?;
        let algorithm = signature.expect(tag::SEQUENCE)?.raw;
        let bits = signature.bit_string()?;
        let certificates = match signature.optional(tag::context_constructed(0))? {
            None => Reader::new(&[]),
            Some(list) => {
                let mut list = Reader::new(list.content);
                let certificates = list.sequence()?;
                list.finish()?;
                certificates
            }
        };
        signature.finish()?;
        let mut each = certificates;
        while !each.is_empty() {
            each.expect(tag::SEQUENCE)?;
        }
        let (to_be_signed, requestor_name) = (self.tbs, self.requestor_name);
        Ok(RequestSignature { to_be_signed, algorithm, bits, certificates, requestor_name })
    }

    /// How many certificates are asked about: 1 to [`MAX_CERT_IDS`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never: an empty request is malformed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The content of requestList: the CertIDs as they were asked, octet by octet.
    #[must_use]
    pub fn list_octets(&self) -> &'a [u8] {
        self.list.rest()
    }

    /// The CertIDs in the order they were asked.
    pub fn cert_ids(&self) -> impl Iterator<Item = CertIdRef<'a>> + use<'a> {
        let mut rest = self.list;
        // `parse` has read each of them once, so none fails now.
        std::iter::from_fn(move || if rest.is_empty() { None } else { read_request(&mut rest).ok() })
    }
}

fn read_request<'a>(list: &mut Reader<'a>) -> Result<CertIdRef<'a>, RequestError> {
    let mut request = list.sequence()?;
    let cert_id = CertIdRef::read(&mut request)?;
    if let Some(explicit) = request.optional(tag::context_constructed(0))? {
        let mut explicit = Reader::new(explicit.content);
        let extensions = explicit.sequence()?;
        explicit.finish()?;
        check_single_extensions(extensions)?;
    }
    request.finish()?;
    Ok(cert_id)
}
