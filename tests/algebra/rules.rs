//! The cases that the documents spell out, by the model and the real thing alike, and what the property
//! once found, by name.

use crate::Pair;
use crate::house::{DAY, start};
use crate::model::{Crl, Entry, Generation, SCOPES, Status};
use crate::steps::Step;
use ocsprey::x509::CrlReason;

const HOLD: CrlReason = CrlReason::CertificateHold;
const REMOVED: CrlReason = CrlReason::RemoveFromCrl;
const LOST: CrlReason = CrlReason::KeyCompromise;

/// A CRL of the first scope, from now for a day.
fn crl(number: u64, base: Option<u64>, entries: &[(usize, CrlReason)]) -> Crl {
    let told = |(serial, reason): &(usize, CrlReason)| {
        (*serial, Entry { date: start() - DAY, reason: Some(*reason) })
    };
    Crl {
        scope: SCOPES[0],
        number,
        base,
        this_update: start(),
        next_update: start() + DAY,
        entries: entries.iter().map(told).collect(),
    }
}

/// The same of another scope.
fn of(scope: usize, crl: Crl) -> Crl {
    Crl { scope: SCOPES[scope], ..crl }
}

impl Pair {
    /// Takes these CRLs, one after another.
    fn after(crls: &[Crl]) -> Self {
        let mut pair = Self::new(None);
        for crl in crls {
            pair.take(crl).unwrap();
        }
        pair
    }

    fn status(&self, serial: usize) -> Status {
        self.model.ask(serial, Generation::First, self.now)[0].status
    }

    /// Why a certificate is revoked, or `None` where it is good.
    fn reason(&self, serial: usize) -> Option<CrlReason> {
        match self.status(serial) {
            Status::Revoked(entry) => entry.reason,
            Status::Good => None,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn t20_t21_hold_release_hold_permanent_by_full_crls() {
    let mut pair = Pair::after(&[]);
    let steps = [Some(HOLD), None, Some(HOLD), Some(LOST), None, Some(HOLD)];
    let expected = [Some(HOLD), None, Some(HOLD), Some(LOST), Some(LOST), Some(LOST)];
    for (number, (told, expected)) in (1..).zip(steps.into_iter().zip(expected)) {
        let entries: Vec<_> = told.into_iter().map(|reason| (3, reason)).collect();
        pair.take(&crl(number, None, &entries)).unwrap();
        assert_eq!(pair.reason(3), expected, "number {number}");
    }
}

#[test]
fn t20_t27_hold_release_hold_permanent_by_delta_crls() {
    let mut pair = Pair::after(&[crl(5, None, &[(1, HOLD), (2, LOST)])]);
    for (number, told, expected) in [(6, REMOVED, None), (7, HOLD, Some(HOLD)), (8, LOST, Some(LOST))] {
        pair.take(&crl(number, Some(5), &[(1, told)])).unwrap();
        assert_eq!(pair.reason(1), expected);
    }
    // removeFromCRL never resurrects a permanent revocation.
    pair.take(&crl(9, Some(5), &[(1, REMOVED), (2, REMOVED)])).unwrap();
    assert_eq!((pair.reason(1), pair.reason(2)), (Some(LOST), Some(LOST)));
}

#[test]
fn f22_a_delta_fits_a_base_at_or_above_base_crl_number_and_below_its_own() {
    for (number, base, fits) in [(6, 5, true), (6, 3, true), (7, 6, false), (5, 5, false), (4, 3, false)] {
        let pair = Pair::after(&[crl(5, None, &[]), crl(number, Some(base), &[(1, HOLD)])]);
        assert_eq!(pair.reason(1).is_some(), fits, "{number} on {base}");
    }
    // F21: and without a base nothing fits.
    let pair = Pair::after(&[crl(6, Some(5), &[])]);
    assert_eq!(pair.status(1), Status::TryLater);
}

#[test]
fn f24_f27_deltas_are_cumulative_and_a_full_crl_ends_them() {
    let mut pair = Pair::after(&[
        crl(5, None, &[]),
        crl(6, Some(5), &[(1, HOLD), (2, LOST)]),
        crl(7, Some(5), &[(3, HOLD)]),
    ]);
    assert_eq!([1, 2, 3].map(|serial| pair.reason(serial)), [None, Some(LOST), Some(HOLD)]);
    pair.take(&crl(8, None, &[])).unwrap();
    assert_eq!([1, 2, 3].map(|serial| pair.reason(serial)), [None, Some(LOST), None]);
}

#[test]
fn f26_nothing_is_good_by_an_expired_delta() {
    let mut pair = Pair::after(&[crl(5, None, &[])]);
    pair.take(&Crl { next_update: start() + 60, ..crl(6, Some(5), &[]) }).unwrap();
    pair.step(&Step::Wait(59)).unwrap();
    assert_eq!(pair.reason(1), None);
    pair.step(&Step::Wait(1)).unwrap();
    assert_eq!(pair.status(1), Status::TryLater);
}

/// The delta CRL is searched first, then the complete one (6.3.3 (i), (j)).
#[test]
fn s6_3_3_i_the_reason_and_date_of_the_delta_crl_come_before_those_of_the_complete_one() {
    let moved = |reason, days| Entry { date: start() - days * DAY, reason: Some(reason) };
    let full = Crl { entries: [(1, moved(LOST, 3))].into(), ..crl(5, None, &[]) };
    let delta = Crl { entries: [(1, moved(CrlReason::Superseded, 2))].into(), ..crl(6, Some(5), &[]) };
    let mut pair = Pair::after(&[full, delta]);
    assert_eq!(pair.status(1), Status::Revoked(moved(CrlReason::Superseded, 2)));
    // F27: and what a newer complete CRL says, before what an overtaken delta CRL said.
    let newer = Crl { entries: [(1, moved(LOST, 1))].into(), ..crl(7, None, &[]) };
    pair.take(&newer).unwrap();
    assert_eq!(pair.status(1), Status::Revoked(moved(LOST, 1)));
}

/// Complete and delta CRLs share one sequence of numbers (5.2.3): a delta CRL from before its base,
/// with a higher number, would undo what came in between.
#[test]
fn f20_a_delta_crl_of_an_earlier_time_than_its_base_is_refused() {
    let earlier = Crl { this_update: start() - 60, ..crl(6, Some(5), &[(1, REMOVED)]) };
    let pair = Pair::after(&[crl(5, None, &[(1, HOLD)]), earlier]);
    assert_eq!(pair.reason(1), Some(HOLD));
}

/// F44, F42: the new key goes on with the CRLs of the old one.
#[test]
fn f44_f42_a_rollover_with_numbers_that_go_on_is_as_one_key() {
    let lost = (2, LOST);
    let mut pair = Pair::after(&[crl(5, None, &[(1, HOLD), lost]), of(3, crl(5, None, &[]))]);
    assert_eq!((pair.reason(1), pair.reason(2)), (Some(HOLD), Some(LOST)), "numbers of its own");
    let later = |number, base, entries: &[_]| {
        of(3, Crl { next_update: start() + 3 * DAY, ..crl(number, base, entries) })
    };
    pair.take(&later(6, None, &[])).unwrap();
    assert_eq!((pair.reason(1), pair.reason(2)), (None, Some(LOST)));
    pair.step(&Step::Wait(2 * DAY)).unwrap();
    assert_eq!((pair.reason(1), pair.reason(2)), (None, Some(LOST)), "its own CRL ran out");
    pair.step(&Step::Wait(DAY)).unwrap();
    assert_eq!((pair.status(1), pair.status(2)), (Status::TryLater, Status::TryLater));
}
