//! Trap 33 in every order in which threads may meet: after the switch no kept answer with the old status
//! is given for a changed serial number, also when a request read the old status before the switch and stores
//! its answer after it.
//!
//! loom runs the shipped `src/store/epochs.rs` with its own atomics through all interleavings, and all values
//! that a processor with weaker ordering than this one may show. Around it stands what `store`, `snapshot` and
//! `respond` do with it, a status and its epoch packed into one number.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../src/store/epochs.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, reason = "as in the library, of which this is a part")]
mod epochs;

/// What epochs.rs finds beside itself in the library.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) const SERIAL_PLACES: usize = 64;
    pub(crate) const ISSUER_PLACES: usize = 64;
}

mod scope {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct IssuerNumber(pub u32);

    impl IssuerNumber {
        pub(crate) const fn get(self) -> u32 {
            self.0
        }
    }
}

mod x509 {
    pub(crate) use ocsprey::x509::SerialNumber;
}

use epochs::{Epoch, Epochs, Place, Touched};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use ocsprey::x509::SerialNumber;
use scope::IssuerNumber;

const ISSUER: IssuerNumber = IssuerNumber(7);

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_unsigned(&[number]).unwrap()
}

/// A status, how often it changed, and the epoch of the view that showed it.
#[derive(Clone, Copy)]
struct Decided {
    status: u64,
    epoch: Epoch,
}

/// The store, what is published of it, and one place of the cache.
struct House {
    epochs: Epochs,
    /// The status on disk.
    store: AtomicU64,
    /// Index into `views`.
    published: AtomicU64,
    kept: AtomicU64,
}

/// Packs; loom's atomics hold numbers.
fn packed(decided: Decided, epochs: &[Epoch]) -> u64 {
    let at = epochs.iter().position(|epoch| *epoch == decided.epoch).unwrap();
    decided.status << 8 | at as u64
}

fn unpacked(number: u64, epochs: &[Epoch]) -> Decided {
    Decided { status: number >> 8, epoch: epochs[(number & 0xff) as usize] }
}

/// The epochs 0 to 2, from a history without readers.
fn first_epochs() -> Vec<Epoch> {
    let epochs = Epochs::new();
    let mut seen = vec![epochs.current()];
    for _ in 0..2 {
        epochs.commit(&Touched::nothing(), || ());
        seen.push(epochs.current());
    }
    seen
}

impl House {
    fn new(known: &[Epoch]) -> Self {
        let epochs = Epochs::new();
        let first = packed(Decided { status: 0, epoch: epochs.current() }, known);
        Self {
            epochs,
            store: AtomicU64::new(0),
            published: AtomicU64::new(first),
            kept: AtomicU64::new(u64::MAX),
        }
    }

    /// The write side: a commit, then a view, then its publication.
    fn change(&self, status: u64, touched: &Touched, known: &[Epoch]) {
        self.epochs.commit(touched, || self.store.store(status, Ordering::Release));
        let epoch = self.epochs.current();
        let status = self.store.load(Ordering::Acquire);
        self.published.store(packed(Decided { status, epoch }, known), Ordering::Release);
    }

    /// A request: the status that its snapshot shows, and the one that it answers.
    fn respond(&self, known: &[Epoch]) -> (u64, u64) {
        let shown = self.published.load(Ordering::Acquire);
        let snapshot = unpacked(shown, known);
        let kept = self.kept.load(Ordering::Acquire);
        if kept != u64::MAX {
            let kept = unpacked(kept, known);
            if self.epochs.is_unchanged(Place::of(ISSUER, &serial(1)), kept.epoch) {
                return (snapshot.status, kept.status);
            }
        }
        self.kept.store(shown, Ordering::Release);
        (snapshot.status, snapshot.status)
    }
}

fn check(touched: impl Fn() -> Touched + Send + Sync + Copy + 'static) {
    let mut model = loom::model::Builder::new();
    // Two turns taken away from a thread show every mistake of this kind in a second; without a bound it takes
    // an hour and shows no other.
    model.preemption_bound = Some(2);
    model.check(move || {
        let known = first_epochs();
        let house = Arc::new(House::new(&known));
        let requests: Vec<_> = (0..2)
            .map(|_| {
                let (house, known) = (Arc::clone(&house), known.clone());
                thread::spawn(move || {
                    let (shown, answered) = house.respond(&known);
                    // A newer answer than its snapshot's is welcome, an older one is trap 33.
                    assert!(answered >= shown, "a request that sees status {shown} was answered {answered}");
                })
            })
            .collect();
        house.change(1, &touched(), &known);
        // Whoever asks after the publication.
        let (shown, answered) = house.respond(&known);
        assert_eq!((shown, answered), (1, 1));
        for request in requests {
            request.join().unwrap();
        }
        // Whatever the others stored meanwhile.
        assert_eq!(house.respond(&known), (1, 1));
        // And an answer from the new view counts: the cache is not off for good.
        let last = unpacked(house.published.load(Ordering::Acquire), &known);
        assert!(house.epochs.is_unchanged(Place::of(ISSUER, &serial(1)), last.epoch));
    });
}

#[test]
fn t33_a_changed_serial_number_is_never_answered_as_before() {
    check(|| {
        let mut touched = Touched::nothing();
        touched.serial(ISSUER, &serial(1));
        touched
    });
}

#[test]
fn t33_nor_is_any_of_a_changed_issuer() {
    check(|| {
        let mut touched = Touched::nothing();
        touched.issuer(ISSUER);
        touched
    });
}

#[test]
#[should_panic(expected = "left: (1, 0)")]
fn the_model_finds_a_change_that_touches_nothing() {
    check(Touched::nothing);
}

#[test]
fn other_serial_numbers_and_issuers_keep_their_answers() {
    loom::model(|| {
        let epochs = Epochs::new();
        let before = epochs.current();
        let mut touched = Touched::nothing();
        touched.serial(ISSUER, &serial(1));
        epochs.commit(&touched, || ());
        assert!(!epochs.is_unchanged(Place::of(ISSUER, &serial(1)), before));
        assert!(epochs.is_unchanged(Place::of(ISSUER, &serial(1)), epochs.current()));
        let others =
            (2..40).filter(|&number| epochs.is_unchanged(Place::of(ISSUER, &serial(number)), before));
        assert!(others.count() > 30);
        let before = epochs.current();
        let mut touched = Touched::nothing();
        touched.issuer(IssuerNumber(8));
        epochs.commit(&touched, || ());
        assert!(epochs.is_unchanged(Place::of(ISSUER, &serial(1)), before));
        assert!(!epochs.is_unchanged(Place::of(IssuerNumber(8), &serial(1)), before));
    });
}
