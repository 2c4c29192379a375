//! Signing beforehand: `ocsprey presign`, and the refresher of a server.
//!
//! Both plan from the records of the segments: what was never signed comes first, then what is due, the
//! earliest first. Threads take ranges of serial numbers off one plan, sign them at the lowest priority, and write
//! each as one segment, so that memory is bounded by a segment a thread and a process that is killed
//! loses the segments under way. A range that is cut short is written as far as it came.
//!
//! The refresher looks at the published snapshot once a second. When CRLs were replaced it first signs
//! anew what they changed: the entries of those scopes whose held answers are not used any more. Answers
//! that went the other way, from revoked to good, wait for their segment; requests are
//! answered right all the while, by a fresh signature.

#![expect(
    clippy::disallowed_types,
    reason = "threads that sign beforehand share a plan; no request comes by"
)]

use super::intake::Shared;
use super::places::open_store;
use super::{AppError, issuers, priority};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::respond::Presigner;
use crate::signing::SignError;
use crate::snapshot::{Series, Signatory, Snapshot};
use crate::store::{
    Candidate, Inventoried, ScopeNumber, ScopeRecord, Segment, SerialBound, Store, StoreError,
};
use crate::x509::{SerialNumber, UnixTime};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Serial numbers of a segment, at the most: one or two seconds of P-256 signatures, 14 MB.
const SEGMENT: usize = 131_072;
/// So many at the least, so that small inventories are shared among the threads.
const SMALL_SEGMENT: usize = 1024;
/// Answers between two looks at the clock and at whether to stop.
const GROUP: usize = 256;
/// How often the refresher looks whether there is anything to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it leaves a store or a key alone that failed.
const RETRY_AFTER: i64 = 60;

/// What `ocsprey presign` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresignReport {
    /// Signed now.
    pub signed: u64,
    /// In the store, of the configured keys and forms.
    pub held: u64,
}

/// Why signing beforehand ended early. What was signed before stays.
#[derive(Debug, thiserror::Error)]
enum PresignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an OCSP signer: {0}")]
    Sign(#[from] SignError),
}

/// Signs everything that is not signed or is due, of one issuer or of all. `begin` is told about how many
/// answers that may be, and gives what is told how many more are done.
///
/// # Errors
/// When the configuration, the store or a key is no good.
pub fn presign<P: Fn(u64) + Sync>(
    config: &Config,
    issuer: Option<&str>,
    begin: impl FnOnce(u64) -> P,
) -> Result<PresignReport, AppError> {
    let clock = Clock::System;
    let loaded = issuers::load(config, &Metrics::new()?, &clock).map_err(AppError::Faults)?;
    let store = open_store(config)?;
    let configured = Arc::new(issuers::configured(config, loaded, &store)?);
    let snapshot = Snapshot::build(configured, store.view()?)?;
    // Who asked for one issuer has said nothing of the others'.
    if issuer.is_none() {
        forget_others(&store, &snapshot, clock.now())?;
    }
    let threads = super::workers::count(0);
    let mut work =
        Work::plan(&store, &snapshot, issuer, threads, config.response.presign_limit, clock.now())?;
    let progress = begin(work.estimate());
    let until = Until { stop: &AtomicBool::new(false), is_superseded: &|| false };
    let signed = work.run(&store, &snapshot, &clock, threads, until, &progress).map_err(|why| match why {
        PresignError::Store(why) => AppError::Store(why),
        PresignError::Sign(why) => AppError::Presign(why),
    })?;
    let held = series(&snapshot, issuer).map(|one| answers_of(&store, one.series)).sum::<Result<_, _>>()?;
    Ok(PresignReport { signed, held })
}

/// Takes away the answers of keys and forms that are not configured any more.
fn forget_others(store: &Store, snapshot: &Snapshot, now: UnixTime) -> Result<(), StoreError> {
    let kept: Vec<_> = series(snapshot, None).map(|one| one.series.number).collect();
    let forgotten = store.forget_series_but(&kept, now)?;
    if forgotten > 0 {
        tracing::info!(
            series = forgotten,
            "pre-signed answers of keys that do not sign any more were taken away"
        );
    }
    Ok(())
}

/// A series of a snapshot, its key there, and who signs it.
#[derive(Clone, Copy)]
struct Signing<'a> {
    key: usize,
    signatory: &'a Signatory,
    series: &'a Series,
}

