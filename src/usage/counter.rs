//! The counts of one worker: added to by every answer, handed over by the worker's own clockwork.
//!
//! The way of an answer: [`Counter::count`] finds the row of who asked and adds to it. No other thread touches
//! the rows of this one, so there is no lock and no atomic; a row that is there already costs one hash, one
//! look into a table and one row: the name on whose behalf it is asked stands in the row itself, because between two
//! answers of one worker everything else has passed through its caches. Every quarter of a second the worker itself calls [`Counter::hand_over`], and for the last time
//! [`Counter::close`] after its last answer.
//!
//! Nothing is lost when the [`Ledger`](super::Ledger) is slow: a parcel that it has no room for comes back, and
//! what is counted meanwhile is added to the rows, which do not grow with the number of answers.
//!
//! **Bounded.** Names on whose behalf somebody asks come from outside: [`MOST_NAMES`] of them are told apart
//! between two parcels, others are counted as [`OTHER`], and what is no fit name as [`UNFIT`].

use super::day::Day;
use super::questions::Questions;
use super::{LONGEST_NAME, OTHER, UNFIT};
use crate::ocsp::OcspResponseStatus;
use crate::store::{IssuerNumber, UsageMethod, UsageResult, VerifierNumber};
use crate::x509::UnixTime;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::ThreadId;

/// Names that one worker tells apart at a time.
const MOST_NAMES: usize = 1024;
/// Rows that are kept when nothing was added to them, so that the next answer finds them.
const MOST_IDLE_ROWS: usize = 4096;

/// An answer, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    pub verifier: Option<VerifierNumber>,
    pub on_behalf_of: Option<&'a str>,
    pub issuer: Option<IssuerNumber>,
    pub method: UsageMethod,
    pub status: OcspResponseStatus,
    /// Certificates that were answered so, where the status is `successful`.
    pub good: u32,
    pub revoked: u32,
    pub unknown: u32,
    pub now: UnixTime,
}

/// Counts of each result, in the order of [`UsageResult::ALL`].
pub(super) type Results = [u64; UsageResult::ALL.len()];

/// Whose answers are counted together, but for the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub day: Day,
    pub verifier: Option<VerifierNumber>,
    pub issuer: Option<IssuerNumber>,
    pub method: UsageMethod,
}

/// What a worker hands over.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Whose, on whose behalf (empty: nobody's), and how many.
    Counts(Vec<(Who, Arc<str>, Results)>),
    /// All that it counted before this question has been handed over.
    UpTo { worker: ThreadId, question: u64 },
}

/// A name on the spot; empty: nobody's.
#[derive(Clone, Copy)]
struct Name {
    length: u8,
    octets: [u8; LONGEST_NAME],
}

impl Name {
    /// `name` has at most [`LONGEST_NAME`] octets.
    fn of(name: &str) -> Self {
        let mut octets = [0; LONGEST_NAME];
        octets.iter_mut().zip(name.bytes()).for_each(|(place, octet)| *place = octet);
        Self { length: u8::try_from(name.len().min(LONGEST_NAME)).unwrap_or(0), octets }
    }

    fn is(&self, name: &str) -> bool {
        self.octets.get(..usize::from(self.length)) == Some(name.as_bytes())
    }
}

struct Row {
    who: Who,
    name: Name,
    results: Results,
    /// The name for the ledger, which shares it.
    shared: Arc<str>,
}

/// The rows of a thread.
#[derive(Default)]
struct Rows {
    all: Vec<Row>,
    /// Where rows are, by hash: the upper half of the hash and one more than the place; 0: nowhere. At most half of
    /// it is taken; its length is a power of two.
    places: Vec<u64>,
    /// With secret octets: names come from outside.
    hashing: RandomState,
    /// The row that was added to last: usually the next one too.
    last: usize,
    names: HashSet<Arc<str>>,
    /// A parcel that found no room.
    returned: Option<Parcel>,
    /// The newest question that was answered.
    answered: u64,
}

thread_local! {
    static ROWS: RefCell<Rows> = RefCell::default();
}

/// Counts the answers of the thread that calls it.
#[derive(Debug, Clone)]
pub struct Counter {
    /// Seconds that the calendar is ahead of UTC.
    day_begins: i64,
    ledger: SyncSender<Parcel>,
    questions: Arc<Questions>,
}

