//! The one thread that writes the audit log.
//!
//! It takes what workers told out of their queues, a fiftieth of a second after the last time; hashes, gives serial
//! numbers their pseudonyms, and appends records; and commits them every [`COMMIT_EVERY`]. Answers of one worker are in
//! the order in which they were given.
//!
//! When the disk or the key fails, it keeps what it has, takes no more out of the queues, and tries again; the queues
//! fill, and what then becomes of answers is [`super::recorder`]'s. Once it succeeds it writes how many are missing.
//!
//! Segments and keys are deleted when they are old by [`Aging`]: a clock that runs ahead for a moment takes nothing away.

#![expect(
    clippy::disallowed_methods,
    reason = "the stopwatch between commits; no request waits for this thread"
)]

use super::folder::Folder;
use super::head::Head;
use super::log::Log;
use super::pseudonyms::{KeyFolder, pseudonym};
use super::record::{
    AnswerRecord, Cause, Entry, GapRecord, NameRecord, Named, PSEUDONYM, Record, Said, Source,
};
use super::recorder::{ROOM, Recorder, Shared, Told};
use super::sources::Sources;
use super::{AuditError, AuditOptions, COMMIT_EVERY};
use crate::clock::{Aging, Clock};
use crate::metrics::AuditMetrics;
use crate::ocsp::{CertIdRef, CertStatus, OcspRequest, ParsedResponse};
use crate::signing::{PseudonymKey, sha256};
use crate::snapshot::{Published, Snapshot};
use crate::store::{IssuerNumber, Store, VerifierNumber};
use crate::x509::UnixTime;
use crossbeam_queue::ArrayQueue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the queues are emptied.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Octets that are appended before they are committed whatever the time.
const MOST_PENDING: usize = 4 << 20;
/// How often a closing log is tried to be written, and how far apart: five seconds in all.
const LAST_TRIES: u32 = 25;
const TRY_EVERY: Duration = Duration::from_millis(200);
/// How often the newest head is said in the log, and keys are looked through.
const SAY_EVERY: i64 = 3600;

/// Where records come from and go to.
pub struct Audit {
    pub published: Arc<Published>,
    pub store: Arc<Store>,
    pub clock: Clock,
    pub metrics: Arc<AuditMetrics>,
}

/// See the module's head.
pub struct Scribe {
    audit: Audit,
    options: AuditOptions,
    queues: Vec<Arc<ArrayQueue<Told>>>,
    shared: Arc<Shared>,
    log: Log,
    keys: KeyFolder,
    /// The keys of the periods that were written of last, by name.
    known_keys: HashMap<String, PseudonymKey>,
    sources: Sources,
    /// Names that stand in the segment already.
    named: HashSet<(u8, u32)>,
    verifiers: HashMap<u32, String>,
    /// Gaps that are to be written.
    missing: u64,
    refused: u64,
    /// Gaps that were written.
    gaps: u64,
    /// The segment was closed, and the next is not there yet: nothing may be appended.
    is_turning: bool,
    said_at: Option<UnixTime>,
    /// By which segments and keys are old, where they are not kept without end.
    aging: Option<Aging>,
    /// When keys were last looked through.
    destroyed_at: Option<UnixTime>,
}

/// See [`Scribe::ending`].
pub struct Ending(Arc<Shared>);

