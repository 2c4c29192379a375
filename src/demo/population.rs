//! Who has a card, where, under which serial number, and what became of it: by arithmetic.
//!
//! Called by `pki`, `crl_writer` and `inventory` of the demo. Nothing is kept per card: a card is its
//! rank, from 0 to the number of cards. Ranks run through the municipalities one after another, so a
//! municipality is a range of ranks. A certificate's place in its CA's serial counter is the rank
//! sent through a modular multiplication, so the serials of a municipality lie scattered over the
//! whole counter, as they do where cards are handed out in the order of application; the inverse
//! leads from a serial back to its municipality. What became of a card is a hash of its rank.
//! The same number of cards makes the same population on every machine and at every start, and a
//! CRL published anew has the same entries as the one before. Nothing here fails.

use super::places::Place;
use super::{CardCa, MAX_CARDS, MIN_CARDS};
use crate::x509::{CrlReason, Revocation, SerialNumber, UnixTime};
use std::ops::Range;

/// A card by its rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Card(pub u64);

impl Card {
    /// The cards whose certificates the demo really issues. All live in the first municipality.
    pub const GOOD: Self = Self(0);
    pub const REVOKED: Self = Self(1);
    pub const HOLD: Self = Self(2);

    /// With these, every reason in use has at least one entry however few cards there are.
    const UNSPECIFIED: Self = Self(3);
    const CA_COMPROMISE: Self = Self(4);
    const SUPERSEDED: Self = Self(5);
    const CESSATION: Self = Self(6);
    const MOVED: Self = Self(7);
}

/// The first ranks have a fate of their own, so the first municipality has at least these cards.
const SPECIMENS: u64 = 8;

const DAY: i64 = 86_400;

/// Every card of the demo.
#[derive(Debug, Clone)]
pub struct Population {
    cards: u64,
    places: Vec<Place>,
    /// The rank at which each municipality starts, and one entry more for the end.
    starts: Vec<u64>,
    /// No revocation is younger than this: when the demo was made.
    made_at: UnixTime,
    auth: Scatter,
    sign: Scatter,
}

impl Population {
    /// `cards` (brought between [`MIN_CARDS`] and [`MAX_CARDS`]) as they were at `made_at`.
    #[must_use]
    pub fn new(cards: u64, made_at: UnixTime) -> Self {
        let cards = cards.clamp(MIN_CARDS, MAX_CARDS);
        let count = usize::try_from(cards / 1_000).unwrap_or(usize::MAX).clamp(12, 1_900);
        let places: Vec<Place> = (0..count).map(Place::of).collect();
        let inhabitants: u64 = places.iter().map(|place| u64::from(place.inhabitants)).sum();
        let mut starts = vec![0];
        let mut sum = 0;
        for place in &places {
            sum += u64::from(place.inhabitants);
            // At most 10^8 cards times 10^9 inhabitants: within 64 bits.
            starts.push((cards * sum / inhabitants).max(SPECIMENS));
        }
        // The golden ratio and the plastic number: neighbours end up far from each other.
        let auth = Scatter::new(cards, cards * 618 / 1_000, cards / 3);
        let sign = Scatter::new(cards, cards * 755 / 1_000, cards / 5);
        Self { cards, places, starts, made_at, auth, sign }
    }