impl Counter {
    pub(super) fn new(day_begins: i64, ledger: SyncSender<Parcel>, questions: Arc<Questions>) -> Self {
        Self { day_begins, ledger, questions }
    }

    /// Counts one answer.
    pub fn count(&self, counted: &Counted<'_>) {
        let day = Day::of(counted.now, self.day_begins);
        ROWS.with_borrow_mut(|rows| rows.count(day, counted));
    }

    /// Gives what this thread counted so far to the ledger, if it has room.
    pub fn hand_over(&self) {
        // Before the counts are taken: what comes later may be missing from them.
        let question = self.questions.newest();
        ROWS.with_borrow_mut(|rows| {
            let is_all = self.sends(rows, |rows| rows.returned.take()) && self.sends(rows, Rows::parcel);
            if is_all && question > rows.answered {
                let up_to = Parcel::UpTo { worker: std::thread::current().id(), question };
                // Where there is no room it is said the next time.
                if self.ledger.try_send(up_to).is_ok() {
                    rows.answered = question;
                }
            }
        });
    }

    /// Whether the ledger has what `take` gives; what it has no room for comes back.
    fn sends(&self, rows: &mut Rows, take: impl FnOnce(&mut Rows) -> Option<Parcel>) -> bool {
        let Some(parcel) = take(rows) else { return true };
        match self.ledger.try_send(parcel) {
            Ok(()) => true,
            Err(TrySendError::Full(parcel) | TrySendError::Disconnected(parcel)) => {
                rows.returned = Some(parcel);
                false
            }
        }
    }

    /// Gives the ledger all that is left, and waits until it has room for it. The thread counts no more.
    pub fn close(&self) {
        let parcels = ROWS.with_borrow_mut(|rows| [rows.returned.take(), rows.parcel()]);
        let for_good = Parcel::UpTo { worker: std::thread::current().id(), question: u64::MAX };
        for parcel in parcels.into_iter().flatten().chain([for_good]) {
            // It ends after all of us; if it is gone already it has said why.
            let _ = self.ledger.send(parcel);
        }
    }
}

impl Rows {
    fn count(&mut self, day: Day, counted: &Counted<'_>) {
        let Counted { verifier, issuer, method, .. } = *counted;
        let who = Who { day, verifier, issuer, method };
        let place = self.place(who, counted.on_behalf_of);
        let Some(Row { results, .. }) = self.all.get_mut(place) else { return };
        let mut add = |result: UsageResult, count: u32| {
            // `UsageResult` counts from 1 in the order of its list.
            if let Some(sum) = results.get_mut(result as usize - 1) {
                *sum += u64::from(count);
            }
        };
        match counted.status {
            OcspResponseStatus::Successful => {
                add(UsageResult::Good, counted.good);
                add(UsageResult::Revoked, counted.revoked);
                add(UsageResult::Unknown, counted.unknown);
            }
            OcspResponseStatus::MalformedRequest => add(UsageResult::MalformedRequest, 1),
            OcspResponseStatus::InternalError => add(UsageResult::InternalError, 1),
            OcspResponseStatus::TryLater => add(UsageResult::TryLater, 1),
            OcspResponseStatus::SigRequired => add(UsageResult::SigRequired, 1),
            OcspResponseStatus::Unauthorized => add(UsageResult::Unauthorized, 1),
        }
    }

    /// The place of the row, which is there from now on.
    fn place(&mut self, who: Who, on_behalf_of: Option<&str>) -> usize {
        // What is kept under a name from outside is fit, so what is no such name need not be looked for.
        let name = match on_behalf_of {
            None => "",
            Some(name) if may_be_fit(name) => name,
            Some(_) => UNFIT,
        };
        if self.all.get(self.last).is_some_and(|row| row.is_of(who, name)) {
            return self.last;
        }
        let hash = self.hash(who, name);
        self.last = match self.find(hash, who, name) {
            Some(place) => place,
            None => self.new_place(who, name, hash),
        };
        self.last
    }

    /// The place of the row of one who was not counted before.
    fn new_place(&mut self, who: Who, name: &str, hash: u64) -> usize {
        let counted_as = if name.is_empty() || name == UNFIT || self.names.contains(name) {
            name
        } else if !is_fit(name) {
            UNFIT
        } else if self.names.len() < MOST_NAMES {
            name
        } else {
            OTHER
        };
        if counted_as == name {
            return self.add(who, name, hash);
        }
        let hash = self.hash(who, counted_as);
        self.find(hash, who, counted_as).unwrap_or_else(|| self.add(who, counted_as, hash))
    }

