//! The hot path: the octets of a request in, the octets of an answer out.
//!
//! [`Responder::respond`] is called by `http` for every request. It is no `async fn`, because nothing
//! in it waits; it takes `&self`, because nothing in it changes; and it returns no `Result`, because
//! every failure *is* an OCSP answer. It reads no clock: the time is an argument.

mod cache;
mod decide;
mod effort;
mod explain;
mod fresh;
mod kept;
mod presigned;
mod tiers;

pub use effort::{Allowance, Effort, Work};
pub use explain::{Evidence, Explanation, Ground, explain};
pub use presigned::Presigner;
pub use tiers::{Beforehand, Ended, Memory, Outdated, Tier, Tiers};

use crate::ocsp::{OcspRequest, OcspResponseStatus, error_response};
use crate::signing::sha256;
use crate::snapshot::{IssuerIndex, NoncePolicy, Snapshot};
use crate::store::{IssuerNumber, Reach};
use crate::x509::UnixTime;
use bytes::Bytes;
use cache::{AnswerCache, Worth};
use decide::Refusal;
use fresh::{Asked, Decided, Drafted};
use kept::{KeptAnswer, Ties};
use std::sync::Arc;

/// One answer, and what is to be said of it to caches and counters.
#[derive(Debug, Clone)]
pub struct Answer {
    /// A whole OCSPResponse in DER.
    pub body: Bytes,
    pub outcome: Outcome,
    /// The CA of `outcome.issuer` by its number in the store, which no reload changes.
    pub issuer: Option<IssuerNumber>,
    /// `None`: not to be kept by any cache (errors, `unknown`, answers with a nonce).
    pub caching: Option<Caching>,
    /// See [`Answer::body_hash`].
    known_hash: Option<[u8; 32]>,
    pub cache: CacheUse,
    pub work: Work,
}

/// What the memory cache had to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// The answer is from it.
    Hit,
    /// It was looked for and is not there, or no longer counts.
    Miss,
    /// Nobody looked: an error, a nonce that is to be repeated, no cache.
    None,
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
    /// SHA-256 of the body, where it has been computed already.
    #[must_use]
    pub fn known_body_hash(&self) -> Option<[u8; 32]> {
        self.known_hash
    }

    /// Says which CA of `snapshot`, whose answer this is, its outcome means.
    fn of(self, snapshot: &Snapshot) -> Self {
        let issuer = self.outcome.issuer.and_then(|index| snapshot.issuers().get(index.0));
        Self { issuer: issuer.map(|issuer| issuer.number), ..self }
    }

    /// SHA-256 of the body.
    #[must_use]
    pub fn body_hash(&self) -> [u8; 32] {
        self.known_hash.unwrap_or_else(|| sha256(&self.body))
    }

    /// One that nobody keeps.
    #[must_use]
    pub fn new(body: Bytes, outcome: Outcome, caching: Option<Caching>) -> Self {
        let (known_hash, cache, work) = (None, CacheUse::None, Work::NONE);
        Self { body, outcome, issuer: None, caching, known_hash, cache, work }
    }

    /// An answer that is only a status.
    #[must_use]
    pub fn error(status: OcspResponseStatus, issuer: Option<IssuerIndex>) -> Self {
        let outcome = Outcome { issuer, status, good: 0, revoked: 0, unknown: 0 };
        Self::new(Bytes::from_static(error_response(status)), outcome, None)
    }
}

/// Answers requests. One serves all threads.
#[derive(Debug, Default)]
pub struct Responder {
    cache: Option<AnswerCache>,
}

impl Responder {
    /// One that signs every answer afresh.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps answers that may be shared, in `octets` of memory at the most.
    #[must_use]
    pub fn with_cache(octets: u64) -> Self {
        Self { cache: AnswerCache::new(octets) }
    }

    /// Octets of the answers in memory.
    #[must_use]
    pub fn cache_octets(&self) -> u64 {
        self.cache.as_ref().map_or(0, AnswerCache::octets)
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
        self.respond_within(snapshot, request, now, Allowance::ALL)
    }

    /// As [`Responder::respond`], if it takes no more than is allowed; else `tryLater`, before it is done.
    #[must_use]
    pub fn respond_within(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        allowance: Allowance,
    ) -> Answer {
        let answer = self.respond_as_far(snapshot, request, now, (Reach::Disk, allowance));
        answer.unwrap_or_else(|| Answer::error(OcspResponseStatus::InternalError, None))
    }

    /// As [`Responder::respond_within`], where all that is needed of the store is in its memory; else `None`.
    #[must_use]
    pub fn respond_from_memory(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        allowance: Allowance,
    ) -> Option<Answer> {
        self.respond_as_far(snapshot, request, now, (Reach::Memory, allowance))
    }

    fn respond_as_far(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        within: (Reach, Allowance),
    ) -> Option<Answer> {
        match self.begin_as_far(snapshot, request, now, within)? {
            Begun::Answered(answer) => Some(answer),
            Begun::Unsigned(unsigned) => Some(unsigned.sign()),
        }
    }

