//! A POST's body into request octets: RFC 6960 appendix A.1.
//!
//! Called by the OCSP service for every POST. The limit holds while reading, so that no client makes
//! the process keep more than it would ever answer; a `Content-Length` over it is refused unread.
//! Time is not watched here: the connection is ([`super::watched`]), which ends a body that stalls.
//!
//! A POST without any `Content-Type` is accepted: RFC 9110 8.3 lets the recipient look at the
//! content, which must be a whole OCSPRequest in DER anyway. One with *another* type is refused (415).

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Version;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use hyper::http::request::Parts;

/// The media type of a request (RFC 6960 appendix C.1).
pub(super) const OCSP_REQUEST: &str = "application/ocsp-request";

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyRefusal {
    /// 415.
    MediaType,
    /// 411: neither a length nor chunks; there is no body to read.
    LengthRequired,
    /// 413.
    TooLarge,
    /// 400: the client stopped, or its chunks are no chunks.
    Broken,
}

/// The whole body, of `limit` octets at the most.
pub(super) async fn read(head: &Parts, body: Incoming, limit: usize) -> Result<Bytes, BodyRefusal> {
    let headers = &head.headers;
    if !is_ocsp_request(headers) {
        return Err(BodyRefusal::MediaType);
    }
    // In HTTP/2 a body says by itself where it ends.
    let says_its_end = head.version == Version::HTTP_2
        || headers.contains_key(CONTENT_LENGTH)
        || headers.contains_key(TRANSFER_ENCODING);
    if !says_its_end {
        return Err(BodyRefusal::LengthRequired);
    }
    collect(body, limit).await
}

/// The whole of `body`, without a look at headers.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, BodyRefusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(BodyRefusal::TooLarge);
    }
    // Nearly every request arrives in one piece, which is then used where it lies.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyRefusal::Broken)?;
        // Trailers say nothing here.
        let Ok(octets) = frame.into_data() else { continue };
        if first.len() + whole.len() + octets.len() > limit {
            return Err(BodyRefusal::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = octets;
        } else {
            if whole.is_empty() {
                whole.reserve(announced.max(first.len() + octets.len()));
                whole.extend_from_slice(&first);
                first = Bytes::new();
            }
            whole.extend_from_slice(&octets);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// RFC 9110 8.3.1: type and subtype in any case, parameters of no interest.
fn is_ocsp_request(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let value = value.as_bytes();
    let essence = value.split(|&octet| octet == b';').next().unwrap_or(value);
    essence.trim_ascii().eq_ignore_ascii_case(OCSP_REQUEST.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn trap_4_g21_parameters_and_case_are_accepted_another_type_is_not() {
        let is = |value: &'static str| {
            is_ocsp_request(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert!(is("application/ocsp-request"));
        assert!(is("Application/OCSP-Request"));
        assert!(is("application/ocsp-request; charset=utf-8"));
        assert!(is("application/ocsp-request ;x"));
        assert!(is_ocsp_request(&HeaderMap::new()));
        assert!(!is("application/ocsp-requests"));
        assert!(!is("application/ocsp-response"));
        assert!(!is("text/plain; application/ocsp-request"));
        assert!(!is(""));
    }
}
