//! Scopes that end (trap 21: a municipality that was merged must not take its revocations with it).

use super::*;
use crate::snapshot::Snapshot;
use crate::x509::crl::tests::builder::{idp, idp_uri};

const KEY: CrlReason = CrlReason::KeyCompromise;
const HOLD: CrlReason = CrlReason::CertificateHold;

fn at(ca: &Authority, uri: &str, number: u8, entries: &[(u64, CrlReason)]) -> Vec<u8> {
    let extensions = Some(vec![crl_number(&[number]), idp(&[idp_uri(uri)])]);
    sign(&TestCrl { extensions, ..crl(ca, number, entries) }, ca)
}

impl House {
    fn retire(&self, text: &str, is_forced: bool) -> Result<Retired, NotRetired> {
        retire(&self.store, self.issuer(0), text, is_forced, now(), || {})
    }
}

#[test]
fn t21_a_retired_scope_keeps_its_permanent_revocations_and_takes_no_old_crl_back() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&at(&ca, "http://old", 7, &[(1, KEY), (2, KEY)]));
    assert!(matches!(house.retire("http://old", false), Err(NotRetired::Last)));
    house.applied(&at(&ca, "http://new", 3, &[(3, KEY)]));
    assert!(matches!(house.retire("http://nowhere", true), Err(NotRetired::NoSuchScope)));
    assert_eq!(house.retire("http://old", false).unwrap(), Retired { kept: 2, released: 0 });
    assert_eq!(house.revocations(1), [(Some(KEY), true)]);
    assert_eq!(house.revocations(3), [(Some(KEY), false)]);
    // It is retired, so there is no such scope any more; its file may still lie there.
    assert!(matches!(house.retire("http://old", true), Err(NotRetired::NoSuchScope)));
    let why = house.refuses(&at(&ca, "http://old", 7, &[(1, KEY), (2, KEY)])[..]);
    assert!(matches!(why, Refused::ScopeRetired), "{why}");
    house.applied(&at(&ca, "http://old", 8, &[(1, HOLD)]));
    assert_eq!(house.revocations(1), [(Some(KEY), true)]);
}

#[test]
fn t20_holds_are_not_released_by_retiring_a_scope_unless_it_is_forced() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&at(&ca, "http://old", 7, &[(1, HOLD), (2, HOLD)]));
    house.applied(&at(&ca, "http://new", 3, &[(1, HOLD)]));
    let before = house.answers();
    assert!(matches!(house.retire("http://old", false), Err(NotRetired::Holds { holds: 2 })));
    assert_eq!(house.answers(), before);
    assert_eq!(house.retire("http://old", true).unwrap(), Retired { kept: 0, released: 2 });
    assert_eq!(house.revocations(1), [(Some(HOLD), false)]);
    // Nothing is kept of it, so nothing is left of it.
    assert_eq!(house.answers().scopes.len(), 1);
}

#[test]
fn f27_the_delta_crl_of_a_scope_is_retired_with_it() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[(1, KEY)]), &ca));
    let extensions = Some(vec![crl_number(&[6]), delta_indicator(&[5])]);
    house.applied(&sign(&TestCrl { extensions, ..crl(&ca, 6, &[(2, KEY)]) }, &ca));
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), Retired { kept: 2, released: 0 });
    assert_eq!(
        (house.revocations(1), house.revocations(2)),
        (vec![(Some(KEY), true)], vec![(Some(KEY), true)])
    );
    assert!(house.answers().scopes.iter().all(ScopeRecord::is_retired));
}

#[test]
fn f27_no_delta_crl_brings_a_retired_scope_back() {
    let ca = authority();
    let house = House::of(&ca);
    let delta = |number, entries: &[(u64, CrlReason)]| {
        let extensions = Some(vec![crl_number(&[number]), delta_indicator(&[5])]);
        sign(&TestCrl { extensions, ..crl(&ca, number, entries) }, &ca)
    };
    let on_hold = delta(6, &[(2, HOLD)]);
    house.applied(&sign(&crl(&ca, 5, &[(1, KEY)]), &ca));
    house.applied(&on_hold);
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), Retired { kept: 1, released: 1 });
    assert_eq!(house.revocations(2), []);
    // Nothing of the delta CRL was to be kept, so nothing says that it was there; and a newer one has no more to stand on.
    for refused in [&on_hold, &delta(7, &[(2, HOLD)]), &delta(5, &[(2, HOLD)])] {
        let why = house.refuses(&refused[..]);
        assert!(matches!(why, Refused::ScopeRetired), "{why}");
    }
    house.applied(&sign(&crl(&ca, 8, &[]), &ca));
    house.applied(&delta(9, &[(2, HOLD)]));
    assert_eq!(
        (house.revocations(1), house.revocations(2)),
        (vec![(Some(KEY), true)], vec![(Some(HOLD), false)])
    );
}

/// The record of the complete CRL is what gives the delta CRL's rows their meaning.
#[test]
fn f27_t21_what_only_the_delta_crl_revoked_stays_revoked_when_nothing_is_kept_of_the_complete_one() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[(1, HOLD)]), &ca));
    let extensions = Some(vec![crl_number(&[6]), delta_indicator(&[5])]);
    house.applied(&sign(&TestCrl { extensions, ..crl(&ca, 6, &[(2, KEY)]) }, &ca));
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), Retired { kept: 1, released: 1 });
    let snapshot = Snapshot::build(Arc::clone(&house.configured), house.store.view().unwrap()).unwrap();
    let rows = snapshot.view().revocations(house.issuer(0), &SerialNumber::from(2)).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(snapshot.keys()[0].scopes.role(rows[0].scope).is_some(), "it counts");
}
