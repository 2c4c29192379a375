//! From an [`Answer`] to an HTTP response: what caches are told (RFC 5019 6.2, RFC 9919 7.2, RFC 9111).
//!
//! Called by the OCSP service with every answer. Three kinds:
//!
//! | answer | caches are told |
//! | --- | --- |
//! | may be shared (`caching` is there) | `max-age`, `public`, `no-transform`, `must-revalidate`, `Expires`, `Last-Modified`, and on GET `ETag` and 304 |
//! | signed, but for this client or this moment only (a nonce, unknown) | `private, max-age=0, must-revalidate`: RFC 9919 7.2 forbids `no-store` and `no-cache` on authoritative answers |
//! | an error status | `no-store` |
//!
//! `max-age` counts from now to a moment that belongs to the answer's octets: the second before nextUpdate,
//! less up to a sixteenth of the answer's life (an hour at the most) that its hash decides. So answers that were
//! signed together do not run out together, `max-age` is always less than nextUpdate - now, and a
//! responder that signs anew in the last eighth of an answer's life gives every client that returns
//! a newer one. A POST's answer has no `ETag` (no condition applies to it) and so no such jitter.
//!
//! `Last-Modified` is thisUpdate (RFC 9919 7.2), never later than now (RFC 9110 8.8.2.1).

use super::reply::Reply;
use crate::ocsp::OcspResponseStatus;
use crate::respond::{Answer, Caching};
use crate::x509::UnixTime;
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::{Response, StatusCode};
use std::cell::RefCell;
use std::fmt::Write;

/// The media type of an answer (RFC 6960 appendix C.2).
pub(super) const OCSP_RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");

const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=0, must-revalidate");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// At most this part of an answer's life is given away for jitter, and at most this long.
const JITTER_PART: i64 = 16;
const JITTER_MOST: i64 = 3600;

/// How the request came, as far as caches care.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// GET or HEAD, with the headers that may hold conditions.
    Get(&'a HeaderMap),
    Post,
}

/// Whom an answer may be kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Answers are for everybody who asks.
    Anybody,
    /// Only who was let in gets one: a shared cache would give it to others too.
    Caller,
}

impl Audience {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Anybody => b", public",
            Self::Caller => b", private",
        }
    }
}

