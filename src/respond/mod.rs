//! The hot path: the octets of a request in, the octets of an answer out.
//!
//! [`Responder::respond`] is called by `http` for every request. It is no `async fn`, because nothing
//! in it waits; it takes `&self`, because nothing in it changes; and it returns no `Result`, because
//! every failure *is* an OCSP answer. It reads no clock: the time is an argument.

mod decide;
mod explain;
mod presigned;

pub use explain::{Evidence, Explanation, Ground, explain};
pub use presigned::Presigner;

use crate::ocsp::{
    CertStatus, OcspRequest, OcspResponseStatus, ResponseData, ResponseTemplate, SingleResponse,
    error_response,
};
use crate::signing::ResponderIdentity;
use crate::snapshot::{IssuerIndex, NoncePolicy, Snapshot};
use crate::store::Reach;
use crate::x509::UnixTime;
use bytes::Bytes;
use decide::{Decision, Refusal, decide};

/// One answer, and what is to be said of it to caches and counters.
#[derive(Debug, Clone)]
pub struct Answer {
    /// A whole OCSPResponse in DER.
    pub body: Bytes,
    pub outcome: Outcome,
    /// `None`: not to be kept by any cache (errors, `unknown`, answers with a nonce).
    pub caching: Option<Caching>,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whose key signed, or would have; `None`: no issuer of ours was asked about.
    pub issuer: Option<IssuerIndex>,
    pub status: OcspResponseStatus,
    /// Certificates that were answered good, revoked and unknown.
    pub good: u32,
    pub revoked: u32,
    pub unknown: u32,
}

/// The times that caching headers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching {
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    pub produced_at: UnixTime,
}

impl Answer {
    /// An answer that is only a status.
    #[must_use]
    pub fn error(status: OcspResponseStatus, issuer: Option<IssuerIndex>) -> Self {
        Self {
            body: Bytes::from_static(error_response(status)),
            outcome: Outcome { issuer, status, good: 0, revoked: 0, unknown: 0 },
            caching: None,
        }
    }
}

/// Answers requests. One serves all threads.
#[derive(Debug, Default)]
pub struct Responder {}

impl Responder {
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Answers `request` from `snapshot` as of `now`.
    ///
    /// The first CertID that names an issuer of ours decides whose key signs; CertIDs of any other
    /// issuer are answered `unknown` in that answer, because one CA's signer may not speak for another
    /// (RFC 6960 4.2.2.2). When no CertID names one of ours, the answer is `unauthorized`.
    ///
    /// thisUpdate is that of the CRL. nextUpdate is `validity` later, or, where that is near or over, as
    /// many half validities more as leave at least one half from `now`; it never passes the CRL's own
    /// nextUpdate nor the signer's notAfter.
    #[must_use]
    pub fn respond(&self, snapshot: &Snapshot, request: &[u8], now: UnixTime) -> Answer {
        self.respond_within(snapshot, request, now, Reach::Disk)
            .unwrap_or_else(|| Answer::error(OcspResponseStatus::InternalError, None))
    }

    /// As [`Responder::respond`], if no row of the store beyond `reach` is needed; else `None`.
    #[must_use]
    pub fn respond_within(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        reach: Reach,
    ) -> Option<Answer> {
        match self.answer(snapshot, request, now, reach) {
            Ok(answer) => Some(answer),
            Err(NotInMemory) => None,
        }
    }

