//! The one thread that writes counts into the store.
//!
//! `app` makes it with [`Ledger::open`], gives each worker a clone of the [`Counter`] that comes with it, and runs
//! it until the last of them is gone. It adds parcels up until they are written; what the store does not take
//! is kept, counted by `usage_counts_unwritten`, and tried again. Old days are taken away once a day, old by
//! [`Aging`]: a clock that runs ahead for a moment takes no bill away.
//!
//! Names on whose behalf verifiers ask are bounded here for good: so many a day and verifier are told apart,
//! over all workers and across restarts, and what comes beyond is counted under [`OTHER`].

use super::counter::{Parcel, Results, Who};
use super::day::Day;
use super::questions::Questions;
use super::{Counter, HAND_OVER_EVERY, OTHER, UNFIT};
use crate::clock::{Aging, Clock};
use crate::metrics::UsageMetrics;
use crate::store::{Store, StoreError, UsageKey, UsageResult, VerifierNumber};
use crate::x509::UnixTime;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::ThreadId;

/// Parcels that wait for the ledger; more stay with their workers.
const ROOM: usize = 64;
/// How often what is left at the end is tried to be written, a quarter of a second apart.
const LAST_TRIES: u32 = 20;
/// Days of which counts may bear out the clock that a process finds.
const LATE_DAYS: u32 = 10;

/// How it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageOptions {
    /// Seconds that the calendar of bills is ahead of UTC.
    pub day_begins: i64,
    /// Days that counts are kept; `None`: without end.
    pub keep_days: Option<u32>,
    /// Names on whose behalf a verifier asks that are told apart in a day.
    pub names_per_day: usize,
}

/// Writes counts. See the module's head.
pub struct Ledger {
    store: Arc<Store>,
    clock: Clock,
    metrics: Arc<UsageMetrics>,
    options: UsageOptions,
    inbox: Receiver<Parcel>,
    names: HashMap<(Day, Option<VerifierNumber>), HashSet<Arc<str>>>,
    unwritten: HashMap<UsageKey, u64>,
    questions: Arc<Questions>,
    /// Up to which question each worker has handed its counts over.
    handed_over: HashMap<ThreadId, u64>,
    workers: usize,
    /// What the store took since its disk was last waited for.
    unsynced: bool,
    synced_at: UnixTime,
    /// By which days are old, where they are not kept without end.
    aging: Option<Aging>,
    /// Days before this one have been taken away.
    kept_from: Day,
}

