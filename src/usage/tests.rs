//! Counts from answers to reports, with workers, a ledger and a store.

use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ocsp::OcspResponseStatus as Status;
use crate::store::{IssuerNumber, Store, StoreOptions, VerifierNumber};
use crate::x509::UnixTime;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;

const OPTIONS: UsageOptions = UsageOptions { day_begins: 9 * 3600, keep_days: None, names_per_day: 3 };

struct Books {
    _folder: TempDir,
    store: Arc<Store>,
    clock: Clock,
    metrics: Arc<Metrics>,
    issuer: IssuerNumber,
    bank: VerifierNumber,
}

impl Books {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), &StoreOptions::default()).unwrap());
        let (issuer, bank) = (store.issuer_number(b"ca").unwrap(), store.verifier_number("bank").unwrap());
        let clock = Clock::fixed(now());
        Self { _folder: folder, store, clock, metrics: Arc::new(Metrics::new().unwrap()), issuer, bank }
    }

    fn ledger(&self, options: UsageOptions, workers: usize) -> (Ledger, Counter) {
        let metrics = Arc::clone(&self.metrics.usage);
        Ledger::open(Arc::clone(&self.store), self.clock.clone(), metrics, options, workers).unwrap()
    }

    /// Counts with so many threads as there are `workers`, to the end.
    fn count(&self, options: UsageOptions, workers: &[&(dyn Fn(&Counter) + Sync)]) {
        let (ledger, counter) = self.ledger(options, workers.len());
        std::thread::scope(|scope| {
            scope.spawn(|| ledger.run());
            for work in workers {
                let counter = counter.clone();
                scope.spawn(move || {
                    work(&counter);
                    counter.close();
                });
            }
            drop(counter);
        });
    }

    fn one(&self) -> Counted<'static> {
        Counted {
            verifier: Some(self.bank),
            on_behalf_of: None,
            issuer: Some(self.issuer),
            method: UsageMethod::Post,
            status: Status::Successful,
            good: 1,
            revoked: 0,
            unknown: 0,
            now: now(),
        }
    }

    fn report(&self, by_day: bool, prices: Option<&Prices>) -> Report {
        let period = Period { from: Day(0), to: Day(u32::MAX), verifier: None, by_day };
        let issuers = HashMap::from([(self.issuer.get(), "auth".to_owned())]);
        Report::of(&self.store, &period, &issuers, prices).unwrap()
    }

    fn counts_by_name(&self) -> Vec<(String, u64)> {
        self.report(false, None).lines.into_iter().map(|line| (line.on_behalf_of, line.count)).collect()
    }
}

fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

#[test]
fn every_answer_of_every_worker_is_in_the_report_once() {
    let books = Books::new();
    let several = Counted { good: 2, revoked: 1, unknown: 3, method: UsageMethod::Get, ..books.one() };
    let refused = Counted {
        verifier: None,
        issuer: None,
        status: Status::Unauthorized,
        // What an error says of certificates is nothing.
        good: 9,
        ..books.one()
    };
    let work = |counter: &Counter| {
        for round in 0..10_000 {
            counter.count(&books.one());
            counter.count(&several);
            counter.count(&refused);
            if round % 100 == 0 {
                counter.hand_over();
            }
        }
    };
    // More parcels than there is room for: what finds none is told later.
    books.count(OPTIONS, &[&work, &work, &work]);
    let told = |line: &Line| {
        let [method, result] = [&line.method, &line.result].map(ToString::to_string);
        (line.verifier.clone(), line.issuer.clone(), method, result, line.count)
    };
    let lines: Vec<_> = books.report(false, None).lines.iter().map(told).collect();
    let line = |who: &str, ca: &str, method: &str, result: &str, count| {
        (who.to_owned(), ca.to_owned(), method.to_owned(), result.to_owned(), count)
    };
    assert_eq!(
        lines,
        [
            line("-", "-", "POST", "unauthorized", 30_000),
            line("bank", "auth", "GET", "good", 60_000),
            line("bank", "auth", "GET", "revoked", 30_000),
            line("bank", "auth", "GET", "unknown", 90_000),
            line("bank", "auth", "POST", "good", 30_000),
        ]
    );
    // Another process of the same store adds to it.
    books.count(OPTIONS, &[&|counter| counter.count(&books.one())]);
    assert_eq!(books.report(false, None).totals.count, 240_001);
    assert_eq!(books.metrics.usage.unwritten.get(), 0);
    assert_eq!(books.metrics.usage.written.get(), now().seconds());
}

#[test]
fn a_day_ends_at_the_operators_midnight_and_has_its_own_price() {
    let books = Books::new();
    let midnight = UnixTime::from_civil(2026, 11, 22, 15, 0, 0).unwrap();
    books.count(
        OPTIONS,
        &[&|counter| {
            for seconds in -2..3 {
                counter.count(&Counted { now: midnight.plus(seconds), ..books.one() });
            }
            counter.count(&Counted { good: 0, revoked: 1, now: midnight, ..books.one() });
        }],
    );
    let list = "currency = \"JPY\"\n[[price]]\nfrom = 2026-01-01\nresult = \"good\"\namount = 10\n\
                [[price]]\nfrom = 2026-11-23\nresult = \"good\"\namount = 100";
    let prices = Prices::parse(list).unwrap();
    let report = books.report(true, Some(&prices));
    let told = |line: &Line| (line.day.clone().unwrap(), line.count, line.amount, line.unpriced);
    let day = |day: &str| day.to_owned();
    assert_eq!(
        report.lines.iter().map(told).collect::<Vec<_>>(),
        [(day("2026-11-22"), 2, 20, 0), (day("2026-11-23"), 3, 300, 0), (day("2026-11-23"), 1, 0, 1)]
    );
    assert_eq!(report.totals, Totals { count: 6, amount: 320, unpriced: 1 });
    let together = books.report(false, Some(&prices));
    assert_eq!((together.lines.len(), &together.totals), (2, &report.totals));
}

