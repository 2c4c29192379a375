//! When a delta CRL applies (RFC 5280 5.2.4). What certificates read then is judged in `tests/`.

use super::*;

/// A delta CRL of `ca` with this number, from `base` on, with these entries.
fn delta(ca: &Authority, number: u8, base: u8, entries: &[(u64, CrlReason)]) -> Vec<u8> {
    let extensions = Some(vec![crl_number(&[number]), delta_indicator(&[base])]);
    sign(&TestCrl { extensions, ..crl(ca, number, entries) }, ca)
}

const HOLD: CrlReason = CrlReason::CertificateHold;

#[test]
fn f21_a_delta_crl_before_its_complete_one_waits() {
    let ca = authority();
    let house = House::of(&ca);
    let early = delta(&ca, 6, 5, &[(1, HOLD)]);
    let why = house.refuses(&early[..]);
    assert!(matches!(why, Refused::DeltaBeforeBase { .. }) && why.may_pass(), "{why}");
    house.applied(&sign(&crl(&ca, 4, &[]), &ca));
    let why = house.refuses(&early[..]);
    assert!(matches!(why, Refused::DeltaBaseTooNew { .. }) && why.may_pass(), "{why}");
    house.applied(&sign(&crl(&ca, 5, &[]), &ca));
    assert_eq!(house.applied(&early).added, 1);
}

#[test]
fn f22_a_delta_crl_applies_to_any_complete_one_from_its_base_on() {
    let ca = authority();
    let house = House::of(&ca);
    // Not only to the base itself, as a peer demands.
    house.applied(&sign(&crl(&ca, 7, &[]), &ca));
    assert_eq!(house.applied(&delta(&ca, 8, 5, &[(1, HOLD)])).added, 1);
}

#[test]
fn f27_a_delta_crl_that_a_complete_one_has_overtaken_adds_nothing_and_is_no_fault() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 8, &[(1, HOLD)]), &ca));
    let before = house.answers();
    for number in [7, 8] {
        let report = house.ingest.ingest(&delta(&ca, number, 5, &[(2, HOLD)])[..]).unwrap();
        assert_eq!(report.outcome, Outcome::Overtaken);
    }
    assert_eq!(house.answers(), before);
}

#[test]
fn f16_f17_delta_crls_have_a_succession_of_their_own() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[]), &ca));
    house.applied(&delta(&ca, 7, 5, &[(1, HOLD)]));
    assert!(matches!(house.refuses(&delta(&ca, 6, 5, &[])[..]), Refused::NumberRolledBack { .. }));
    assert!(matches!(house.refuses(&delta(&ca, 7, 5, &[])[..]), Refused::SameNumberOtherContent { .. }));
    // The complete one may still have a number between: its own succession is not the delta's.
    house.applied(&sign(&crl(&ca, 6, &[(3, HOLD)]), &ca));
}

#[test]
fn f24_a_hold_that_the_next_delta_crl_leaves_out_is_released_and_a_permanent_entry_is_kept() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[]), &ca));
    house.applied(&delta(
        &ca,
        6,
        5,
        &[(1, HOLD), (2, CrlReason::KeyCompromise), (3, CrlReason::RemoveFromCrl)],
    ));
    let change = house.applied(&delta(&ca, 7, 5, &[]));
    assert_eq!((change.released, change.retained), (2, 1));
    assert_eq!(house.revocations(2), [(Some(CrlReason::KeyCompromise), true)]);
}

#[test]
fn t27_remove_from_crl_never_takes_the_place_of_a_permanent_revocation() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[]), &ca));
    house.applied(&delta(&ca, 6, 5, &[(2, CrlReason::KeyCompromise)]));
    house.applied(&delta(&ca, 7, 5, &[(2, CrlReason::RemoveFromCrl)]));
    assert_eq!(house.revocations(2), [(Some(CrlReason::KeyCompromise), true)]);
}

#[test]
fn a_delta_crl_without_a_number_is_refused() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[]), &ca));
    let extensions = Some(vec![delta_indicator(&[5])]);
    let nameless = sign(&TestCrl { extensions, ..crl(&ca, 6, &[]) }, &ca);
    assert!(matches!(house.refuses(&nameless[..]), Refused::DeltaWithoutNumber));
}