    fn answer(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        reach: Reach,
    ) -> Result<Answer, NotInMemory> {
        let Ok(request) = OcspRequest::parse(request) else {
            return Ok(Answer::error(OcspResponseStatus::MalformedRequest, None));
        };
        let Some((signing, key)) = request.cert_ids().find_map(|cert_id| snapshot.key_of(&cert_id)) else {
            return Ok(Answer::error(OcspResponseStatus::Unauthorized, None));
        };
        let issuer = Some(key.issuer);
        let options = snapshot.options();
        // A nonce that is not repeated is an extension that is not processed; a critical one must be
        // (RFC 5280 4.2).
        if request.nonce_is_critical && options.nonce == NoncePolicy::Ignore {
            return Ok(Answer::error(OcspResponseStatus::MalformedRequest, issuer));
        }
        let responder = &key.responder;
        if now < responder.not_before() || now >= responder.not_after() {
            return Ok(Answer::error(OcspResponseStatus::TryLater, issuer));
        }

        let nonce = match options.nonce {
            NoncePolicy::Echo => request.nonce,
            NoncePolicy::Ignore => None,
        };
        if request.len() == 1
            && nonce.is_none()
            && let Some(cert_id) = request.cert_ids().next()
        {
            match presigned::held(snapshot, key, &cert_id, now, reach) {
                Ok(Some(answer)) => return Ok(answer),
                Err(Refusal::NotInMemory) => return Err(NotInMemory),
                // Whatever is wrong with it, a fresh answer is not.
                Ok(None) | Err(_) => {}
            }
        }
        let mut draft = Draft::new(request.len(), responder.not_after());
        for cert_id in request.cert_ids() {
            let decision = match snapshot.key_of(&cert_id) {
                Some((asked, _)) if asked == signing => {
                    decide(key, snapshot.view(), &cert_id.serial_number, now, reach)
                }
                _ => Ok(decide::not_ours(now)),
            };
            let decision = match decision {
                Ok(decision) => decision,
                Err(Refusal::NotInMemory) => return Err(NotInMemory),
                Err(refusal) => return Ok(Answer::error(refusal.status(), issuer)),
            };
            if let Err(refusal) = draft.add(cert_id.raw, &decision, options.validity, now) {
                return Ok(Answer::error(refusal.status(), issuer));
            }
        }

        let data = ResponseData { produced_at: now, nonce, extended_revoke: draft.extended_revoke };
        let Some(body) = sign(&key.template, responder, &data, &draft.singles) else {
            return Ok(Answer::error(OcspResponseStatus::InternalError, issuer));
        };
        let shareable = nonce.is_none() && draft.unknown == 0;
        Ok(Answer {
            body,
            outcome: Outcome {
                issuer,
                status: OcspResponseStatus::Successful,
                good: draft.good,
                revoked: draft.revoked,
                unknown: draft.unknown,
            },
            caching: shareable.then_some(Caching {
                this_update: draft.this_update,
                next_update: draft.next_update,
                produced_at: now,
            }),
        })
    }
}

/// A row that is needed is not within reach.
struct NotInMemory;

/// The single responses of an answer, as they come together.
struct Draft<'a> {
    singles: Vec<SingleResponse<'a>>,
    /// Oldest and nearest of all of them.
    this_update: UnixTime,
    next_update: UnixTime,
    signer_not_after: UnixTime,
    extended_revoke: bool,
    good: u32,
    revoked: u32,
    unknown: u32,
}

impl<'a> Draft<'a> {
    fn new(count: usize, signer_not_after: UnixTime) -> Self {
        Self {
            singles: Vec::with_capacity(count),
            this_update: UnixTime::MAX,
            next_update: UnixTime::MAX,
            signer_not_after,
            extended_revoke: false,
            good: 0,
            revoked: 0,
            unknown: 0,
        }
    }

    fn add(
        &mut self,
        cert_id: &'a [u8],
        decision: &Decision,
        validity: i64,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        // A CRL's thisUpdate may stand a few minutes ahead of this machine's clock; an answer's may
        // not stand behind producedAt (RFC 6960 2.4).
        let this_update = decision.window.this_update.min(now);
        let next_update = next_update(this_update, validity, now)
            .min(decision.window.next_update)
            .min(self.signer_not_after);
        if next_update <= now {
            return Err(Refusal::Stale);
        }
        match decision.status {
            CertStatus::Good => self.good += 1,
            CertStatus::Revoked(_) => self.revoked += 1,
            CertStatus::Unknown => self.unknown += 1,
        }
        self.extended_revoke |= decision.never_issued;
        self.this_update = self.this_update.min(this_update);
        self.next_update = self.next_update.min(next_update);
        self.singles.push(SingleResponse { cert_id, status: decision.status, this_update, next_update });
        Ok(())
    }
}

/// The end of an answer's life before the CRL and the signer shorten it: `this_update + validity`, moved
/// on by half a validity as often as it takes to leave at least a half from `now`.
///
/// So the answers of a fresh CRL live exactly `validity`, those of an old one are not born expired,
/// and an answer is always replaced by one that ends later before half of its life remains.
fn next_update(this_update: UnixTime, validity: i64, now: UnixTime) -> UnixTime {
    let half = (validity / 2).max(1);
    let first = this_update.plus(validity);
    let short = now.plus(half).since(first);
    if short <= 0 {
        return first;
    }
    first.plus((short + half - 1) / half * half)
}

/// Encodes and signs. `None` when the key did not sign.
fn sign(
    template: &ResponseTemplate,
    responder: &ResponderIdentity,
    data: &ResponseData<'_>,
    singles: &[SingleResponse<'_>],
) -> Option<Bytes> {
    let signer = responder.signer();
    let unsigned = template.begin(data, singles.iter().copied(), SIGNATURE_OCTETS);
    let mut signature = Vec::with_capacity(SIGNATURE_OCTETS);
    signer.sign(unsigned.to_be_signed(), &mut signature).ok()?;
    let (buffer, start) = unsigned.finish(template, &signature);
    let whole = Bytes::from(buffer);
    (start < whole.len()).then(|| whole.slice(start..))
}

/// Room for the longest usual signature, RSA-4096.
const SIGNATURE_OCTETS: usize = 512;

#[cfg(test)]
mod tests;