/// The response that carries `answer`, or 304 where the client has it already.
pub(super) fn reply(asked: Asked<'_>, answer: Answer, audience: Audience, now: UnixTime) -> Reply {
    let mut headers = HeaderMap::with_capacity(6);
    let mut status = StatusCode::OK;
    match (&answer.caching, answer.outcome.status) {
        (Some(caching), OcspResponseStatus::Successful) => {
            let last_modified = caching.this_update.min(now);
            match asked {
                Asked::Get(conditions) => {
                    let hash = answer.body_hash();
                    let etag = etag(&hash);
                    if is_unchanged(conditions, &etag, last_modified) {
                        status = StatusCode::NOT_MODIFIED;
                    }
                    let max_age = max_age(caching, jitter(&hash, caching), now);
                    put_times(&mut headers, caching, last_modified, max_age, audience);
                    put(&mut headers, ETAG, etag);
                }
                Asked::Post => {
                    put_times(&mut headers, caching, last_modified, max_age(caching, 0, now), audience);
                }
            }
        }
        (None, OcspResponseStatus::Successful) => {
            headers.insert(CACHE_CONTROL, PRIVATE);
        }
        (
            _,
            OcspResponseStatus::MalformedRequest
            | OcspResponseStatus::InternalError
            | OcspResponseStatus::TryLater
            | OcspResponseStatus::SigRequired
            | OcspResponseStatus::Unauthorized,
        ) => {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
    }
    let body = if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, OCSP_RESPONSE);
        answer.body
    } else {
        Bytes::new()
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn max_age(caching: &Caching, jitter: i64, now: UnixTime) -> i64 {
    caching.next_update.since(now).saturating_sub(1 + jitter).max(0)
}

fn put_times(
    headers: &mut HeaderMap,
    caching: &Caching,
    last_modified: UnixTime,
    max_age: i64,
    audience: Audience,
) {
    put(headers, CACHE_CONTROL, cache_control(max_age, audience));
    DATES.with_borrow_mut(|dates| {
        for (name, time) in [(EXPIRES, caching.next_update), (LAST_MODIFIED, last_modified)] {
            if let Some(date) = dates.written(time) {
                headers.insert(name, date);
            }
        }
    });
}

/// `max-age=N, public, …`, without the machinery of `format!`, which takes as long as a look into the cache.
fn cache_control(max_age: i64, audience: Audience) -> Bytes {
    const BEFORE: &[u8] = b"max-age=";
    const BEHIND: &[u8] = b", no-transform, must-revalidate";
    // An i64 has 19 digits at the most.
    let (mut digits, mut first, mut rest) = ([b'0'; 20], 19, max_age.unsigned_abs());
    loop {
        if let Some(digit) = digits.get_mut(first) {
            *digit = b'0' + (rest % 10).to_le_bytes()[0];
        }
        rest /= 10;
        if rest == 0 || first == 0 {
            break;
        }
        first -= 1;
    }
    let digits = digits.get(first..).unwrap_or_default();
    let whom = audience.word();
    let mut control = BytesMut::with_capacity(BEFORE.len() + digits.len() + whom.len() + BEHIND.len());
    control.extend_from_slice(BEFORE);
    control.extend_from_slice(digits);
    control.extend_from_slice(whom);
    control.extend_from_slice(BEHIND);
    control.freeze()
}

thread_local! {
    static DATES: RefCell<Dates> = const { RefCell::new(Dates { last: [None, None, None, None], next: 0 }) };
}

/// The dates that were written last: the answers of a CRL share theirs.
struct Dates {
    last: [Option<(UnixTime, HeaderValue)>; 4],
    next: usize,
}

impl Dates {
    /// `time` as an HTTP date. `None` for a year that HTTP cannot write.
    fn written(&mut self, time: UnixTime) -> Option<HeaderValue> {
        if let Some((_, date)) = self.last.iter().flatten().find(|(known, _)| *known == time) {
            return Some(date.clone());
        }
        let date = HeaderValue::from_maybe_shared(imf_fixdate(time)).ok()?;
        self.next = (self.next + 1) % self.last.len();
        if let Some(oldest) = self.last.get_mut(self.next) {
            *oldest = Some((time, date.clone()));
        }
        Some(date)
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Bytes) {
    // Only visible ASCII is ever written here, which a header value always takes.
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(name, value);
    }
}

/// Seconds that these octets give away, the same ones every time.
fn jitter(hash: &[u8], caching: &Caching) -> i64 {
    let life = caching.next_update.since(caching.produced_at.max(caching.this_update));
    let most = (life / JITTER_PART).clamp(0, JITTER_MOST);
    let chance = hash.iter().take(4).fold(0, |sum, &octet| sum << 8 | i64::from(octet));
    chance % (most + 1)
}

/// The hash in hexadecimal, quoted: a strong validator (RFC 9919 7.2).
fn etag(hash: &[u8; 32]) -> Bytes {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut tag = [b'"'; 66];
    let (_, digits) = tag.split_at_mut(1);
    for (pair, octet) in digits.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&[digit(octet >> 4), digit(octet & 0x0f)]);
    }
    Bytes::copy_from_slice(&tag)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
fn imf_fixdate(time: UnixTime) -> Bytes {
    let mut date = BytesMut::with_capacity(29);
    // Writing into memory does not fail.
    let _ = write!(date, "{}", httpdate::HttpDate::from(time.to_system()));
    date.freeze()
}

