//! Answers that were signed beforehand: making them, and using them.
//!
//! A held signature is used only where it says what would be said now: the request is decided from its
//! snapshot like any other, and only then is compared. So a revocation is visible here at once, without
//! anybody taking rows away; and a row may be older or newer than the snapshot.
//!
//! When a held answer is due to be replaced (conformance D4, trap 7) a fresh one is signed instead, unless
//! that would end no later, as it is while a CRL is late.
//!
//! None names a CRL: each would be of no use once the next one came. The configuration refuses to have both.

use super::decide::{Decision, Refusal, decide, decide_listed, not_revoked};
use super::fresh::next_update;
use super::kept::Ties;
use super::tiers::{Beforehand, Outdated};
use super::{Answer, Caching, Effort, Outcome, Work};
use crate::ocsp::{CertIdRef, CertStatus, OcspResponseStatus, ResponseData, SingleResponse};
use crate::signing::SignError;
use crate::snapshot::{Key, Series, Signatory, Snapshot, WrittenCertIds};
use crate::store::{AnswerRow, Candidate, Grounds, Inventoried, Reach, ReadView, StoreError};
use crate::x509::{SerialNumber, UnixTime};
use bytes::Bytes;

const HOUR: i64 = 3600;
/// Conformance D3 and D4: no interval under this, and so long before its end an answer is replaced.
const SHORTEST: i64 = 8 * HOUR;
/// D4: an answer whose interval is shorter than this is replaced before half of it remains.
const SHORT: i64 = 16 * HOUR;
/// D4: no answer is kept longer than this after its thisUpdate.
const LONGEST_KEPT: i64 = 4 * 24 * HOUR;
/// The part of an answer's life that differs from serial number to serial number.
const JITTER_PART: i64 = 8;

/// When an answer is to be replaced. At least a quarter of its life it is used, whatever its CRL's age.
fn due(produced_at: UnixTime, this_update: UnixTime, next_update: UnixTime) -> UnixTime {
    let interval = next_update.since(this_update);
    let life = next_update.since(produced_at).max(0);
    let lead = if interval < SHORT { interval / 2 } else { SHORTEST };
    let latest = next_update.plus(-lead).min(this_update.plus(LONGEST_KEPT));
    latest.max(produced_at.plus(life / 4))
}

/// Seconds below `most` that belong to this serial number: always the same, evenly spread.
fn jitter(serial_number: &SerialNumber, most: i64) -> i64 {
    // FNV-1a: serial numbers come from a counter, and neighbours shall part.
    let hash = serial_number.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let spread = (hash ^ hash >> 29) % u64::try_from(most).unwrap_or(1).max(1);
    i64::try_from(spread).unwrap_or(0)
}

/// The held answer to a request about this certificate alone, without a nonce, and what it is tied to; `None` where there is none that still says what is to be said.
pub(super) fn held(
    snapshot: &Snapshot,
    key: &Key,
    signatory: &Signatory,
    cert_id: &CertIdRef<'_>,
    now: UnixTime,
    reach: Reach,
) -> Result<Option<(Answer, Ties)>, Refusal> {
    let Some(form) = cert_id.form() else { return Ok(None) };
    let Some(series) = signatory.series.iter().find(|series| series.cert_ids.forms.contains(form)) else {
        return Ok(None);
    };
    let (view, serial) = (snapshot.view(), &cert_id.serial_number);
    let answer = view.answer_at_hand(series.number, serial, reach, |row| {
        let decision = match decide_beside(&row, key, view, serial, now, reach) {
            Ok(decision) => decision,
            Err(refusal) => return Some(Err(refusal)),
        };
        let ends_with_its_sources = row.next_update == end_of(&decision, signatory);
        still_says(&row, &decision, signatory, snapshot.options().validity, now).then(|| {
            Ok((
                assemble(&row, key, (signatory, series), cert_id),
                Ties { ends_with_its_sources, named: Vec::new() },
            ))
        })
    });
    answer?.transpose()
}

