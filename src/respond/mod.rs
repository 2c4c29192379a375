//! The hot path: the octets of a request in, the octets of an answer out.
//!
//! [`Responder::respond`] is called by `http` for every request. It is no `async fn`, because nothing
//! in it waits; it takes `&self`, because nothing in it changes; and it returns no `Result`, because
//! every failure *is* an OCSP answer. It reads no clock: the time is an argument.

mod cache;
mod decide;
mod effort;
mod explain;
mod kept;
mod presigned;
mod tiers;

pub use effort::{Allowance, Effort, Work};
pub use explain::{Evidence, Explanation, Ground, explain};
pub use presigned::Presigner;
pub use tiers::{Beforehand, Ended, Memory, Outdated, Tier, Tiers};

use crate::ocsp::{
    CertIdRef, CertStatus, NonceRef, OcspRequest, OcspResponseStatus, ResponseData, SingleResponse,
    error_response,
};
use crate::signing::sha256;
use crate::snapshot::{IssuerIndex, Key, NoncePolicy, Signatory, Snapshot, WrittenCertIds};
use crate::store::{IssuerNumber, Place, Reach};
use crate::x509::UnixTime;
use bytes::Bytes;
use cache::{AnswerCache, Worth};
use decide::{Decision, Refusal, decide};
use kept::{Basis, KeptAnswer, Places, Ties};
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
        answer.map_or_else(
            || Answer::error(OcspResponseStatus::InternalError, None),
            |answer| answer.of(snapshot),
        )
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
        Some(self.respond_as_far(snapshot, request, now, (Reach::Memory, allowance))?.of(snapshot))
    }

    fn respond_as_far(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        now: UnixTime,
        (reach, allowance): (Reach, Allowance),
    ) -> Option<Answer> {
        let Ok(request) = OcspRequest::parse(request) else {
            return Some(Answer::error(OcspResponseStatus::MalformedRequest, None));
        };
        let Some((signing, key)) = request.cert_ids().find_map(|cert_id| snapshot.key_of(&cert_id)) else {
            return Some(Answer::error(OcspResponseStatus::Unauthorized, None));
        };
        let issuer = Some(key.issuer);
        let options = snapshot.options();
        // A nonce that is not repeated is an extension that is not processed; a critical one must be
        // (RFC 5280 4.2).
        if request.nonce_is_critical && options.nonce == NoncePolicy::Ignore {
            return Some(Answer::error(OcspResponseStatus::MalformedRequest, issuer));
        }
        let (signatory_index, signatory) = key.signatories.preferred(request.preferred_algorithms, now);
        if !signatory.is_valid(now) {
            return Some(Answer::error(OcspResponseStatus::TryLater, issuer));
        }

        let nonce = match options.nonce {
            NoncePolicy::Echo => request.nonce,
            NoncePolicy::Ignore => None,
        };
        let most = if nonce.is_some() { allowance.with_nonce } else { allowance.without };
        let asked = Asked { request: &request, signing, key, signatory, nonce, most };
        let Some(cache) = self.cache.as_ref().filter(|_| nonce.is_none()) else {
            return match asked.answer(snapshot, now, reach) {
                Ok((answer, _)) => Some(answer),
                Err(Refusal::NotInMemory) => None,
                Err(refusal) => Some(asked.refused(&refusal)),
            };
        };
        let cache_key = cache.key(request.list_octets(), signatory_index);
        let counts = |kept: &KeptAnswer| kept.counts(snapshot, now);
        let kept = cache.find(&cache_key, |kept| counts(kept).then(|| kept.answer()));
        if let Some(answer) = kept {
            return Some(answer);
        }
        let (mut answer, ties) = match asked.answer(snapshot, now, reach) {
            Ok(answered) => answered,
            Err(Refusal::NotInMemory) => return None,
            Err(refusal) => {
                return Some(Answer { cache: CacheUse::Miss, ..asked.refused(&refusal) });
            }
        };
        answer.cache = CacheUse::Miss;
        if let Some(caching) = answer.caching
            // What all answers of a signatory share is not kept with each.
            && let Some(front) = answer.body.strip_suffix(signatory.template.certificates())
        {
            let worth = if answer.work.effort == Effort::Held { Worth::Cheap } else { Worth::Dear };
            cache.keep(&cache_key, front.len(), worth, counts, || {
                let basis = asked.basis(snapshot, ties);
                let parts = (front, Arc::clone(&signatory.template));
                KeptAnswer::new(parts, cache_key.chance(), answer.outcome, caching, basis)
            });
        }
        Some(answer)
    }
}

/// A request, and what is known of it before anything is looked up.
struct Asked<'a> {
    request: &'a OcspRequest<'a>,
    /// Which key of the snapshot, and the key.
    signing: usize,
    key: &'a Key,
    /// Who signs.
    signatory: &'a Signatory,
    /// The one to repeat.
    nonce: Option<NonceRef<'a>>,
    /// What may be done.
    most: Effort,
}