/// RFC 9110 13.2.2: `If-None-Match` decides where it is there, else `If-Modified-Since`.
fn is_unchanged(conditions: &HeaderMap, etag: &[u8], last_modified: UnixTime) -> bool {
    let mut tags = conditions.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags.any(|list| list.as_bytes().split(|&octet| octet == b',').any(|tag| names(tag, etag)));
    }
    let Some(since) = conditions.get(IF_MODIFIED_SINCE) else { return false };
    let Some(since) = since.to_str().ok().and_then(|date| httpdate::parse_http_date(date.trim()).ok()) else {
        return false;
    };
    last_modified <= UnixTime::from_system(since)
}

/// RFC 9110 8.8.3.2: the weak comparison, or any tag at all.
fn names(tag: &[u8], etag: &[u8]) -> bool {
    let tag = tag.trim_ascii();
    tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond::Outcome;
    use hyper::body::Body;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn answer(body: &'static [u8], life: i64) -> Answer {
        let outcome =
            Outcome { issuer: None, status: OcspResponseStatus::Successful, good: 1, revoked: 0, unknown: 0 };
        let caching =
            Caching { this_update: at(NOW - 3600), produced_at: at(NOW), next_update: at(NOW + life) };
        Answer::new(Bytes::from_static(body), outcome, Some(caching))
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
        reply.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn max_age(reply: &Reply) -> i64 {
        let control = header(reply, "cache-control");
        let rest = control.strip_prefix("max-age=").unwrap();
        let (seconds, rest) = rest.split_once(',').unwrap();
        assert_eq!(rest, " public, no-transform, must-revalidate");
        seconds.parse().unwrap()
    }

    fn get(conditions: &[(HeaderName, &'static str)], now: i64) -> Reply {
        let conditions =
            conditions.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        reply(Asked::Get(&conditions), answer(b"abc", 86_400), Audience::Anybody, at(now))
    }

    /// SHA-256 of "abc" (FIPS 180-2 B.1).
    const ABC: &str = "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";

    #[test]
    fn trap_6_g14_g17_headers_of_a_shareable_answer() {
        let reply = get(&[], NOW);
        assert_eq!(reply.status(), 200);
        assert_eq!(header(&reply, "content-type"), "application/ocsp-response");
        assert_eq!(header(&reply, "etag"), ABC);
        assert_eq!(header(&reply, "last-modified"), "Fri, 15 Jan 2027 07:00:00 GMT");
        assert_eq!(header(&reply, "expires"), "Sat, 16 Jan 2027 08:00:00 GMT");
        let age = max_age(&reply);
        assert!((86_400 - 3601..86_400).contains(&age), "{age}");
    }

    #[test]
    fn trap_6_trap_7_max_age_is_recomputed_and_ends_before_next_update() {
        let first = max_age(&get(&[], NOW));
        assert_eq!(max_age(&get(&[], NOW + 100)), first - 100);
        for life in 0..200 {
            let reply =
                reply(Asked::Get(&HeaderMap::new()), answer(b"abc", life), Audience::Anybody, at(NOW));
            let age = max_age(&reply);
            assert!(age < life || (age, life) == (0, 0), "{age} {life}");
        }
        assert_eq!(max_age(&get(&[], NOW + 90_000)), 0);
    }

    #[test]
    fn trap_7_answers_signed_together_do_not_run_out_together() {
        let bodies: [&[u8]; 6] = [b"a", b"b", b"c", b"d", b"e", b"f"];
        let mut ages: Vec<i64> = bodies
            .iter()
            .map(|body| {
                max_age(&reply(
                    Asked::Get(&HeaderMap::new()),
                    answer(body, 86_400),
                    Audience::Anybody,
                    at(NOW),
                ))
            })
            .collect();
        ages.sort_unstable();
        ages.dedup();
        assert!(ages.len() > 4, "{ages:?}");
    }

    #[test]
    fn trap_6_g18_if_none_match_takes_lists_stars_and_weak_tags_and_304_repeats_the_headers() {
        let full = get(&[], NOW);
        for list in [
            ABC,
            "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
            "W/\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
            "\"x\" ,\t\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\", \"y\"",
            "*",
        ] {
            let reply = get(&[(IF_NONE_MATCH, list)], NOW);
            assert_eq!(reply.status(), 304, "{list}");
            assert!(reply.body().is_end_stream());
            for name in ["cache-control", "expires", "last-modified", "etag"] {
                assert_eq!(header(&reply, name), header(&full, name));
            }
        }
        for list in ["\"x\"", "", "ba7816bf", "\"*\""] {
            assert_eq!(get(&[(IF_NONE_MATCH, list)], NOW).status(), 200, "{list}");
        }
    }

    #[test]
    fn g18_if_modified_since_counts_only_without_if_none_match() {
        let same = "Fri, 15 Jan 2027 07:00:00 GMT";
        for (date, status) in [
            (same, 304),
            ("Fri, 15 Jan 2027 07:00:01 GMT", 304),
            ("Friday, 15-Jan-27 07:00:00 GMT", 304),
            ("Fri, 15 Jan 2027 06:59:59 GMT", 200),
            ("yesterday", 200),
        ] {
            assert_eq!(get(&[(IF_MODIFIED_SINCE, date)], NOW).status(), status, "{date}");
        }
        assert_eq!(get(&[(IF_MODIFIED_SINCE, same), (IF_NONE_MATCH, "\"x\"")], NOW).status(), 200);
    }

    #[test]
    fn trap_6_c12_g16_nonce_answers_are_private_and_errors_are_not_stored() {
        let conditions = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("*"))]);
        let mut nonce = answer(b"abc", 86_400);
        nonce.caching = None;
        let signed = reply(Asked::Get(&conditions), nonce, Audience::Anybody, at(NOW));
        assert_eq!(signed.status(), 200);
        assert_eq!(header(&signed, "cache-control"), "private, max-age=0, must-revalidate");
        let mut error = answer(b"abc", 86_400);
        error.outcome.status = OcspResponseStatus::TryLater;
        let error = reply(Asked::Get(&conditions), error, Audience::Anybody, at(NOW));
        assert_eq!((error.status().as_u16(), header(&error, "cache-control")), (200, "no-store"));
        for reply in [signed, error] {
            for name in ["expires", "etag", "last-modified"] {
                assert_eq!(header(&reply, name), "");
            }
        }
    }

    #[test]
    fn max_age_is_written_as_a_number_is() {
        for seconds in [0, 1, 9, 10, 99, 86_400, 1_234_567_890, i64::MAX] {
            let expected = format!("max-age={seconds}, public, no-transform, must-revalidate");
            assert_eq!(cache_control(seconds, Audience::Anybody), expected);
        }
    }

    #[test]
    fn dates_that_are_remembered_are_those_that_were_asked_for() {
        let mut dates = Dates { last: Default::default(), next: 0 };
        for round in 0..3 {
            for seconds in [0, 1, 1, 0, 2, 3, 4, 5, 0, 1_700_000_000 + round] {
                assert_eq!(dates.written(at(seconds)).unwrap().as_bytes(), imf_fixdate(at(seconds)));
            }
        }
    }

    #[test]
    fn a_post_gets_times_but_no_validator() {
        let reply = reply(Asked::Post, answer(b"abc", 86_400), Audience::Anybody, at(NOW));
        assert_eq!((reply.status().as_u16(), header(&reply, "etag")), (200, ""));
        assert_eq!(max_age(&reply), 86_399);
    }

    #[test]
    fn trap_40_last_modified_is_never_later_than_now() {
        let reply = reply(Asked::Post, answer(b"abc", 86_400), Audience::Anybody, at(NOW - 7200));
        assert_eq!(header(&reply, "last-modified"), "Fri, 15 Jan 2027 06:00:00 GMT");
    }

    #[test]
    fn what_only_registered_verifiers_get_is_kept_by_no_shared_cache() {
        for asked in [Asked::Post, Asked::Get(&HeaderMap::new())] {
            let reply = reply(asked, answer(b"abc", 86_400), Audience::Caller, at(NOW));
            let control = reply.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap();
            assert!(control.ends_with(", private, no-transform, must-revalidate"), "{control}");
            assert!(control.starts_with("max-age="), "{control}");
        }
    }
}