    fn add(&mut self, who: Who, name: &str, hash: u64) -> usize {
        let shared = self.names.get(name).cloned().unwrap_or_else(|| Arc::from(name));
        if !name.is_empty() {
            self.names.insert(Arc::clone(&shared));
        }
        let place = self.all.len();
        self.all.push(Row { who, name: Name::of(name), results: Results::default(), shared });
        if self.all.len() * 2 > self.places.len() {
            self.places = vec![0; (self.all.len() * 4).next_power_of_two().max(64)];
            for place in 0..place {
                if let Some(Row { who, shared, .. }) = self.all.get(place) {
                    let (who, shared) = (*who, Arc::clone(shared));
                    self.put(self.hash(who, &shared), place);
                }
            }
        }
        self.put(hash, place);
        place
    }

    fn hash(&self, who: Who, name: &str) -> u64 {
        let Who { day, verifier, issuer, method } = who;
        let verifier = verifier.map_or(0, VerifierNumber::get);
        let issuer = issuer.map_or(0, IssuerNumber::get);
        let mut hasher = self.hashing.build_hasher();
        hasher.write_u64(u64::from(day.0) << 32 | u64::from(verifier));
        hasher.write_u64(u64::from(issuer) << 8 | method as u64);
        hasher.write(name.as_bytes());
        hasher.finish()
    }

    fn find(&self, hash: u64, who: Who, name: &str) -> Option<usize> {
        for slot in slots(hash, self.places.len()) {
            let taken = self.places.get(slot).copied().filter(|taken| *taken != 0)?;
            let place = place_in(taken);
            if taken & UPPER == hash & UPPER && self.all.get(place).is_some_and(|row| row.is_of(who, name)) {
                return Some(place);
            }
        }
        None
    }

    /// Into the first slot that is free; half of them are.
    fn put(&mut self, hash: u64, place: usize) {
        let free = slots(hash, self.places.len()).find(|slot| self.places.get(*slot) == Some(&0));
        if let Some(slot) = free.and_then(|slot| self.places.get_mut(slot)) {
            *slot = hash & UPPER | (place as u64 + 1);
        }
    }

    /// Everything that was counted since the last one.
    fn parcel(&mut self) -> Option<Parcel> {
        let mut counted = Vec::new();
        for Row { who, results, shared, .. } in &mut self.all {
            if results.iter().any(|count| *count > 0) {
                counted.push((*who, Arc::clone(shared), std::mem::take(results)));
            }
        }
        let newest = counted.iter().map(|(who, ..)| who.day).max()?;
        let is_over = self.all.iter().any(|row| row.who.day < newest);
        if is_over || self.all.len() > MOST_IDLE_ROWS || self.names.len() >= MOST_NAMES {
            let (hashing, answered) = (self.hashing.clone(), self.answered);
            let returned = self.returned.take();
            *self = Self { hashing, returned, answered, ..Self::default() };
        }
        Some(Parcel::Counts(counted))
    }
}

impl Row {
    fn is_of(&self, who: Who, name: &str) -> bool {
        self.who == who && self.name.is(name)
    }
}

/// Of a slot the part that is of the hash.
const UPPER: u64 = 0xffff_ffff_0000_0000;

#[expect(clippy::cast_possible_truncation, reason = "the lower half of it")]
fn place_in(taken: u64) -> usize {
    (taken as u32 as usize).saturating_sub(1)
}

/// All slots of a table of `length`, from the one where to look first.
#[expect(clippy::cast_possible_truncation, reason = "the lower bits of it")]
fn slots(hash: u64, length: usize) -> impl Iterator<Item = usize> {
    let mask = length.wrapping_sub(1);
    (0..length).map(move |step| (hash as usize).wrapping_add(step) & mask)
}

/// What every fit name is, and neither [`OTHER`] nor [`UNFIT`].
fn may_be_fit(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Letters, digits and what stands in domain names, paths and addresses, a letter or digit first: what no
/// spreadsheet takes for a formula and no log for a new line.
fn is_fit(name: &str) -> bool {
    may_be_fit(name) && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.:/@".contains(&octet))
}