/// What would be said now, where `row` is held.
fn decide_beside(
    row: &AnswerRow<'_>,
    key: &Key,
    view: &ReadView,
    serial_number: &SerialNumber,
    now: UnixTime,
    reach: Reach,
) -> Result<Decision, Refusal> {
    match row.grounds {
        // The look into the inventory is saved: it was made when this was signed.
        Grounds::Inventory { edition, listed } if edition == key.inventory_edition => {
            decide_listed(key, view, serial_number, listed, now, reach)
        }
        Grounds::Inventory { .. } | Grounds::Unsaid => decide(key, view, serial_number, now, reach),
    }
}

/// What is held of `series` about a serial number, for people: until when it is given out, or why it is not.
pub(super) fn standing(
    snapshot: &Snapshot,
    (key, signatory): (&Key, &Signatory),
    series: &Series,
    serial_number: &SerialNumber,
    now: UnixTime,
) -> Result<Beforehand, StoreError> {
    let view = snapshot.view();
    let standing = view.answer(series.number, serial_number, Reach::Disk, |row| {
        let decision = match decide_beside(&row, key, view, serial_number, now, Reach::Disk) {
            Ok(decision) => decision,
            Err(Refusal::NotOnRecord) => return Beforehand::Outdated(Outdated::Status),
            Err(_) => return Beforehand::Outdated(Outdated::Sources),
        };
        let due = due(row.produced_at, row.this_update, row.next_update);
        if still_says(&row, &decision, signatory, snapshot.options().validity, now) {
            Beforehand::Fresh { until: if now < due { due } else { row.next_update } }
        } else if row.status != decision.status || decision.never_issued {
            Beforehand::Outdated(Outdated::Status)
        } else if row.next_update > end_of(&decision, signatory) {
            Beforehand::Outdated(Outdated::Sources)
        } else {
            Beforehand::Outdated(Outdated::Time)
        }
    })?;
    Ok(standing.unwrap_or(Beforehand::Absent))
}

/// Whether `row` may be sent in place of a fresh answer with this decision.
fn still_says(
    row: &AnswerRow<'_>,
    decision: &Decision,
    signatory: &Signatory,
    validity: i64,
    now: UnixTime,
) -> bool {
    let window = decision.window;
    let end = end_of(decision, signatory);
    let says_the_same = row.status == decision.status && !decision.never_issued;
    // Not from a clock that went ahead, nor from CRLs that are not in force any more.
    let in_time = row.produced_at <= now
        && row.this_update <= window.this_update.min(now)
        && row.next_update > now
        && row.next_update <= end
        // The operator may have shortened it since.
        && row.next_update.since(now) <= validity;
    let fresh = || next_update(window.this_update.min(now), validity, now).min(end);
    says_the_same
        && in_time
        && (now < due(row.produced_at, row.this_update, row.next_update) || row.next_update >= fresh())
}

/// When CRLs or signer end whatever is said now.
fn end_of(decision: &Decision, signatory: &Signatory) -> UnixTime {
    decision.window.next_update.min(signatory.responder.not_after())
}

fn assemble(
    row: &AnswerRow<'_>,
    key: &Key,
    (signatory, series): (&Signatory, &Series),
    cert_id: &CertIdRef<'_>,
) -> Answer {
    let AnswerRow { produced_at, this_update, next_update, status, .. } = *row;
    let template = &signatory.template;
    let data = ResponseData { produced_at, nonce: None, extended_revoke: false };
    let single = |cert_id| SingleResponse { cert_id, status, this_update, next_update, crl_reference: &[] };
    let unsigned = if series.cert_ids.forms.is_one() {
        template.begin(&data, std::iter::once(single(cert_id.raw)), row.signature.len())
    } else {
        let mut cert_ids = WrittenCertIds::default();
        series.cert_ids.write(&cert_id.serial_number, &mut cert_ids);
        template.begin(&data, cert_ids.iter().map(single), row.signature.len())
    };
    let (buffer, start) = unsigned.finish(template, row.signature);
    let (good, revoked) = if status == CertStatus::Good { (1, 0) } else { (0, 1) };
    let status = OcspResponseStatus::Successful;
    let outcome = Outcome { issuer: Some(key.issuer), status, good, revoked, unknown: 0 };
    let caching = Caching { this_update, next_update, produced_at };
    let body = Bytes::from(buffer).slice(start..);
    Answer { work: Work::done(Effort::Held, false), ..Answer::new(body, outcome, Some(caching)) }
}