    #[must_use]
    pub fn cards(&self) -> u64 {
        self.cards
    }

    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The cards of the municipality with this index.
    #[must_use]
    pub fn cards_of(&self, place: usize) -> Range<u64> {
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        }
    }

    fn scatter(&self, ca: CardCa) -> &Scatter {
        match ca {
            CardCa::UserAuthentication => &self.auth,
            CardCa::DigitalSignature => &self.sign,
        }
    }

    /// The serial number of the certificate that `ca` put on `card`.
    #[must_use]
    pub fn serial(&self, ca: CardCa, card: Card) -> SerialNumber {
        SerialNumber::from(ca.first_serial() + self.scatter(ca).forward(card.0))
    }

    /// The serial number a little behind the last one issued.
    #[must_use]
    pub fn unissued_serial(&self, ca: CardCa) -> SerialNumber {
        SerialNumber::from(ca.first_serial() + self.cards + 7)
    }

    /// Every serial that `ca` issued, ascending, with the index of its municipality.
    pub fn issued(&self, ca: CardCa) -> impl Iterator<Item = (SerialNumber, usize)> + '_ {
        let scatter = self.scatter(ca);
        (0..self.cards).map(move |count| {
            let rank = scatter.backward(count);
            let place = self.starts.partition_point(|&start| start <= rank).saturating_sub(1);
            (SerialNumber::from(ca.first_serial() + count), place)
        })
    }

    /// Why and since when the certificate that `ca` put on `card` is revoked, if it is.
    ///
    /// About one in ten: 8 % of the cards, and of the signature certificates 4 % more, because
    /// those carry the holder's name and address and end when either changes.
    #[must_use]
    pub fn revocation(&self, ca: CardCa, card: Card) -> Option<Revocation> {
        let dice = Dice::of(card);
        let (reason, days) = match card {
            Card::GOOD => return None,
            Card::REVOKED => (Some(CrlReason::KeyCompromise), 90),
            Card::HOLD => (Some(CrlReason::CertificateHold), 5),
            Card::UNSPECIFIED => (None, 400),
            Card::CA_COMPROMISE => (Some(CrlReason::CaCompromise), 700),
            Card::SUPERSEDED => (Some(CrlReason::Superseded), 30),
            Card::CESSATION => (Some(CrlReason::CessationOfOperation), 12),
            Card::MOVED if ca == CardCa::DigitalSignature => (Some(CrlReason::AffiliationChanged), 60),
            _ => {
                let reason = match dice.of_ten_thousand() {
                    // Destroyed before delivery. RFC 5280 5.3.1: unspecified is left out.
                    0..50 => None,
                    50..80 => Some(CrlReason::KeyCompromise),
                    80..82 => Some(CrlReason::CaCompromise),
                    82..430 => Some(CrlReason::Superseded),
                    430..680 => Some(CrlReason::CessationOfOperation),
                    680..800 => Some(CrlReason::CertificateHold),
                    800..1_200 if ca == CardCa::DigitalSignature => Some(CrlReason::AffiliationChanged),
                    _ => return None,
                };
                (reason, 1 + dice.days())
            }
        };
        let time = self.made_at.plus(-days * DAY - dice.second_of_day());
        Some(Revocation { time, reason, invalidity: None })
    }
}

/// A bijection of `0..modulus` that scatters neighbours: `count = (rank * factor + offset) mod modulus`.
#[derive(Debug, Clone, Copy)]
struct Scatter {
    modulus: u64,
    factor: u64,
    inverse: u64,
    offset: u64,
}

impl Scatter {
    /// With the first factor from `near` on that has an inverse. All below 2^32, so products fit.
    fn new(modulus: u64, near: u64, offset: u64) -> Self {
        let (factor, inverse) = (near.max(1)..)
            .find_map(|factor| inverse(factor % modulus, modulus).map(|inverse| (factor % modulus, inverse)))
            .unwrap_or((1, 1));
        Self { modulus, factor, inverse, offset: offset % modulus }
    }

    fn forward(&self, rank: u64) -> u64 {
        (rank % self.modulus * self.factor + self.offset) % self.modulus
    }

    fn backward(&self, count: u64) -> u64 {
        (count + self.modulus - self.offset) % self.modulus * self.inverse % self.modulus
    }
}

/// The inverse of `factor` modulo `modulus`, where there is one (Euclid's algorithm, extended).
fn inverse(factor: u64, modulus: u64) -> Option<u64> {
    let (mut a, mut b) = (factor as i64, modulus as i64);
    let (mut x, mut y) = (1i64, 0i64);
    while b != 0 {
        let quotient = a / b;
        (a, b) = (b, a % b);
        (x, y) = (y, x - quotient * y);
    }
    (a == 1).then(|| x.rem_euclid(modulus as i64) as u64)
}

