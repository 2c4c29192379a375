//! Whether an answer is one to what was asked. Every answer passes here, so it has to be cheap:
//! the OCSPResponseStatus octet first, then, of a successful one, whom it is about, the nonce, and the
//! results. Nothing is allocated and no signature is verified; that is `verify`'s, on a sample.
//!
//! Called by `drive`.

use crate::request::Nonce;
use ocsprey::asn1::tag;
use ocsprey::ocsp::{BasicResponse, CertStatus, OcspResponseStatus, ParsedResponse};
use serde::{Deserialize, Serialize};

/// Results, one for each certificate that was answered for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    pub good: u64,
    pub revoked: u64,
    pub unknown: u64,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Successful, and about what was asked.
    Answered(Results),
    /// One of the error statuses.
    Status(OcspResponseStatus),
    /// Not an OCSPResponse.
    NotOcsp,
    /// Successful, and about another certificate, more or fewer of them.
    OtherCertificate,
    /// The nonce is missing or another one.
    Nonce,
}

/// Judges the octets of a response to a request about `serials` (content octets, in their order).
pub fn judge<'a, I>(body: &[u8], serials: I, nonce: Option<&Nonce>) -> Judgement
where
    I: Iterator<Item = &'a [u8]> + Clone,
{
    match status_octet(body) {
        None => return Judgement::NotOcsp,
        Some(0) => {}
        Some(value) => {
            return OcspResponseStatus::from_value(value).map_or(Judgement::NotOcsp, Judgement::Status);
        }
    }
    match ParsedResponse::parse(body) {
        Err(_) => Judgement::NotOcsp,
        Ok(ParsedResponse::Error(status)) => Judgement::Status(status),
        Ok(ParsedResponse::Basic(basic)) => judge_basic(&basic, serials, nonce),
    }
}

/// The value of responseStatus: the ENUMERATED that an OCSPResponse begins with (RFC 6960 4.2.1).
#[must_use]
pub fn status_octet(body: &[u8]) -> Option<u8> {
    let (&[0x30, length], rest) = body.split_first_chunk()? else { return None };
    let more = if length < 0x80 { 0 } else { usize::from(length & 0x7f) };
    match rest.get(more..)? {
        [0x0a, 1, value, ..] => Some(*value),
        _ => None,
    }
}

fn judge_basic<'a, I>(basic: &BasicResponse<'_>, serials: I, nonce: Option<&Nonce>) -> Judgement
where
    I: Iterator<Item = &'a [u8]> + Clone,
{
    let mut results = Results::default();
    let mut rest = serials.clone();
    let mut in_order = true;
    for single in basic.singles() {
        in_order &= rest.next() == Some(single.cert_id.serial_number.as_bytes());
        match single.status {
            CertStatus::Good => results.good += 1,
            CertStatus::Revoked(_) => results.revoked += 1,
            CertStatus::Unknown => results.unknown += 1,
        }
    }
    let about_these = in_order && rest.next().is_none();
    if !about_these && !same_whatever_the_order(basic, serials) {
        return Judgement::OtherCertificate;
    }
    if nonce.is_none_or(|nonce| repeats(basic, nonce)) {
        Judgement::Answered(results)
    } else {
        Judgement::Nonce
    }
}

/// Whether the nonce came back as it was sent, its inner OCTET STRING included (RFC 9654 2.1).
pub(crate) fn repeats(basic: &BasicResponse<'_>, nonce: &Nonce) -> bool {
    matches!(basic.nonce, Some([tag::OCTET_STRING, 32, came @ ..]) if came == nonce)
}

/// RFC 6960 does not say that answers stand in the order of the questions.
fn same_whatever_the_order<'a>(
    basic: &BasicResponse<'_>,
    serials: impl Iterator<Item = &'a [u8]> + Clone,
) -> bool {
    let mut asked: Vec<&[u8]> = serials.collect();
    asked.sort_unstable();
    let mut came: Vec<_> = basic.singles().map(|single| single.cert_id.serial_number).collect();
    came.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    asked.len() == came.len() && asked.iter().zip(&came).all(|(asked, came)| *asked == came.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocsprey::ocsp::error_response;

    #[test]
    fn s4_2_1_every_error_status_is_seen_by_its_octet() {
        for status in [
            OcspResponseStatus::MalformedRequest,
            OcspResponseStatus::InternalError,
            OcspResponseStatus::TryLater,
            OcspResponseStatus::SigRequired,
            OcspResponseStatus::Unauthorized,
        ] {
            let judged = judge(error_response(status), std::iter::empty(), None);
            assert_eq!(judged, Judgement::Status(status));
        }
        assert_eq!(status_octet(&[0x30, 0x82, 1, 0, 0x0a, 1, 0, 0xa0]), Some(0));
        assert_eq!(status_octet(&[0x30, 0x81, 0x90, 0x0a, 1, 0]), Some(0));
    }

    #[test]
    fn what_is_no_response_is_never_an_answer() {
        let empty_success = [0x30, 3, 0x0a, 1, 0];
        let unknown_status = [0x30, 3, 0x0a, 1, 4];
        let bodies: [&[u8]; 6] =
            [b"", b"<html>", &[0x30], &[0x30, 0xff, 0x0a, 1, 0], &empty_success, &unknown_status];
        for body in bodies {
            assert_eq!(judge(body, std::iter::empty(), None), Judgement::NotOcsp, "{body:?}");
        }
    }
}