/// Signs answers of one series beforehand. It is no part of a request's way.
pub struct Presigner<'a> {
    snapshot: &'a Snapshot,
    key: &'a Key,
    signatory: &'a Signatory,
    series: &'a Series,
    cert_ids: WrittenCertIds,
    signature: Vec<u8>,
}

impl<'a> Presigner<'a> {
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, key: &'a Key, signatory: &'a Signatory, series: &'a Series) -> Self {
        let (cert_ids, signature) = (WrittenCertIds::default(), Vec::with_capacity(512));
        Self { snapshot, key, signatory, series, cert_ids, signature }
    }

    /// The answer about `candidate` as of `now`, and when it is to be replaced; `None` where there
    /// would be none, or one that is not to be kept (`unknown`).
    ///
    /// nextUpdate is up to an eighth of the validity earlier than that of a fresh answer, by serial
    /// number, so that what is signed together does not run out together.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(
        &mut self,
        candidate: &Candidate,
        now: UnixTime,
    ) -> Result<Option<(AnswerRow<'_>, UnixTime)>, SignError> {
        if !self.signatory.is_valid(now) {
            return Ok(None);
        }
        let Some(decision) = self.decide(candidate, now) else { return Ok(None) };
        let (this_update, next_update) = self.times(&decision, &candidate.serial_number, now);
        if next_update <= now {
            return Ok(None);
        }
        self.series.cert_ids.write(&candidate.serial_number, &mut self.cert_ids);
        let status = decision.status;
        let single =
            |cert_id| SingleResponse { cert_id, status, this_update, next_update, crl_reference: &[] };
        let data = ResponseData { produced_at: now, nonce: None, extended_revoke: false };
        let unsigned = self.signatory.template.begin(&data, self.cert_ids.iter().map(single), 0);
        self.signature.clear();
        self.signatory.responder.signer().sign(unsigned.to_be_signed(), &mut self.signature)?;
        let grounds = match (decision.status, candidate.listed) {
            (CertStatus::Good, listed @ (Inventoried::Listed | Inventoried::InScope(_))) => {
                Grounds::Inventory { edition: self.key.inventory_edition, listed }
            }
            _ => Grounds::Unsaid,
        };
        let row = AnswerRow {
            produced_at: now,
            this_update,
            next_update,
            status: decision.status,
            grounds,
            signature: &self.signature,
        };
        Ok(Some((row, due(now, this_update, next_update))))
    }

    /// Whether the store holds an answer about `candidate` that requests still use. What cannot be
    /// answered at all needs none.
    #[must_use]
    pub fn is_held(&self, candidate: &Candidate, now: UnixTime) -> bool {
        let Some(decision) = self.decide(candidate, now) else { return true };
        let validity = self.snapshot.options().validity;
        let judge = |row: AnswerRow<'_>| still_says(&row, &decision, self.signatory, validity, now);
        let held =
            self.snapshot.view().answer(self.series.number, &candidate.serial_number, Reach::Disk, judge);
        matches!(held, Ok(Some(true)))
    }

    fn decide(&self, candidate: &Candidate, now: UnixTime) -> Option<Decision> {
        let decision = if candidate.has_status {
            decide(self.key, self.snapshot.view(), &candidate.serial_number, now, Reach::Disk)
        } else {
            not_revoked(self.key, candidate.listed, now)
        };
        decision.ok().filter(|decision| decision.status != CertStatus::Unknown && !decision.never_issued)
    }

    fn times(&self, decision: &Decision, serial: &SerialNumber, now: UnixTime) -> (UnixTime, UnixTime) {
        let validity = self.snapshot.options().validity;
        let this_update = decision.window.this_update.min(now);
        let fresh = next_update(this_update, validity, now);
        // Of a CRL that is older than its answers would live, the life begins now.
        let latest = if fresh == this_update.plus(validity) { fresh } else { now.plus(validity) };
        let spread = jitter(serial, validity / JITTER_PART);
        let next_update = latest
            .plus(-spread)
            .max(this_update.plus(validity.min(SHORTEST)))
            .min(end_of(decision, self.signatory));
        (this_update, next_update)
    }
}
