//! The responses that are no OCSP answers: short texts, pages, JSON.
//!
//! None of them is ever typed `application/ocsp-response`, and none may be stored by a cache
//! (404, 405 and 414 could be, without being told: RFC 9110 15.1).

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// What every listener here answers with.
pub(super) type Reply = Response<Full<Bytes>>;

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A status with a sentence for whoever reads it.
pub(super) fn text(status: StatusCode, text: &'static str) -> Reply {
    reply(status, TEXT, text)
}

/// As [`text`], and the connection ends: what follows on it may be the rest of a body.
pub(super) fn last_words(status: StatusCode, words: &'static str) -> Reply {
    let mut response = text(status, words);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