    /// As [`Responder::respond_from_memory`], up to the signature, if there is to be one.
    #[must_use]
    pub fn begin_from_memory<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        now: UnixTime,
        allowance: Allowance,
    ) -> Option<Begun<'a>> {
        self.begin_as_far(snapshot, request, now, (Reach::Memory, allowance))
    }

    fn begin_as_far<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        now: UnixTime,
        (reach, allowance): (Reach, Allowance),
    ) -> Option<Begun<'a>> {
        let answered = |answer: Answer| Some(Begun::Answered(answer.of(snapshot)));
        let error = |status, issuer| answered(Answer::error(status, issuer));
        let Ok(request) = OcspRequest::parse(request) else {
            return error(OcspResponseStatus::MalformedRequest, None);
        };
        let Some((signing, key)) = request.cert_ids().find_map(|cert_id| snapshot.key_of(&cert_id)) else {
            return error(OcspResponseStatus::Unauthorized, None);
        };
        let issuer = Some(key.issuer);
        let options = snapshot.options();
        // A nonce that is not repeated is an extension that is not processed; a critical one must be
        // (RFC 5280 4.2).
        if request.nonce_is_critical && options.nonce == NoncePolicy::Ignore {
            return error(OcspResponseStatus::MalformedRequest, issuer);
        }
        let (signatory_index, signatory) = key.signatories.preferred(request.preferred_algorithms, now);
        if !signatory.is_valid(now) {
            return error(OcspResponseStatus::TryLater, issuer);
        }

        let nonce = match options.nonce {
            NoncePolicy::Echo => request.nonce,
            NoncePolicy::Ignore => None,
        };
        let most = if nonce.is_some() { allowance.with_nonce } else { allowance.without };
        let asked = Asked { request, signing, key, signatory, nonce, most };
        let mut place = None;
        if let Some(cache) = self.cache.as_ref().filter(|_| nonce.is_none()) {
            let cache_key = cache.key(request.list_octets(), signatory_index);
            let kept = cache.find(&cache_key, |kept| kept.counts(snapshot, now).then(|| kept.answer()));
            if let Some(answer) = kept {
                return answered(answer);
            }
            place = Some((cache, cache_key));
        }
        let keeper = Keeper { place, snapshot, now };
        match asked.decide(snapshot, now, reach) {
            Ok(Decided::Held(answer, ties)) => answered(keeper.kept(&asked, answer, ties)),
            Ok(Decided::Unsigned(drafted)) => Some(Begun::Unsigned(Unsigned { asked, drafted, keeper })),
            Err(Refusal::NotInMemory) => None,
            Err(refusal) => answered(keeper.missed(asked.refused(&refusal))),
        }
    }
}

/// What a request has come to before anything is signed.
#[derive(Debug)]
pub enum Begun<'a> {
    Answered(Answer),
    Unsigned(Unsigned<'a>),
}

/// An answer that is decided, and nothing but a signature is missing. Whatever is committed until it is made, the answer
/// is that of the request's moment.
#[derive(Debug)]
pub struct Unsigned<'a> {
    asked: Asked<'a>,
    drafted: Drafted,
    keeper: Keeper<'a>,
}

impl Unsigned<'_> {
    /// Signs it.
    #[must_use]
    pub fn sign(self) -> Answer {
        let Self { asked, drafted, keeper } = self;
        let answer = match drafted.sign(asked.signatory) {
            Ok((answer, ties)) => keeper.kept(&asked, answer, ties),
            Err(refusal) => keeper.missed(asked.refused(&refusal)),
        };
        answer.of(keeper.snapshot)
    }
}

/// Puts answers into memory, where there is a place for them.
#[derive(Debug)]
struct Keeper<'a> {
    place: Option<(&'a AnswerCache, cache::Key<'a>)>,
    snapshot: &'a Snapshot,
    now: UnixTime,
}

impl Keeper<'_> {
    /// An answer that was looked for in memory, where there is one.
    fn missed(&self, answer: Answer) -> Answer {
        let cache = if self.place.is_some() { CacheUse::Miss } else { answer.cache };
        Answer { cache, ..answer }
    }

    fn kept(&self, asked: &Asked<'_>, answer: Answer, ties: Ties) -> Answer {
        if let Some((cache, key)) = &self.place
            && let Some(caching) = answer.caching
            // What all answers of a signatory share is not kept with each.
            && let Some(front) = answer.body.strip_suffix(asked.signatory.template.certificates())
        {
            let worth = if answer.work.effort == Effort::Held { Worth::Cheap } else { Worth::Dear };
            let counts = |kept: &KeptAnswer| kept.counts(self.snapshot, self.now);
            cache.keep(key, front.len(), worth, counts, || {
                let basis = asked.basis(self.snapshot, ties);
                let parts = (front, Arc::clone(&asked.signatory.template));
                KeptAnswer::new(parts, key.chance(), answer.outcome, caching, basis)
            });
        }
        self.missed(answer)
    }
}

#[cfg(test)]
mod tests;
