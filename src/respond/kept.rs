//! An answer in memory, and for how long it counts.
//!
//! Called by [`super::Responder`] when it finds an answer and when it keeps one. An answer counts while all
//! of this holds:
//! - The configuration (keys, certificates, policies) is the one that it was made under: after a rollover the
//!   new key signs at once.
//! - Nothing was committed since that concerns a serial number in it (`store`'s epochs).
//! - The CRLs that it names, if any, are those that a fresh answer would name.
//! - The time lies between its producedAt and its nextUpdate: a clock that was put back brings no answer from
//!   the future.
//! - It is not in the last eighth of its life, less up to a sixteenth that its request decides, so that answers of
//!   one second are not all signed anew in one second. HTTP's `max-age` ends later than that: a client
//!   that returns then gets a newer answer. Only where none is to be had, because the CRL ends where the answer
//!   ends and no other was published since, it counts to its end.

use super::tiers::{Ended, Memory};
use super::{Answer, CacheUse, Caching, Outcome, Work};
use crate::ocsp::ResponseTemplate;
use crate::signing::sha256;
use crate::snapshot::{CrlReference, Generation, Snapshot, Source};
use crate::store::{Epoch, Place};
use crate::x509::UnixTime;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// This part of its life before its end an answer is made anew, and this part again is its jitter.
const RENEWAL_PART: i64 = 8;
const JITTER_PART: i64 = 16;

/// What an answer was decided from.
#[derive(Debug)]
pub(super) struct Basis {
    pub generation: Generation,
    pub epoch: Epoch,
    /// Of every serial number in it.
    pub places: Places,
    /// The key of the snapshot that signed.
    pub signing: usize,
    pub ties: Ties,
}

/// What an answer owes to its CRLs beside what it says of serial numbers.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// Its nextUpdate is that of a CRL or of the signer, not that of its validity.
    pub ends_with_its_sources: bool,
    /// What each certificate's status rests on and the CRL that was named for it. Empty, without an allocation,
    /// where none is ever named.
    pub named: Vec<(Source, Option<CrlReference>)>,
}

impl Ties {
    fn names_the_same(&self, signing: usize, snapshot: &Snapshot) -> bool {
        self.named.is_empty()
            || snapshot.keys().get(signing).is_some_and(|key| {
                self.named.iter().all(|(source, named)| key.scopes.reference(*source) == named.as_ref())
            })
    }
}

/// Usually one; without an allocation then.
#[derive(Debug)]
pub(super) enum Places {
    One(Place),
    Several(Box<[Place]>),
}

impl Places {
    fn as_slice(&self) -> &[Place] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Several(places) => places,
        }
    }
}

/// A signed answer that may be given again.
#[derive(Debug)]
pub(super) struct KeptAnswer {
    /// Without the certificates behind the signature, which all answers of one signatory share: more than half of it.
    front: Box<[u8]>,
    template: Arc<ResponseTemplate>,
    /// Of the body. Most answers are asked for once, and then nobody wants it.
    hash: OnceLock<[u8; 32]>,
    outcome: Outcome,
    caching: Caching,
    basis: Basis,
    renewal: UnixTime,
}

impl KeptAnswer {
    /// Of an answer up to the certificates of its template, and that. `chance` is the same for the same request, and
    /// another for others.
    pub fn new(
        (front, template): (&[u8], Arc<ResponseTemplate>),
        chance: u32,
        outcome: Outcome,
        caching: Caching,
        basis: Basis,
    ) -> Self {
        let Caching { produced_at, next_update, .. } = caching;
        let life = next_update.since(produced_at).max(0);
        let jitter = i64::from(chance) % (life / JITTER_PART + 1);
        let renewal = next_update.plus(-(life / RENEWAL_PART).max(1) - jitter);
        Self { front: front.into(), template, hash: OnceLock::new(), outcome, caching, basis, renewal }
    }

    /// Whether it may be given at `now` to somebody who would be answered from `snapshot`.
    pub fn counts(&self, snapshot: &Snapshot, now: UnixTime) -> bool {
        let Basis { generation, epoch, places, signing, ties } = &self.basis;
        let Caching { produced_at, next_update, .. } = self.caching;
        let is_the_latest = now < self.renewal
            || (ties.ends_with_its_sources && snapshot.view().epoch() == *epoch && now < next_update);
        *generation == snapshot.generation()
            && now >= produced_at
            && is_the_latest
            && places.as_slice().iter().all(|place| snapshot.view().is_unchanged(*place, *epoch))
            && ties.names_the_same(*signing, snapshot)
    }

    /// The same for people: until when it counts, or why it does not.
    pub fn standing(&self, snapshot: &Snapshot, now: UnixTime) -> Memory {
        let Basis { generation, epoch, places, .. } = &self.basis;
        if self.counts(snapshot, now) {
            // Beyond its renewal it counts only where nothing newer is to be had.
            let until = if now < self.renewal { self.renewal } else { self.caching.next_update };
            Memory::Kept { until }
        } else if *generation != snapshot.generation() {
            Memory::Ended(Ended::Reconfigured)
        } else if !places.as_slice().iter().all(|place| snapshot.view().is_unchanged(*place, *epoch)) {
            Memory::Ended(Ended::Changed)
        } else {
            Memory::Ended(Ended::Time)
        }
    }

    pub fn answer(&self) -> Answer {
        let certificates = self.template.certificates();
        let mut body = Vec::with_capacity(self.front.len() + certificates.len());
        body.extend_from_slice(&self.front);
        body.extend_from_slice(certificates);
        let body = Bytes::from(body);
        let hash = self.hash.get().copied().unwrap_or_else(|| {
            let hash = sha256(&body);
            // Two at once have found the same.
            let _ = self.hash.set(hash);
            hash
        });
        Answer {
            body,
            outcome: self.outcome,
            issuer: None,
            caching: Some(self.caching),
            known_hash: Some(hash),
            cache: CacheUse::Hit,
            work: Work::NONE,
        }
    }
}
