//! Since which commit the rows of a serial number are what they are: how whoever keeps an answer knows
//! that it still holds (design: decision 5).
//!
//! The writer counts its commits. Before a commit becomes visible it writes the commit's number into the
//! place of every serial number whose rows change; afterwards it advances the count. A reader notes the count
//! *before* it takes its view: the view's [`Epoch`]. What was decided from the view holds as long as no
//! place that it rests on has a later number than that.
//!
//! Why that is enough, whoever runs at the same time:
//! - A view of epoch n shows every commit up to n. So what is decided from it outlives those with reason.
//! - Commit n + 1 writes its number into the places first. From there on nothing that was decided from a
//!   view of epoch n or earlier counts for these places, also if a request that began before stores it
//!   after: it carries the number of its view, not of the time of storing.
//! - A view taken between a commit and its count shows more than its epoch says: what is decided
//!   from it is dropped early, never kept too long.
//!
//! A place stands for many serial numbers, since there are hundreds of millions: a change drops a
//! few neighbours' answers too. What cannot be told by serial number changes the place of the whole issuer.

use super::scope::IssuerNumber;
use super::sync::{AtomicU64, ISSUER_PLACES, Ordering, SERIAL_PLACES};
use crate::x509::SerialNumber;

/// Where the number of a serial number's last change stands, and that of its issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    serial: u32,
    issuer: u32,
}

impl Place {
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "halves of a product, and a remainder")]
    pub fn of(issuer: IssuerNumber, serial: &SerialNumber) -> Self {
        let octets = serial.padded();
        let word = |at: usize| {
            let eight = octets.get(at..at + 8).and_then(|octets| octets.try_into().ok()).unwrap_or_default();
            u64::from_le_bytes(eight)
        };
        // Two odd constants of no meaning; both halves of a product are mixed into one. The CA chose the serial
        // numbers on its CRLs, so nobody gains from aiming at a place.
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product >> 64) as u64 ^ product as u64
        };
        let mixed = fold(word(0) ^ 0x9e37_79b9_7f4a_7c15, word(8) ^ 0xbf58_476d_1ce4_e5b9);
        let mixed = fold(mixed ^ word(12) ^ u64::from(issuer.get()) << 32, 0x94d0_49bb_1331_11eb);
        Self { serial: (mixed % SERIAL_PLACES as u64) as u32, issuer: Self::of_issuer(issuer) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are few places")]
    const fn of_issuer(issuer: IssuerNumber) -> u32 {
        issuer.get() % ISSUER_PLACES as u32
    }
}

/// How much of the store's history a view surely shows: all commits up to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

impl Epoch {
    /// The one that [`Epoch::get`] said.
    pub(super) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// To be compared with another's, where only a number can be kept.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The numbers. See the module's head.
#[derive(Debug)]
pub struct Epochs {
    commits: AtomicU64,
    serials: Box<[AtomicU64]>,
    issuers: Box<[AtomicU64]>,
}

impl Epochs {
    pub fn new() -> Self {
        let zeros = |count| std::iter::repeat_with(|| AtomicU64::new(0)).take(count).collect();
        Self { commits: AtomicU64::new(0), serials: zeros(SERIAL_PLACES), issuers: zeros(ISSUER_PLACES) }
    }

    /// To be asked before a view is taken.
    pub fn current(&self) -> Epoch {
        Epoch(self.commits.load(Ordering::Acquire))
    }

    /// Whether nothing changed at `place` since then.
    pub fn is_unchanged(&self, place: Place, since: Epoch) -> bool {
        let number = |places: &[AtomicU64], at: u32| {
            // A place that does not exist would never be written to.
            places.get(at as usize).map_or(u64::MAX, |number| number.load(Ordering::Acquire))
        };
        number(&self.serials, place.serial) <= since.0 && number(&self.issuers, place.issuer) <= since.0
    }

    /// Commits a change of the places in `touched`. Under the writer's lock.
    pub fn commit<R>(&self, touched: &Touched, commit: impl FnOnce() -> R) -> R {
        let number = self.commits.load(Ordering::Relaxed) + 1;
        touched.write(&self.serials, &self.issuers, number);
        let result = commit();
        // Also when it failed: what is decided from a later view counts again.
        self.commits.store(number, Ordering::Release);
        result
    }
}

/// Places that a commit is about to change: 8 KiB, however many serial numbers.
#[derive(Debug)]
pub struct Touched {
    serials: Box<[u64]>,
    issuers: [u64; ISSUER_PLACES / 64],
}

impl Touched {
    pub fn nothing() -> Self {
        Self { serials: vec![0; SERIAL_PLACES / 64].into(), issuers: [0; ISSUER_PLACES / 64] }
    }

    /// Something about this serial number changes.
    pub fn serial(&mut self, issuer: IssuerNumber, serial: &SerialNumber) {
        set(&mut self.serials, Place::of(issuer, serial).serial as usize);
    }

    /// Something changes that may concern any serial number of this issuer.
    pub fn issuer(&mut self, issuer: IssuerNumber) {
        set(&mut self.issuers, Place::of_issuer(issuer) as usize);
    }

    /// All that `other` changes, too.
    pub fn include(&mut self, other: &Self) {
        for (bits, others) in self.serials.iter_mut().zip(&other.serials) {
            *bits |= others;
        }
        for (bits, others) in self.issuers.iter_mut().zip(&other.issuers) {
            *bits |= others;
        }
    }

    fn write(&self, serials: &[AtomicU64], issuers: &[AtomicU64], number: u64) {
        for (bits, places) in [(&self.serials[..], serials), (&self.issuers[..], issuers)] {
            for (word, places) in bits.iter().zip(places.chunks(64)) {
                if *word == 0 {
                    continue;
                }
                for (bit, place) in places.iter().enumerate() {
                    if word >> bit & 1 == 1 {
                        place.store(number, Ordering::Release);
                    }
                }
            }
        }
    }
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}
