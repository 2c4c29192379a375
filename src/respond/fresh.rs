//! A fresh answer: decided and written first, signed afterwards.
//!
//! Called by [`super::Responder`], when neither memory nor what was signed beforehand has the answer. The two steps are
//! apart so that whoever serves many connections may decide about all who wait and then sign for all: a signature's
//! tables push everything that the decisions need out of the processor's nearest caches.

use super::decide::{self, Decision, Refusal, decide};
use super::kept::{Basis, Places, Ties};
use super::presigned;
use super::{Answer, Caching, Effort, Outcome, Work};
use crate::ocsp::{
    CertIdRef, CertStatus, NonceRef, OcspRequest, OcspResponseStatus, ResponseData, SingleResponse, Unsigned,
};
use crate::snapshot::{Key, Signatory, Snapshot, WrittenCertIds};
use crate::store::{Place, Reach};
use crate::x509::UnixTime;
use bytes::Bytes;

/// A request, and what is known of it before anything is looked up.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub request: OcspRequest<'a>,
    /// Which key of the snapshot, and the key.
    pub signing: usize,
    pub key: &'a Key,
    /// Who signs.
    pub signatory: &'a Signatory,
    /// The one to repeat.
    pub nonce: Option<NonceRef<'a>>,
    /// What may be done.
    pub most: Effort,
}

/// What is answered.
pub(super) enum Decided {
    /// Signed beforehand, and what it is tied to.
    Held(Answer, Ties),
    Unsigned(Drafted),
}

impl Asked<'_> {
    pub fn decide(&self, snapshot: &Snapshot, now: UnixTime, reach: Reach) -> Result<Decided, Refusal> {
        let may_be_held =
            !self.signatory.series.is_empty() && self.request.len() == 1 && self.nonce.is_none();
        if may_be_held && let Some(cert_id) = self.request.cert_ids().next() {
            if self.most < Effort::Held {
                return Err(Refusal::TooMuch(Effort::Held));
            }
            match presigned::held(snapshot, self.key, self.signatory, &cert_id, now, reach) {
                Ok(Some((answer, ties))) => return Ok(Decided::Held(answer, ties)),
                Err(Refusal::NotInMemory) => return Err(Refusal::NotInMemory),
                // Whatever is wrong with what is held, a fresh answer is judged by itself.
                Ok(None) | Err(_) => {}
            }
        }
        if self.most < Effort::Signature {
            return Err(Refusal::TooMuch(Effort::Signature));
        }
        self.draft(snapshot, now, reach).map(Decided::Unsigned)
    }

    pub fn refused(&self, refusal: &Refusal) -> Answer {
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

    /// Decides, and writes what is to be signed.
    fn draft(&self, snapshot: &Snapshot, now: UnixTime, reach: Reach) -> Result<Drafted, Refusal> {
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
        let unsigned = signatory.template.begin(&data, draft.singles.iter().copied(), SIGNATURE_OCTETS);
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
        Ok(Drafted { unsigned, outcome, caching: is_shareable.then_some(caching), work, ties: draft.ties })
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
    pub fn basis(&self, snapshot: &Snapshot, ties: Ties) -> Basis {
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

/// An answer whose signed part is written.
#[derive(Debug)]
pub(super) struct Drafted {
    unsigned: Unsigned,
    outcome: Outcome,
    caching: Option<Caching>,
    work: Work,
    ties: Ties,
}

impl Drafted {
    /// The answer, and what it is tied to.
    pub fn sign(self, signatory: &Signatory) -> Result<(Answer, Ties), Refusal> {
        let Self { unsigned, outcome, caching, work, ties } = self;
        let mut signature = Vec::with_capacity(SIGNATURE_OCTETS);
        let signed = signatory.responder.signer().sign(unsigned.to_be_signed(), &mut signature);
        signed.map_err(|_| Refusal::Signature)?;
        let (buffer, start) = unsigned.finish(&signatory.template, &signature);
        let body = Bytes::from(buffer).slice(start..);
        Ok((Answer { work, ..Answer::new(body, outcome, caching) }, ties))
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
pub(super) fn next_update(this_update: UnixTime, validity: i64, now: UnixTime) -> UnixTime {
    let half = (validity / 2).max(1);
    let first = this_update.plus(validity);
    let short = now.plus(half).since(first);
    if short <= 0 {
        return first;
    }
    first.plus((short + half - 1) / half * half)
}

/// Room for the longest usual signature, RSA-4096.
const SIGNATURE_OCTETS: usize = 512;