fn series<'a>(snapshot: &'a Snapshot, issuer: Option<&'a str>) -> impl Iterator<Item = Signing<'a>> {
    let is_meant = move |index: usize| {
        issuer.is_none_or(|name| snapshot.issuers().get(index).is_some_and(|issuer| issuer.name == name))
    };
    let keys = snapshot.keys().iter().enumerate().filter(move |(_, key)| is_meant(key.issuer.0));
    let signatories = keys.flat_map(|(key, of)| of.signatories.all().map(move |one| (key, one)));
    signatories.flat_map(|(key, signatory)| {
        signatory.series.iter().map(move |series| Signing { key, signatory, series })
    })
}

fn answers_of(store: &Store, series: &Series) -> Result<u64, StoreError> {
    Ok(store.segments(series.number)?.iter().map(|segment| u64::from(segment.row.answers)).sum())
}

/// Serial numbers to sign, from `start` on and before `end`.
#[derive(Clone, Copy)]
struct Range<'a> {
    signing: Signing<'a>,
    start: SerialBound,
    /// `None`: to the last there is.
    end: Option<SerialBound>,
    /// `None`: they have no answers yet.
    due: Option<UnixTime>,
}

/// What is to be signed, in order.
struct Work<'a> {
    ranges: VecDeque<Range<'a>>,
    /// When the first of the others is due.
    next_due: UnixTime,
    /// Answers that may still be added.
    room: u64,
    segment: usize,
    estimate: u64,
}

/// When to leave off.
#[derive(Clone, Copy)]
struct Until<'a> {
    /// At once, with what was signed so far.
    stop: &'a AtomicBool,
    /// At the end of a segment.
    is_superseded: &'a (dyn Fn() -> bool + Sync),
}

/// A range that a thread has taken, and who is in it.
struct Chunk<'a> {
    range: Range<'a>,
    candidates: Vec<Candidate>,
}

impl<'a> Work<'a> {
    fn plan(
        store: &Store,
        snapshot: &'a Snapshot,
        issuer: Option<&'a str>,
        threads: usize,
        limit: Option<u64>,
        now: UnixTime,
    ) -> Result<Self, StoreError> {
        let (mut new, mut due, mut next_due) = (Vec::new(), Vec::new(), UnixTime::MAX);
        let (mut held, mut estimate, mut largest) = (0, 0, 0);
        for signing in series(snapshot, issuer) {
            let population = population(snapshot, signing.key);
            let segments = store.segments(signing.series.number)?;
            let held_here: u64 = segments.iter().map(|segment| u64::from(segment.row.answers)).sum();
            let mut covered = SerialBound::FIRST;
            for Segment { start, row } in &segments {
                if covered < *start {
                    new.push(Range { signing, start: covered, end: Some(*start), due: None });
                }
                covered = covered.max(row.end);
                if row.due > now {
                    next_due = next_due.min(row.due);
                }
            }
            // Behind the last segment there is always a gap: serial numbers grow.
            new.push(Range { signing, start: covered, end: None, due: None });
            estimate += population.saturating_sub(held_here);
            for (start, end, at, answers) in due_ranges(&segments, now) {
                due.push(Range { signing, start, end: Some(end), due: Some(at) });
                estimate += answers;
            }
            held += held_here;
            largest = largest.max(population);
        }
        due.sort_by_key(|range| range.due);
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(held));
        let share = usize::try_from(largest).unwrap_or(usize::MAX) / (threads.max(1) * 4);
        new.extend(due);
        Ok(Self {
            ranges: new.into(),
            next_due,
            room,
            segment: share.clamp(SMALL_SEGMENT, SEGMENT),
            estimate: estimate.min(room.saturating_add(held)),
        })
    }

    /// About how many answers will be signed.
    fn estimate(&self) -> u64 {
        self.estimate
    }

    /// The next serial numbers to sign.
    fn take(&mut self, snapshot: &Snapshot) -> Result<Option<Chunk<'a>>, StoreError> {
        while let Some(mut range) = self.ranges.pop_front() {
            let Some(key) = snapshot.keys().get(range.signing.key) else { continue };
            let mut most = self.segment;
            if range.due.is_none() {
                most = most.min(usize::try_from(self.room).unwrap_or(usize::MAX));
                if most == 0 {
                    continue;
                }
            }
            let view = snapshot.view();
            let mut candidates = view.candidates(key.number, range.start, range.end, most + 1)?;
            if candidates.len() > most
                && let Some(next) = candidates.pop()
            {
                // The rest of it is the next to be taken.
                let rest = SerialBound::before(&next.serial_number);
                self.ranges.push_front(Range { start: rest, ..range });
                range.end = Some(rest);
            }
            if candidates.is_empty() && range.due.is_none() {
                // Nobody is here yet.
                continue;
            }
            if range.due.is_none() {
                self.room = self.room.saturating_sub(candidates.len() as u64);
            }
            return Ok(Some(Chunk { range, candidates }));
        }
        Ok(None)
    }

    /// Signs with `threads` until nothing is left, or `until` says so: how many answers.
    fn run(
        &mut self,
        store: &Store,
        snapshot: &Snapshot,
        clock: &Clock,
        threads: usize,
        until: Until<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, PresignError> {
        let signed = AtomicU64::new(0);
        let work = Mutex::new(self);
        let failed = AtomicBool::new(false);
        let one = || {
            priority::lower();
            let done = || until.stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
            while !done() && !(until.is_superseded)() {
                let taken = work.lock().unwrap_or_else(PoisonError::into_inner).take(snapshot)?;
                let Some(chunk) = taken else { break };
                let count = sign_chunk(store, snapshot, clock, &chunk, &done, progress)?;
                signed.fetch_add(count, Ordering::Relaxed);
            }
            Ok(())
        };
        let one = || one().inspect_err(|_: &PresignError| failed.store(true, Ordering::Relaxed));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(one)).collect();
            let ends = threads.into_iter().filter_map(|thread| thread.join().ok());
            ends.fold(Ok(()), Result::and)
        })?;
        Ok(signed.into_inner())
    }
}