impl Ledger {
    /// The ledger of so many `workers`, and the counter of whoever answers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: Arc<Store>,
        clock: Clock,
        metrics: Arc<UsageMetrics>,
        options: UsageOptions,
        workers: usize,
    ) -> Result<(Self, Counter), StoreError> {
        let questions = Arc::new(Questions::default());
        let (sender, inbox) = sync_channel(ROOM);
        let now = clock.now();
        let mut names: HashMap<_, HashSet<Arc<str>>> = HashMap::new();
        let today = Day::of(now, options.day_begins);
        store.for_each_usage(today.before(1).0, u32::MAX, |key, _| {
            if !key.on_behalf_of.is_empty() {
                names.entry((Day(key.day), key.verifier)).or_default().insert(key.on_behalf_of.into());
            }
            Ok::<_, StoreError>(())
        })?;
        let aging = match options.keep_days {
            Some(_) => {
                Some(Aging::new(clock.clone(), "counts for bills", late_days(&store, today, options)?))
            }
            None => None,
        };
        let ledger = Self {
            store,
            clock,
            metrics,
            options,
            inbox,
            names,
            unwritten: HashMap::new(),
            questions: Arc::clone(&questions),
            handed_over: HashMap::new(),
            workers,
            unsynced: false,
            synced_at: now,
            aging,
            kept_from: Day(0),
        };
        Ok((ledger, Counter::new(options.day_begins, sender, questions)))
    }

    /// Where a report asks for the counts of its moment.
    #[must_use]
    pub fn questions(&self) -> Arc<Questions> {
        Arc::clone(&self.questions)
    }

    /// Writes what comes until nobody is left who counts.
    pub fn run(mut self) {
        loop {
            match self.inbox.recv_timeout(HAND_OVER_EVERY) {
                Ok(parcel) => {
                    self.add(parcel);
                    while let Ok(parcel) = self.inbox.try_recv() {
                        self.add(parcel);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.write() {
                self.answer();
            }
            self.keep_up();
        }
        self.end();
    }

    fn add(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Counts(counted) => {
                for (who, name, results) in counted {
                    self.add_row(who, name, results);
                }
            }
            // Its counts came before, and in order.
            Parcel::UpTo { worker, question } => {
                self.handed_over.insert(worker, question);
            }
        }
    }

    /// Answers the questions up to which every worker has handed its counts over: all of that is written.
    fn answer(&self) {
        if self.handed_over.len() >= self.workers
            && let Some(question) = self.handed_over.values().min()
        {
            self.questions.answer(*question);
        }
    }

    fn add_row(&mut self, who: Who, name: Arc<str>, results: Results) {
        let Who { day, verifier, issuer, method } = who;
        let name = self.bounded(day, verifier, name);
        for (result, count) in UsageResult::ALL.into_iter().zip(results) {
            if count > 0 {
                let on_behalf_of = name.as_ref().to_owned();
                let key = UsageKey { day: day.0, verifier, issuer, method, result, on_behalf_of };
                *self.unwritten.entry(key).or_default() += count;
            }
        }
    }

    /// The name under which it is counted.
    fn bounded(&mut self, day: Day, verifier: Option<VerifierNumber>, name: Arc<str>) -> Arc<str> {
        if name.is_empty() || &*name == OTHER || &*name == UNFIT {
            return name;
        }
        let known = self.names.entry((day, verifier)).or_default();
        if known.contains(&name) {
            return name;
        }
        if known.len() >= self.options.names_per_day {
            return OTHER.into();
        }
        known.insert(Arc::clone(&name));
        name
    }

    /// Whether nothing is left to be written.
    fn write(&mut self) -> bool {
        if !self.unwritten.is_empty() {
            let counts = self.unwritten.iter().map(|(key, count)| (key, *count));
            match self.store.add_usage(counts) {
                Ok(()) => {
                    self.unwritten.clear();
                    self.unsynced = true;
                    self.metrics.written.set(self.clock.now().seconds());
                }
                Err(why) => self.tell(&why),
            }
        }
        let waiting: u64 = self.unwritten.values().sum();
        self.metrics.unwritten.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.unwritten.is_empty()
    }

    /// What is to be done every second and every day.
    pub(super) fn keep_up(&mut self) {
        let now = self.clock.now();
        if self.unsynced && now != self.synced_at {
            self.synced_at = now;
            self.sync();
        }
        let today = Day::of(now, self.options.day_begins);
        self.names.retain(|(day, _), _| *day >= today.before(1));
        let (Some(keep), Some(aging)) = (self.options.keep_days, &mut self.aging) else { return };
        let Some(old_by) = aging.now() else { return };
        let first = Day::of(old_by, self.options.day_begins).before(keep);
        // Another one than before may be an earlier one: the clock was put back.
        if first != self.kept_from {
            match self.store.forget_usage_before(first.0) {
                Ok(()) => self.kept_from = first,
                Err(why) => self.tell(&why),
            }
        }
    }

    fn sync(&mut self) {
        match self.store.sync() {
            Ok(()) => self.unsynced = false,
            Err(why) => self.tell(&why),
        }
    }

    fn end(mut self) {
        let mut tries = 1;
        while !self.write() && tries < LAST_TRIES {
            tries += 1;
            std::thread::park_timeout(HAND_OVER_EVERY);
        }
        let lost: u64 = self.unwritten.values().sum();
        if lost > 0 {
            tracing::error!(counts = lost, "usage was not written to the end: these counts are lost");
        } else {
            self.answer();
        }
        self.sync();
    }

    /// The first, the second, the fourth, … failure: never a flood.
    fn tell(&self, why: &StoreError) {
        self.metrics.failures.inc();
        let count = self.metrics.failures.get();
        if count.is_power_of_two() {
            tracing::error!(count, reason = %why, "usage cannot be written; it is kept in memory and tried again");
        }
    }
}

/// The beginnings of the last days that have counts.
fn late_days(store: &Store, today: Day, options: UsageOptions) -> Result<Vec<UnixTime>, StoreError> {
    let mut found = Vec::new();
    for day in (0..LATE_DAYS).map(|days| today.before(days)) {
        if store.has_usage_of(day.0)? {
            found.push(day.start().plus(-options.day_begins));
        }
    }
    Ok(found)
}