impl Ending {
    pub fn announce(self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

impl Scribe {
    /// Opens the log, and gives a recorder to each of so many `workers`.
    ///
    /// # Errors
    /// When the log or its keys cannot be read or written.
    pub fn open(
        audit: Audit,
        options: AuditOptions,
        workers: usize,
    ) -> Result<(Self, Vec<Recorder>), AuditError> {
        let now = audit.clock.now();
        let keys = KeyFolder::at(&options.keys);
        // What would fail at the first answer fails now.
        let period = options.period.name(now);
        let known_keys = HashMap::from([(period.clone(), keys.key(&period)?)]);
        let log = Log::open(Folder::at(&options.path), Arc::clone(&options.signer), options.log, now)?;
        let is_kept_for_good = options.log.keep_seconds.is_none() && options.keep_keys_seconds.is_none();
        let aging = (!is_kept_for_good)
            .then(|| Aging::new(audit.clock.clone(), "the audit log and its keys", log.recorded()));
        let shared = Arc::new(Shared::default());
        let queues: Vec<_> = (0..workers).map(|_| Arc::new(ArrayQueue::new(ROOM))).collect();
        let recorders = queues.iter().map(|queue| Recorder {
            queue: Arc::clone(queue),
            shared: Arc::clone(&shared),
            when_full: options.when_full,
        });
        let recorders = recorders.collect();
        let scribe = Self {
            audit,
            options,
            queues,
            shared,
            log,
            keys,
            known_keys,
            sources: Sources::default(),
            named: HashSet::new(),
            verifiers: HashMap::new(),
            missing: 0,
            refused: 0,
            gaps: 0,
            is_turning: false,
            said_at: None,
            aging,
            destroyed_at: None,
        };
        Ok((scribe, recorders))
    }

    /// With which whoever ends the process tells it that the last worker has ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending(Arc::clone(&self.shared))
    }

    /// Writes until no worker is left and all that they told is on the disk.
    pub fn run(mut self) {
        self.say_head();
        let mut committed = Instant::now();
        loop {
            // Looked at first: whatever was told before it is in the queues.
            let is_over = self.shared.is_over.load(Ordering::Acquire);
            let is_all = self.take();
            if is_over && is_all {
                break;
            }
            if committed.elapsed() >= COMMIT_EVERY || self.log.pending() >= MOST_PENDING {
                committed = Instant::now();
                let done = self.commit();
                self.tell(done);
            }
            if is_all {
                std::thread::park_timeout(LOOK_EVERY);
            }
            if is_over && self.shared.is_stuck.load(Ordering::Relaxed) {
                break;
            }
        }
        self.end();
    }

    /// Appends what is in the queues, as far as there is room. Whether they are empty, or must wait.
    fn take(&mut self) -> bool {
        let waiting: usize = self.queues.iter().map(|queue| queue.len()).sum();
        self.audit.metrics.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        if self.is_turning || self.shared.is_stuck.load(Ordering::Relaxed) {
            return true;
        }
        let published = Arc::clone(&self.audit.published);
        let snapshot = published.load();
        self.sources.look(&snapshot);
        for queue in self.queues.clone() {
            while self.log.pending() < MOST_PENDING {
                let Some(told) = queue.pop() else { break };
                if let Err(why) = self.append(&told, &snapshot) {
                    // Without the key of its pseudonyms it cannot be written, now or later.
                    self.count_gap(Cause::NoRoom, 1);
                    self.tell(Err(why));
                    return true;
                }
            }
        }
        self.log.pending() < MOST_PENDING
    }

    fn append(&mut self, told: &Told, snapshot: &Snapshot) -> Result<(), AuditError> {
        let period = self.options.period.name(told.now);
        if !self.known_keys.contains_key(&period) {
            let key = self.keys.key(&period)?;
            if self.known_keys.len() > 1 {
                self.known_keys.clear();
            }
            self.known_keys.insert(period.clone(), key);
        }
        let Some(key) = self.known_keys.get(&period) else { return Ok(()) };
        let entries = entries(told, snapshot, key, &self.sources);
        let issuer = told.issuer.map_or(0, IssuerNumber::get);
        let verifier = told.verifier.map_or(0, VerifierNumber::get);
        self.name_issuer(issuer, snapshot);
        self.name_verifier(verifier);
        self.log.append(&Record::Answer(AnswerRecord {
            time: told.now,
            verifier,
            issuer,
            method: told.method as u8,
            status: told.status,
            response: told.response_hash.unwrap_or_else(|| sha256(&told.response)),
            on_behalf_of: String::from_utf8_lossy(told.on_behalf_of.as_slice()).into_owned(),
            entries,
        }));
        self.audit.metrics.records.inc();
        Ok(())
    }

    fn name_issuer(&mut self, number: u32, snapshot: &Snapshot) {
        if number == 0 || !self.named.insert((Named::Issuer as u8, number)) {
            return;
        }
        let issuer = snapshot.issuers().iter().find(|issuer| issuer.number.get() == number);
        let name = issuer.map_or_else(String::new, |issuer| issuer.name.clone());
        self.log.append(&Record::Name(NameRecord { named: Named::Issuer, number, name }));
    }

    fn name_verifier(&mut self, number: u32) {
        if number == 0 || !self.named.insert((Named::Verifier as u8, number)) {
            return;
        }
        if !self.verifiers.contains_key(&number)
            && let Ok(verifiers) = self.audit.store.verifiers()
        {
            self.verifiers = verifiers.into_iter().map(|(number, id)| (number.get(), id)).collect();
        }
        let name = self.verifiers.get(&number).cloned().unwrap_or_default();
        self.log.append(&Record::Name(NameRecord { named: Named::Verifier, number, name }));
    }

    /// Makes durable what was appended, closes a segment that is due, and destroys keys whose time is over.
    fn commit(&mut self) -> Result<(), AuditError> {
        let now = self.audit.clock.now();
        let old_by = self.aging.as_mut().and_then(Aging::now);
        self.look_for_gaps();
        if !self.is_turning {
            // Not while the disk takes nothing: then it would be one gap after the other.
            if !self.shared.is_stuck.load(Ordering::Relaxed) {
                self.append_gaps(now);
            }
            if self.log.pending() > 0 {
                self.log.commit(now)?;
            }
        }
        if self.is_turning || self.log.is_due(now) {
            self.is_turning = true;
            self.log.turn(now, old_by)?;
            self.is_turning = false;
            self.named.clear();
            self.say_head();
        }
        if is_due(self.said_at, now) {
            self.say_head();
        }
        let (segment, records) = self.log.position();
        self.audit.metrics.segment.set(i64::try_from(segment).unwrap_or(i64::MAX));
        self.audit.metrics.segment_records.set(i64::try_from(records).unwrap_or(i64::MAX));
        self.audit.metrics.committed.set(now.seconds());
        self.destroy_keys(now, old_by)
    }

    /// Counts what workers say is not on record, at once: a disk that is full for hours is seen while it is.
    fn look_for_gaps(&mut self) {
        let (missing, refused) =
            (self.shared.missing.swap(0, Ordering::Relaxed), self.shared.refused.swap(0, Ordering::Relaxed));
        self.count_gap(Cause::NoRoom, missing);
        self.count_gap(Cause::Refused, refused);
    }

    fn count_gap(&mut self, cause: Cause, count: u64) {
        let metrics = &self.audit.metrics;
        let (counter, waiting) = if cause == Cause::NoRoom {
            (&metrics.missing, &mut self.missing)
        } else {
            (&metrics.refused, &mut self.refused)
        };
        counter.inc_by(count);
        *waiting += count;
    }

    fn append_gaps(&mut self, now: UnixTime) {
        for (cause, count) in [(Cause::NoRoom, &mut self.missing), (Cause::Refused, &mut self.refused)] {
            let count = std::mem::take(count);
            if count > 0 {
                self.log.append(&Record::Gap(GapRecord { cause, count, time: now }));
                self.gaps += 1;
                if self.gaps.is_power_of_two() {
                    let gaps = self.gaps;
                    tracing::error!(
                        gaps,
                        count,
                        ?cause,
                        "answers are not in the audit log; a gap record says so"
                    );
                }
            }
        }
    }

    fn destroy_keys(&mut self, now: UnixTime, old_by: Option<UnixTime>) -> Result<(), AuditError> {
        let (Some(keep), Some(old_by)) = (self.options.keep_keys_seconds, old_by) else { return Ok(()) };
        if !is_due(self.destroyed_at, now) {
            return Ok(());
        }
        for period in self.keys.destroy(keep, old_by)? {
            tracing::info!(period, "the key of this period's pseudonyms was destroyed");
        }
        self.destroyed_at = Some(now);
        Ok(())
    }

    /// Says the newest head where others may keep it.
    fn say_head(&mut self) {
        self.said_at = Some(self.audit.clock.now());
        if let Some(head) = self.log.head() {
            say("head of the audit log", head);
        }
    }

    /// Whether the log is stuck, for workers and people. The first, the second, the fourth, … failure is logged.
    fn tell(&self, done: Result<(), AuditError>) {
        self.shared.is_stuck.store(done.is_err(), Ordering::Relaxed);
        if let Err(why) = done {
            self.audit.metrics.failures.inc();
            let count = self.audit.metrics.failures.get();
            if count.is_power_of_two() {
                tracing::error!(count, reason = %why, "the audit log cannot be written; trying again");
            }
        }
    }

    fn end(mut self) {
        let mut tries = 1;
        loop {
            let done = self.commit();
            let is_done = done.is_ok();
            self.tell(done);
            if (is_done && self.take() && self.log.pending() == 0) || tries == LAST_TRIES {
                break;
            }
            tries += u32::from(!is_done);
            std::thread::park_timeout(if is_done { LOOK_EVERY } else { TRY_EVERY });
        }
        let lost: u64 = self.queues.iter().map(|queue| queue.len() as u64).sum();
        self.count_gap(Cause::NoRoom, lost);
        let now = self.audit.clock.now();
        // Behind its final head nothing may stand in a segment.
        if self.is_turning {
            tracing::error!(
                answers = lost,
                "the audit log was not closed: its next segment could not be made"
            );
            return;
        }
        self.look_for_gaps();
        self.append_gaps(now);
        match self.log.close(now) {
            Ok(head) => {
                if let Some(head) = head {
                    say("the audit log is closed", &head);
                }
            }
            Err(why) => {
                tracing::error!(answers = lost, reason = %why, "the audit log was not written to its end");
            }
        }
    }
}

/// Whether an hour is over since `last`; also where that lies in the future, because the clock was put back.
fn is_due(last: Option<UnixTime>, now: UnixTime) -> bool {
    last.is_none_or(|last| !(0..SAY_EVERY).contains(&now.since(last)))
}

fn say(what: &str, head: &Head) {
    let root: String = head.root.iter().map(|octet| format!("{octet:02x}")).collect();
    tracing::info!(segment = head.segment, records = head.records, root, "{what}");
}

/// What was said of each certificate that was asked about.
fn entries(told: &Told, snapshot: &Snapshot, key: &PseudonymKey, sources: &Sources) -> Vec<Entry> {
    if let Ok(ParsedResponse::Basic(response)) = ParsedResponse::parse(&told.response) {
        let singles = response.singles();
        return singles
            .map(|single| {
                let said = match single.status {
                    CertStatus::Good => Said::Good,
                    CertStatus::Revoked(_) => Said::Revoked,
                    CertStatus::Unknown => Said::Unknown,
                };
                let this_update = single.this_update;
                let source = told.issuer.map_or(Source::None, |issuer| sources.find(issuer, this_update));
                Entry { said, pseudonym: named(&single.cert_id, snapshot, key), this_update, source }
            })
            .collect();
    }
    let Ok(request) = OcspRequest::parse(told.request.as_slice()) else { return Vec::new() };
    let cert_ids = request.cert_ids();
    cert_ids
        .map(|cert_id| Entry {
            said: Said::Nothing,
            pseudonym: named(&cert_id, snapshot, key),
            this_update: UnixTime::EPOCH,
            source: Source::None,
        })
        .collect()
}

/// The pseudonym of a certificate; one of a CA that is none of ours has it under no name.
fn named(cert_id: &CertIdRef<'_>, snapshot: &Snapshot, key: &PseudonymKey) -> [u8; PSEUDONYM] {
    let issuer = snapshot.key_of(cert_id).and_then(|(_, key)| snapshot.issuers().get(key.issuer.0));
    pseudonym(key, issuer.map_or("", |issuer| issuer.name.as_str()), &cert_id.serial_number)
}

#[cfg(test)]
mod tests;