/// What chance decided for a card, once and for all: SplitMix64 of its rank.
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn of(card: Card) -> Self {
        let mut word = card.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(word ^ (word >> 31))
    }

    fn of_ten_thousand(self) -> u64 {
        (self.0 & 0xffff_ffff) % 10_000
    }

    /// Up to four years, the recent past more often: revocations of old cards have left the CRLs.
    fn days(self) -> i64 {
        let share = ((self.0 >> 32) & 0x3ff) as i64;
        share * share * 1_460 / (1 << 20)
    }

    fn second_of_day(self) -> i64 {
        ((self.0 >> 42) % 86_400) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    const NOW: UnixTime = UnixTime::EPOCH;

    #[test]
    fn every_card_has_one_serial_and_every_serial_one_card() {
        for cards in [MIN_CARDS, 101, 997, 20_000] {
            let population = Population::new(cards, NOW);
            for ca in CardCa::ALL {
                let serials: HashSet<_> = (0..cards).map(|rank| population.serial(ca, Card(rank))).collect();
                let issued: HashSet<_> = population.issued(ca).map(|(serial, _)| serial).collect();
                assert_eq!(serials.len() as u64, cards);
                assert_eq!(serials, issued);
                assert!(!issued.contains(&population.unissued_serial(ca)));
            }
        }
    }

    #[test]
    fn the_inventory_and_the_crls_agree_on_where_a_card_lives() {
        let population = Population::new(20_000, NOW);
        for ca in CardCa::ALL {
            let place_of: HashMap<_, _> = population.issued(ca).collect();
            for place in 0..population.places().len() {
                for rank in population.cards_of(place) {
                    assert_eq!(place_of[&population.serial(ca, Card(rank))], place);
                }
            }
        }
    }

    #[test]
    fn municipalities_cover_every_card_once_and_grow_with_the_cards() {
        for (cards, places) in [(MIN_CARDS, 12), (20_000, 20), (1_000_000, 1_000), (MAX_CARDS, 1_900)] {
            let population = Population::new(cards, NOW);
            assert_eq!(population.places().len(), places);
            let mut next = 0;
            for place in 0..places {
                let range = population.cards_of(place);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, cards);
        }
    }

    #[test]
    fn seven_reasons_are_in_use_and_about_a_tenth_is_revoked() {
        let population = Population::new(20_000, NOW);
        let mut revoked = 0;
        for ca in CardCa::ALL {
            let reasons: Vec<_> =
                (0..20_000).filter_map(|rank| population.revocation(ca, Card(rank))).collect();
            revoked += reasons.len();
            assert!(reasons.iter().all(|revocation| revocation.time < NOW));
            let kinds: HashSet<_> = reasons.iter().map(|revocation| revocation.reason).collect();
            let moved = kinds.contains(&Some(CrlReason::AffiliationChanged));
            assert_eq!(moved, ca == CardCa::DigitalSignature);
            assert_eq!(kinds.len(), if moved { 7 } else { 6 });
        }
        assert!((3_600..4_400).contains(&revoked), "{revoked} of 40,000");
    }

    #[test]
    fn even_the_smallest_demo_has_every_reason() {
        let population = Population::new(MIN_CARDS, NOW);
        let kinds: HashSet<_> = (0..MIN_CARDS)
            .filter_map(|rank| population.revocation(CardCa::DigitalSignature, Card(rank)))
            .map(|revocation| revocation.reason)
            .collect();
        assert_eq!(kinds.len(), 7);
        assert_eq!(population.revocation(CardCa::DigitalSignature, Card::GOOD), None);
        assert!(population.revocation(CardCa::UserAuthentication, Card::HOLD).unwrap().is_hold());
    }

    /// Traps: 03FFFC and 03FEFC make `//` and `+/` in the base64 of a GET request.
    #[test]
    fn the_serials_that_put_slashes_into_a_get_request_are_issued() {
        let population = Population::new(1_000, NOW);
        let issued: HashSet<_> =
            population.issued(CardCa::UserAuthentication).map(|(serial, _)| serial.to_hex()).collect();
        assert!(issued.contains("03fffc") && issued.contains("03fefc"));
    }
}