/// What is due of a series: from where to where, since when, and how many answers. Neighbours that together
/// are no larger than a segment become one, so that what grew in small steps does not stay in small pieces.
fn due_ranges(segments: &[Segment], now: UnixTime) -> Vec<(SerialBound, SerialBound, UnixTime, u64)> {
    let mut ranges: Vec<(SerialBound, SerialBound, UnixTime, u64)> = Vec::new();
    for Segment { start, row } in segments.iter().filter(|segment| segment.row.due <= now) {
        let answers = u64::from(row.answers);
        match ranges.last_mut() {
            Some((_, end, due, before)) if *end == *start && *before + answers <= SEGMENT as u64 => {
                (*end, *due, *before) = (row.end, row.due.min(*due), *before + answers);
            }
            _ => ranges.push((*start, row.end, row.due, answers)),
        }
    }
    ranges
}

/// Serial numbers that may be asked about, roughly.
fn population(snapshot: &Snapshot, key: usize) -> u64 {
    let Some(key) = snapshot.keys().get(key) else { return 0 };
    let scopes = snapshot.view().scopes().iter().filter(|scope| scope.issuer() == key.number);
    key.inventory.rows().max(scopes.map(|scope| scope.entries + scope.retained).sum())
}

/// Signs and writes one segment, or, when it is `done`, the first part of one.
fn sign_chunk(
    store: &Store,
    snapshot: &Snapshot,
    clock: &Clock,
    chunk: &Chunk<'_>,
    done: &dyn Fn() -> bool,
    progress: &dyn Fn(u64),
) -> Result<u64, PresignError> {
    let Range { signing, start, end, .. } = chunk.range;
    // What has no end yet ends with its last serial number.
    let last = chunk.candidates.last().map(|last| SerialBound::after(&last.serial_number));
    let mut end = end.or(last).unwrap_or(start);
    let Some(key) = snapshot.keys().get(signing.key) else { return Ok(0) };
    // What could not be answered, or was not there yet, is looked at again.
    let again = clock.now().plus((snapshot.options().validity / 2).max(1));
    let mut writer = store.write_segment(signing.series.number, start, again)?;
    let mut presigner = Presigner::new(snapshot, key, signing.signatory, signing.series);
    for (index, group) in chunk.candidates.chunks(GROUP).enumerate() {
        if index > 0 && done() {
            end = group.first().map_or(end, |next| SerialBound::before(&next.serial_number));
            break;
        }
        let now = clock.now();
        for candidate in group {
            if let Some((row, due)) = presigner.sign(candidate, now)? {
                writer.add(&candidate.serial_number, &row, due)?;
            }
        }
        progress(group.len() as u64);
    }
    let signed = u64::from(writer.answers());
    writer.commit(end)?;
    Ok(signed)
}

/// What the refresher is told by the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefreshOptions {
    pub threads: usize,
    pub limit: Option<u64>,
}

impl RefreshOptions {
    pub fn of(config: &Config) -> Self {
        let threads = if config.presigns() { config.response.refresh_threads } else { 0 };
        Self { threads, limit: config.response.presign_limit }
    }
}

/// Keeps pre-signed answers fresh, on a thread of its own.
pub(super) struct Refresher {
    shared: Arc<Shared>,
    options: RefreshOptions,
    stop: Arc<AtomicBool>,
    /// The snapshot that was looked at last; weak, so that it does not live longer for that.
    seen: Weak<Snapshot>,
    /// The CRL of each scope as it was then; `None` before the first look.
    crls: Option<HashMap<ScopeNumber, [u8; 32]>>,
    next_due: UnixTime,
}

