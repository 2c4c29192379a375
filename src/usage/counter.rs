//! The counts of one worker: added to by every answer, handed over by the worker's own clockwork.
//!
//! The way of an answer: [`Counter::count`] finds the row of who asked and adds to it. No other thread touches
//! the rows of this one, so there is no lock and no atomic; a row that is there already costs no
//! allocation. Every quarter of a second the worker itself calls [`Counter::hand_over`], and for the last time
//! [`Counter::close`] after its last answer.
//!
//! Nothing is lost when the [`Ledger`](super::Ledger) is slow: a parcel that it has no room for comes back, and
//! what is counted meanwhile is added to the rows, which do not grow with the number of answers.
//!
//! **Bounded.** Names on whose behalf somebody asks come from outside: [`MOST_NAMES`] of them are told apart
//! between two parcels, others are counted as [`OTHER`], and what is no fit name as [`UNFIT`].

use super::day::Day;
use super::questions::Questions;
use super::{OTHER, UNFIT};
use crate::ocsp::OcspResponseStatus;
use crate::store::{IssuerNumber, UsageMethod, UsageResult, VerifierNumber};
use crate::x509::UnixTime;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::ThreadId;

/// Octets of a name on whose behalf somebody asks.
pub const LONGEST_NAME: usize = 64;
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

/// Whose answers are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub day: Day,
    pub verifier: Option<VerifierNumber>,
    pub issuer: Option<IssuerNumber>,
    pub method: UsageMethod,
    /// Place in the names; `None`: on nobody's behalf.
    name: Option<u32>,
}

/// What a worker hands over.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Whose, on whose behalf (empty: nobody's), and how many.
    Counts(Vec<(Who, Arc<str>, Results)>),
    /// All that it counted before this question has been handed over.
    UpTo { worker: ThreadId, question: u64 },
}

/// The rows of a thread.
#[derive(Default)]
struct Rows {
    all: Vec<(Who, Results)>,
    places: HashMap<Who, usize>,
    /// The row that was added to last: usually the next one too.
    last: usize,
    names: Vec<Arc<str>>,
    places_of_names: HashMap<Arc<str>, u32>,
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
        let name = counted.on_behalf_of.map(|name| self.name(name));
        let who = Who { day, verifier, issuer, method, name };
        let place = self.place(who);
        let Some((_, results)) = self.all.get_mut(place) else { return };
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

    /// The place of the row for `who`, which is there from now on.
    fn place(&mut self, who: Who) -> usize {
        if self.all.get(self.last).is_some_and(|(last, _)| *last == who) {
            return self.last;
        }
        self.last = *self.places.entry(who).or_insert_with(|| {
            self.all.push((who, Results::default()));
            self.all.len() - 1
        });
        self.last
    }

    fn name(&mut self, name: &str) -> u32 {
        let name = if is_fit(name) { name } else { UNFIT };
        if let Some(place) = self.places_of_names.get(name) {
            return *place;
        }
        let name = if self.names.len() < MOST_NAMES || name == UNFIT { name } else { OTHER };
        if let Some(place) = self.places_of_names.get(name) {
            return *place;
        }
        let (name, place) = (Arc::from(name), u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(Arc::clone(&name));
        self.places_of_names.insert(name, place);
        place
    }

    /// Everything that was counted since the last one.
    fn parcel(&mut self) -> Option<Parcel> {
        let nobody: Arc<str> = Arc::from("");
        let mut counted = Vec::new();
        for (who, results) in &mut self.all {
            if results.iter().any(|count| *count > 0) {
                let name = who.name.and_then(|place| self.names.get(place as usize)).unwrap_or(&nobody);
                counted.push((*who, Arc::clone(name), std::mem::take(results)));
            }
        }
        let newest = counted.iter().map(|(who, ..)| who.day).max()?;
        let is_over = self.all.iter().any(|(who, _)| who.day < newest);
        if is_over || self.all.len() > MOST_IDLE_ROWS || self.names.len() >= MOST_NAMES {
            let (returned, answered) = (self.returned.take(), self.answered);
            *self = Self { returned, answered, ..Self::default() };
        }
        Some(Parcel::Counts(counted))
    }
}

/// Letters, digits and what stands in domain names, paths and addresses, a letter or digit first: what no
/// spreadsheet takes for a formula and no log for a new line.
fn is_fit(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.:/@".contains(&octet))
}
