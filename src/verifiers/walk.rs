//! Walks over serial numbers: long runs of neighbours that were never issued.
//!
//! An honest verifier asks about certificates that it holds, whose signature it has checked: their serial numbers
//! were issued, and what one of them answers is no matter here. Who counts serial numbers up to learn which exist
//! meets those that do not, one beside the other. That is all that is looked at: issued serial numbers, revoked
//! or good, never raise the level, however many are asked in whatever order.
//!
//! Called with every serial number that was answered as not issued, after the answer; asked before the next one.
//! The last few of them are kept, as numbers that nobody could turn back into serials of more than eight octets;
//! a new one within [`NEAR`] of any of them raises the level by one. The level falls by itself. Above what is
//! tolerated everything is refused for a pause, and then forgotten.
//!
//! What this does not see: a walk in an order so wild that no neighbours come together. Its speed is what the
//! quota allows, and where serial numbers are random (RFC 5280 has 64 bits and more) it finds nothing.
//!
//! Threads that meet here may lose a step of a walk, never make one up.

use super::{Enumeration, Moment};
use crate::store::IssuerNumber;
use crate::x509::SerialNumber;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How far apart neighbours are at the most.
const NEAR: u64 = 256;
/// How many of the last unissued serial numbers are kept.
const KEPT: usize = 8;
/// No serial number.
const NONE: u64 = u64::MAX;

/// The steps of one verifier.
#[derive(Debug)]
pub(super) struct Walk {
    recent: [AtomicU64; KEPT],
    turn: AtomicUsize,
    /// Nanoseconds of uptime at which the level is nought again.
    level_until: AtomicU64,
    refused_until: AtomicU64,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            recent: std::array::from_fn(|_| AtomicU64::new(NONE)),
            turn: AtomicUsize::new(0),
            level_until: AtomicU64::new(0),
            refused_until: AtomicU64::new(0),
        }
    }
}

impl Walk {
    pub fn is_refused(&self, moment: Moment) -> bool {
        moment.nanoseconds() < self.refused_until.load(Ordering::Relaxed)
    }

    /// This serial number was answered as not issued.
    pub fn step(&self, policy: &Enumeration, issuer: IssuerNumber, serial: &SerialNumber, moment: Moment) {
        if policy.tolerated == 0 {
            return;
        }
        let place = place(issuer, serial);
        let mut nearest = NONE;
        for recent in &self.recent {
            let recent = recent.load(Ordering::Relaxed);
            if recent != NONE {
                nearest = nearest.min(recent.wrapping_sub(place).min(place.wrapping_sub(recent)));
            }
        }
        if nearest == 0 {
            // Asked once more: no step.
            return;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = self.recent.get(turn % KEPT) {
            kept.store(place, Ordering::Relaxed);
        }
        if nearest <= NEAR {
            self.raise(policy, moment.nanoseconds());
        }
    }

    fn raise(&self, policy: &Enumeration, now: u64) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let whole = nanoseconds(policy.forgotten);
        let step = whole / u64::from(policy.tolerated).max(1);
        let level = self.level_until.load(Ordering::Relaxed).max(now).saturating_add(step);
        if level - now > whole {
            self.refused_until.store(now.saturating_add(nanoseconds(policy.pause)), Ordering::Relaxed);
            self.level_until.store(0, Ordering::Relaxed);
        } else {
            self.level_until.store(level, Ordering::Relaxed);
        }
    }
}

/// The last eight octets as a number, moved by the issuer and what stands before them: neighbours stay neighbours.
fn place(issuer: IssuerNumber, serial: &SerialNumber) -> u64 {
    let octets = serial.as_bytes();
    let (before, last) = octets.split_at(octets.len().saturating_sub(8));
    let number = |octets: &[u8]| octets.iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet));
    // An odd constant of no meaning.
    let spread = |number: u64| number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut moved = spread(u64::from(issuer.get()));
    for eight in before.chunks(8) {
        moved = spread(moved ^ number(eight));
    }
    number(last).wrapping_add(moved).min(NONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::UnixTime;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        Moment { now: UnixTime::from_seconds(1_800_000_000), uptime: Duration::from_secs(seconds) }
    }

    fn serial(number: u128) -> SerialNumber {
        SerialNumber::from_unsigned(&number.to_be_bytes()).unwrap()
    }

    const ISSUER: IssuerNumber = IssuerNumber::UNKNOWN;

    #[test]
    fn a_walk_is_stopped_for_a_pause_and_then_begins_anew() {
        let (walk, policy) = (Walk::default(), Enumeration::default());
        let steps = |from: u128, time: u64| {
            (0..1000).position(|step| {
                walk.step(&policy, ISSUER, &serial(from + step), at(time));
                walk.is_refused(at(time))
            })
        };
        assert_eq!(steps(1 << 100, 0), Some(101));
        assert!(walk.is_refused(at(899)));
        assert!(!walk.is_refused(at(900)));
        assert!(steps(5, 900).is_some());
    }

    #[test]
    fn gaps_strides_and_turns_back_do_not_hide_a_walk() {
        type Step = fn(u64) -> u64;
        let policy = Enumeration::default();
        let walks: [(&str, Step); 4] = [
            ("down", |step| 1_000_000 - step),
            ("in strides", |step| step * 200),
            ("two ends", |step| if step % 2 == 0 { step } else { 1_000_000_000 - step }),
            ("in a shuffled row of sixteen", |step| step / 16 * 16 + (step * 7) % 16),
        ];
        for (name, place) in walks {
            let walk = Walk::default();
            (0..400).for_each(|step| walk.step(&policy, ISSUER, &serial(place(step).into()), at(1)));
            assert!(walk.is_refused(at(1)), "{name}");
        }
    }

    #[test]
    fn the_same_card_again_and_again_is_no_walk_and_neither_is_a_slow_hand() {
        let (walk, policy) = (Walk::default(), Enumeration::default());
        (0..10_000).for_each(|_| walk.step(&policy, ISSUER, &serial(7), at(1)));
        assert!(!walk.is_refused(at(1)));
        (0..10_000).for_each(|step| walk.step(&policy, ISSUER, &serial(step.into()), at(step * 7)));
        assert!(!walk.is_refused(at(70_000)), "one in seven seconds");
        let off = Enumeration { tolerated: 0, ..policy };
        (0..10_000u64).for_each(|step| walk.step(&off, ISSUER, &serial(step.into()), at(70_000)));
        assert!(!walk.is_refused(at(70_000)));
    }

    proptest! {
        /// Old certificates of everywhere that have left the inventory: nobody's neighbours.
        #[test]
        fn unissued_serials_of_everywhere_are_no_walk(serials in proptest::collection::vec(any::<u128>(), 1..500)) {
            let (walk, policy) = (Walk::default(), Enumeration::default());
            for one in serials {
                walk.step(&policy, ISSUER, &serial(one), at(1));
                prop_assert!(!walk.is_refused(at(1)));
            }
        }

        /// Neighbours are neighbours whatever stands before the last eight octets, and of one issuer only.
        #[test]
        fn neighbours_are_of_one_issuer(number in 0..u128::MAX - 300, step in 1u128..=256) {
            let near = place(ISSUER, &serial(number)).abs_diff(place(ISSUER, &serial(number + step)));
            let crosses = (number >> 64) != ((number + step) >> 64) || near > u64::MAX / 2;
            prop_assert!(crosses || u128::from(near) <= step, "{near}");
        }
    }
}