#[test]
fn names_are_bounded_in_length_in_characters_and_in_number_and_no_count_is_lost() {
    let books = Books::new();
    let long = "a".repeat(LONGEST_NAME + 1);
    let names = [
        "clinic-7",
        "hq@example",
        &long,
        "=cmd()",
        "line\nend",
        "",
        "(other)",
        "-1",
        "third",
        "fourth",
        "clinic-7",
    ];
    let count = |counter: &Counter| {
        for name in names {
            counter.count(&Counted { on_behalf_of: Some(name), ..books.one() });
        }
    };
    books.count(OPTIONS, &[&count]);
    let named = |name: &str, count| (name.to_owned(), count);
    let first = [
        named("(other)", 1),
        named("(unfit)", 6),
        named("clinic-7", 2),
        named("hq@example", 1),
        named("third", 1),
    ];
    assert_eq!(books.counts_by_name(), first);
    // After a restart the names of the day are still those three.
    books.count(
        OPTIONS,
        &[&|counter| {
            counter.count(&Counted { on_behalf_of: Some("newcomer"), ..books.one() });
            counter.count(&Counted { on_behalf_of: Some("third"), ..books.one() });
        }],
    );
    assert_eq!(books.counts_by_name()[0], named("(other)", 2));
    assert_eq!(books.counts_by_name()[4], named("third", 2));
    // More names than a worker tells apart between two parcels.
    let flood = |counter: &Counter| {
        for number in 0..5000 {
            counter.count(&Counted { on_behalf_of: Some(&format!("n{number}")), ..books.one() });
        }
    };
    books.count(UsageOptions { names_per_day: 100_000, ..OPTIONS }, &[&flood]);
    let counts = books.counts_by_name();
    assert!(counts.len() < 1100, "{}", counts.len());
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 11 + 2 + 5000);
}

#[test]
fn counts_that_are_too_old_go_and_the_others_stay() {
    let books = Books::new();
    let days_ago = |days: i64| Counted { now: now().plus(-days * 86_400), ..books.one() };
    books.count(OPTIONS, &[&|counter| (0..10).for_each(|days| counter.count(&days_ago(days)))]);
    assert_eq!(books.report(true, None).lines.len(), 10);
    // It looks once a day: at its first parcel, which may be its last.
    let (ledger, counter) = books.ledger(UsageOptions { keep_days: Some(3), ..OPTIONS }, 1);
    std::thread::scope(|scope| {
        let books = &books;
        scope.spawn(|| ledger.run());
        scope.spawn(move || {
            counter.count(&books.one());
            counter.hand_over();
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            while books.report(true, None).lines.len() != 4 {
                assert!(std::time::Instant::now() < deadline, "{:?}", books.report(true, None).lines);
                std::thread::yield_now();
            }
        });
    });
    assert_eq!(books.report(true, None).totals.count, 5);
}

#[test]
fn a_clock_that_runs_ahead_for_a_moment_takes_no_counts_away() {
    const DAY: i64 = 86_400;
    let books = Books::new();
    let days_ago = |days: i64| Counted { now: now().plus(-days * DAY), ..books.one() };
    books.count(OPTIONS, &[&|counter| (0..10).for_each(|days| counter.count(&days_ago(days)))]);
    let (mut ledger, counter) = books.ledger(UsageOptions { keep_days: Some(20), ..OPTIONS }, 1);
    let days_after = |ledger: &mut Ledger| {
        ledger.keep_up();
        books.report(true, None).lines.len()
    };
    let ahead = now().plus(31 * DAY);
    for time in [now(), ahead, now(), ahead, now().plus(-DAY), now()] {
        books.clock.set(time);
        assert_eq!(days_after(&mut ledger), 10, "{time}");
    }
    // What is too old when time has passed goes all the same.
    books.clock.advance(15 * DAY);
    assert_eq!(days_after(&mut ledger), 6);
    // Who begins under such a clock finds it right only once it has stood for a day.
    books.clock.set(ahead);
    let (mut other, _) = books.ledger(UsageOptions { keep_days: Some(20), ..OPTIONS }, 1);
    assert_eq!(days_after(&mut other), 6);
    books.clock.advance(DAY);
    assert_eq!(days_after(&mut other), 0);
    drop(counter);
}

#[test]
fn who_asks_a_question_is_told_of_every_answer_before_it() {
    let books = Books::new();
    let (ledger, counter) = books.ledger(OPTIONS, 2);
    let questions = ledger.questions();
    assert!(!questions.ask(Duration::from_millis(1)), "nobody works yet");
    let (is_over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| ledger.run());
        for _ in 0..2 {
            let counter = counter.clone();
            let (books, is_over, answered) = (&books, &is_over, &answered);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    for _ in 0..100 {
                        counter.count(&books.one());
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    counter.hand_over();
                }
                counter.close();
            });
        }
        for _ in 0..50 {
            let before = answered.load(Ordering::SeqCst);
            assert!(questions.ask(Duration::from_secs(60)));
            let told = books.report(false, None).totals.count;
            let after = answered.load(Ordering::SeqCst);
            assert!((before..=after + 2).contains(&told), "{before} to {after}: {told}");
        }
        is_over.store(true, Ordering::SeqCst);
        drop(counter);
    });
    assert!(questions.ask(Duration::ZERO), "those who ended have handed everything over");
    assert_eq!(books.report(false, None).totals.count, answered.load(Ordering::SeqCst));
}