impl Refresher {
    pub fn new(shared: Arc<Shared>, options: RefreshOptions, stop: Arc<AtomicBool>) -> Self {
        let next_due = UnixTime::MIN;
        Self { shared, options, stop, seen: Weak::new(), crls: None, next_due }
    }

    /// Works until the other end of `ended` is dropped; with `stop`, it leaves off what is under way.
    pub fn run(mut self, ended: &Receiver<()>) {
        priority::lower();
        loop {
            let now = self.shared.clock.now();
            if let Err(why) = self.look(now) {
                tracing::error!(reason = %why, "answers could not be signed beforehand; requests are signed for as they come");
                self.next_due = now.plus(RETRY_AFTER);
            }
            match ended.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, now: UnixTime) -> Result<(), PresignError> {
        let snapshot = Arc::clone(&self.shared.published.load());
        let is_new = self.seen.as_ptr() != Arc::as_ptr(&snapshot);
        if !is_new && now < self.next_due {
            return Ok(());
        }
        self.seen = Arc::downgrade(&snapshot);
        let shared = Arc::clone(&self.shared);
        let store = &shared.store;
        if is_new {
            forget_others(store, &snapshot, now)?;
            self.sign_changed(&snapshot)?;
        }
        let RefreshOptions { threads, limit } = self.options;
        let mut work = Work::plan(store, &snapshot, None, threads, limit, now)?;
        let published = &shared.published;
        let is_superseded = || !Arc::ptr_eq(&published.load(), &snapshot);
        let until = Until { stop: &self.stop, is_superseded: &is_superseded };
        let signed = work.run(store, &snapshot, &shared.clock, threads, until, &|_| ())?;
        if signed > 0 {
            tracing::debug!(signed, "answers were signed beforehand");
        }
        self.next_due = Work::plan(store, &snapshot, None, threads, limit, now)?.next_due;
        Ok(())
    }

    /// Signs anew what the CRLs changed that came since the last look.
    fn sign_changed(&mut self, snapshot: &Snapshot) -> Result<(), PresignError> {
        let view = snapshot.view();
        let crls: HashMap<_, _> =
            view.scopes().iter().map(|scope| (scope.number, scope.crl.crl_sha256)).collect();
        let Some(before) = self.crls.replace(crls) else { return Ok(()) };
        let is_changed = |scope: &&ScopeRecord| before.get(&scope.number) != Some(&scope.crl.crl_sha256);
        let changed: Vec<_> = view.scopes().iter().filter(is_changed).collect();
        for signing in series(snapshot, None) {
            let Some(key) = snapshot.keys().get(signing.key) else { continue };
            let segments = self.shared.store.segments(signing.series.number)?;
            for scope in changed.iter().filter(|scope| scope.issuer() == key.number) {
                let mut start = SerialBound::FIRST;
                loop {
                    let serials = view.serials_of_scope(scope.number, start, GROUP)?;
                    let Some(last) = serials.last() else { break };
                    start = SerialBound::after(last);
                    // What is in no segment yet is signed with its segment.
                    let covered = serials.iter().filter(|serial| is_covered(&segments, serial));
                    let candidates = covered.map(|serial_number| Candidate {
                        serial_number: *serial_number,
                        listed: Inventoried::Unlisted,
                        has_status: true,
                    });
                    self.sign_again(snapshot, signing, candidates)?;
                    if self.stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn sign_again(
        &self,
        snapshot: &Snapshot,
        signing: Signing<'_>,
        candidates: impl Iterator<Item = Candidate>,
    ) -> Result<(), PresignError> {
        let Some(key) = snapshot.keys().get(signing.key) else { return Ok(()) };
        let now = self.shared.clock.now();
        let mut presigner = Presigner::new(snapshot, key, signing.signatory, signing.series);
        let mut answers = self.shared.store.begin_answers(signing.series.number)?;
        for candidate in candidates {
            if !presigner.is_held(&candidate, now)
                && let Some((row, _)) = presigner.sign(&candidate, now)?
            {
                answers.add(&candidate.serial_number, &row);
            }
        }
        Ok(answers.commit()?)
    }
}

fn is_covered(segments: &[Segment], serial_number: &SerialNumber) -> bool {
    let place = SerialBound::before(serial_number);
    let after = segments.partition_point(|segment| segment.start <= place);
    let last = after.checked_sub(1).and_then(|index| segments.get(index));
    last.is_some_and(|segment| place < segment.row.end)
}