impl Asked<'_> {
    /// The answer, signed beforehand or now, and what it is tied to.
    fn answer(&self, snapshot: &Snapshot, now: UnixTime, reach: Reach) -> Result<(Answer, Ties), Refusal> {
        let may_be_held =
            !self.signatory.series.is_empty() && self.request.len() == 1 && self.nonce.is_none();
        if may_be_held && let Some(cert_id) = self.request.cert_ids().next() {
            if self.most < Effort::Held {
                return Err(Refusal::TooMuch(Effort::Held));
            }
            match presigned::held(snapshot, self.key, self.signatory, &cert_id, now, reach) {
                Ok(Some(held)) => return Ok(held),
                Err(Refusal::NotInMemory) => return Err(Refusal::NotInMemory),
                // Whatever is wrong with what is held, a fresh answer is judged by itself.
                Ok(None) | Err(_) => {}
            }
        }
        if self.most < Effort::Signature {
            return Err(Refusal::TooMuch(Effort::Signature));
        }
        self.sign(snapshot, now, reach)
    }

    fn refused(&self, refusal: &Refusal) -> Answer {
        let answer = Answer::error(refusal.status(), Some(self.key.issuer));
        match refusal {
            Refusal::TooMuch(effort) => Answer { work: Work::shed(*effort, self.nonce.is_some()), ..answer },
            Refusal::Stale
            | Refusal::NotOnRecord
            | Refusal::Store
            | Refusal::Signature
            | Refusal::NotInMemory => answer,
        }
    }

    /// Decides and signs.
    fn sign(&self, snapshot: &Snapshot, now: UnixTime, reach: Reach) -> Result<(Answer, Ties), Refusal> {
        let Self { request, signing, key, signatory, nonce, .. } = *self;
        let mut together = WrittenCertIds::default();
        self.write_pair(&mut together);
        let mut draft = Draft::new(request.len(), signatory.responder.not_after());
        for cert_id in request.cert_ids() {
            let decision = match snapshot.key_of(&cert_id) {
                Some((asked, _)) if asked == signing => {
                    decide(key, snapshot.view(), &cert_id.serial_number, now, reach)
                }
                _ => Ok(decide::not_ours(now)),
            };
            draft.add(cert_id.raw, &decision?, key, snapshot.options().validity, now)?;
        }
        // `unknown` is for nobody else, so there is nobody to share it with.
        if draft.unknown == 0 {
            draft.say_to_all(together.iter());
        }
        let data = ResponseData { produced_at: now, nonce, extended_revoke: draft.extended_revoke };
        let body = sign(signatory, &data, &draft.singles).ok_or(Refusal::Signature)?;
        let outcome = Outcome {
            issuer: Some(key.issuer),
            status: OcspResponseStatus::Successful,
            good: draft.good,
            revoked: draft.revoked,
            unknown: draft.unknown,
        };
        let caching =
            Caching { this_update: draft.this_update, next_update: draft.next_update, produced_at: now };
        let is_shareable = nonce.is_none() && draft.unknown == 0;
        let work = Work::done(Effort::Signature, nonce.is_some());
        let answer = Answer { work, ..Answer::new(body, outcome, is_shareable.then_some(caching)) };
        Ok((answer, draft.ties))
    }

    /// Of an answer that may be shared and is about one certificate: the two CertIDs that it speaks to, where
    /// this form is one of a pair (RFC 9919 3.2.1).
    fn write_pair(&self, out: &mut WrittenCertIds) {
        if let Some(pair) = &self.key.pair
            && self.nonce.is_none()
            && self.request.len() == 1
            && let Some(cert_id) = self.request.cert_ids().next()
            && cert_id.form().is_some_and(|form| pair.forms.contains(form))
        {
            pair.write(&cert_id.serial_number, out);
        }
    }

    /// What an answer that may be shared rests on: all its CertIDs are of the key that signed it.
    fn basis(&self, snapshot: &Snapshot, ties: Ties) -> Basis {
        let mut cert_ids = self.request.cert_ids();
        let place = |cert_id: CertIdRef<'_>| Place::of(self.key.number, &cert_id.serial_number);
        let places = match (self.request.len(), cert_ids.next()) {
            (1, Some(only)) => Places::One(place(only)),
            (_, first) => Places::Several(first.into_iter().chain(cert_ids).map(place).collect()),
        };
        Basis {
            generation: snapshot.generation(),
            epoch: snapshot.view().epoch(),
            places,
            signing: self.signing,
            ties,
        }
    }
}

/// The single responses of an answer, as they come together.
struct Draft<'a> {
    singles: Vec<SingleResponse<'a>>,
    /// Oldest and nearest of all of them.
    this_update: UnixTime,
    next_update: UnixTime,
    ties: Ties,
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
            ties: Ties::default(),
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
        key: &'a Key,
        validity: i64,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        // A CRL's thisUpdate may stand a few minutes ahead of this machine's clock; an answer's may
        // not stand behind producedAt (RFC 6960 2.4).
        let this_update = decision.window.this_update.min(now);
        let sources_end = decision.window.next_update.min(self.signer_not_after);
        let next_update = next_update(this_update, validity, now).min(sources_end);
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
        if next_update < self.next_update {
            self.next_update = next_update;
            self.ties.ends_with_its_sources = next_update == sources_end;
        }
        let reference = key.scopes.reference(decision.source);
        if key.scopes.has_references() {
            self.ties.named.push((decision.source, reference.cloned()));
        }
        let crl_reference = reference.map(|reference| &reference[..]).unwrap_or_default();
        let status = decision.status;
        self.singles.push(SingleResponse { cert_id, status, this_update, next_update, crl_reference });
        Ok(())
    }

    /// Says what it says of the only certificate to each of `cert_ids`; where there are none, as before.
    fn say_to_all(&mut self, cert_ids: impl Iterator<Item = &'a [u8]>) {
        let mut cert_ids = cert_ids.peekable();
        if cert_ids.peek().is_some()
            && let Some(only) = self.singles.pop()
        {
            self.singles.extend(cert_ids.map(|cert_id| SingleResponse { cert_id, ..only }));
        }
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
fn sign(signatory: &Signatory, data: &ResponseData<'_>, singles: &[SingleResponse<'_>]) -> Option<Bytes> {
    let Signatory { responder, template, .. } = signatory;
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
