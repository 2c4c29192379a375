//! Scopes that end (trap 21: a municipality that was merged must not take its revocations with it).

use super::*;
use crate::snapshot::Snapshot;
use crate::x509::crl::tests::builder::{idp, idp_flag, idp_uri};

const KEY: CrlReason = CrlReason::KeyCompromise;
const HOLD: CrlReason = CrlReason::CertificateHold;

fn at(ca: &Authority, uri: &str, number: u8, entries: &[(u64, CrlReason)]) -> Vec<u8> {
    let extensions = Some(vec![crl_number(&[number]), idp(&[idp_uri(uri)])]);
    sign(&TestCrl { extensions, ..crl(ca, number, entries) }, ca)
}

impl House {
    /// How many revocations are kept, and how many holds were released.
    fn retire(&self, text: &str, is_forced: bool) -> Result<(u64, u64), NotRetired> {
        let retired = self.retire_of(text, Whose::Overtaken, is_forced)?;
        Ok((retired.kept, retired.released))
    }

    fn retire_of(&self, text: &str, whose: Whose<'_>, is_forced: bool) -> Result<Retired, NotRetired> {
        retire(&self.store, &self.configured.issuers[0], (text, whose), is_forced, now(), || {})
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
    assert_eq!(house.retire("http://old", false).unwrap(), (2, 0));
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
    assert_eq!(house.retire("http://old", true).unwrap(), (0, 2));
    assert_eq!(house.revocations(1), [(Some(HOLD), false)]);
    // Nothing is kept of it, and yet its file, which may still lie there, puts nobody on hold again.
    let why = house.refuses(&at(&ca, "http://old", 7, &[(1, HOLD), (2, HOLD)])[..]);
    assert!(matches!(why, Refused::ScopeRetired), "{why}");
}

#[test]
fn t20_a_crl_without_a_number_brings_no_retired_scope_back_that_is_not_later() {
    let ca = authority();
    let house = House::of(&ca);
    let v1 = |hour| sign(&TestCrl { version: None, extensions: None, ..crl(&ca, hour, &[]) }, &ca);
    house.applied(&v1(5));
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), (0, 0));
    for refused in [v1(4), v1(5)] {
        let why = house.refuses(&refused[..]);
        assert!(matches!(why, Refused::ScopeRetired), "{why}");
    }
    house.applied(&v1(6));
}

#[test]
fn f27_the_delta_crl_of_a_scope_is_retired_with_it() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 5, &[(1, KEY)]), &ca));
    let extensions = Some(vec![crl_number(&[6]), delta_indicator(&[5])]);
    house.applied(&sign(&TestCrl { extensions, ..crl(&ca, 6, &[(2, KEY)]) }, &ca));
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), (2, 0));
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
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), (1, 1));
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
    assert_eq!(house.retire(EVERYTHING, true).unwrap(), (1, 1));
    let snapshot = Snapshot::build(Arc::clone(&house.configured), house.store.view().unwrap()).unwrap();
    let rows = snapshot.view().revocations(house.issuer(0), &SerialNumber::from(2)).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(snapshot.keys()[0].scopes.role(rows[0].scope).is_some(), "it counts");
}

/// One name, a new key and an old one, and their house.
fn generations() -> (Authority, Authority, House) {
    let (new, old) = (authority(), authority());
    let keys = [&new, &old].map(|one| key_of(one, one.certificate.clone())).into();
    (new, old, House::with(vec![keys], IngestOptions::default()))
}

impl House {
    /// The scopes that are in force: who signed, and the CRL number.
    fn in_force(&self) -> Vec<([u8; 32], Vec<u8>)> {
        let scopes = self.answers().scopes.into_iter().filter(|record| !record.is_retired());
        scopes.map(|record| (record.crl.key.signing_key, record.crl.crl_number)).collect()
    }
}

fn key_hash(ca: &Authority) -> [u8; 32] {
    crate::signing::sha256(ca.certificate.public_key().bits())
}

#[test]
fn f44_t20_of_a_scope_that_two_keys_sign_the_old_ones_is_retired_and_the_new_ones_stays() {
    let (new, old, house) = generations();
    house.applied(&at(&old, "http://a", 9, &[(1, KEY)]));
    house.applied(&at(&new, "http://a", 1, &[(2, HOLD)]));
    house.applied(&at(&new, "http://b", 2, &[(3, HOLD)]));
    // Nothing of what is retired is on hold, so nobody needs to force it.
    let retired = house.retire_of("http://a", Whose::Overtaken, false).unwrap();
    assert_eq!((retired.kept, retired.released), (1, 0));
    assert_eq!(retired.scopes.iter().map(|key| key.signing_key).collect::<Vec<_>>(), [key_hash(&old)]);
    assert_eq!(retired.staying.iter().map(|key| key.signing_key).collect::<Vec<_>>(), [key_hash(&new)]);
    assert_eq!(house.revocations(1), [(Some(KEY), true)]);
    assert_eq!(house.revocations(2), [(Some(HOLD), false)]);
    assert_eq!(house.in_force(), [(key_hash(&new), vec![1]), (key_hash(&new), vec![2])]);
    let why = house.refuses(&at(&old, "http://a", 9, &[(1, KEY)])[..]);
    assert!(matches!(why, Refused::ScopeRetired), "{why}");
    // The same order once more does not end what goes on, not even by force; said in so many words it does.
    assert!(matches!(house.retire("http://a", true), Err(NotRetired::InUse)));
    let all = |is_forced| house.retire_of("http://a", Whose::All, is_forced);
    assert!(matches!(all(false), Err(NotRetired::Holds { holds: 1 })));
    let retired = all(true).unwrap();
    assert_eq!((retired.kept, retired.released, retired.scopes.len()), (0, 1, 1));
    assert_eq!(house.in_force(), [(key_hash(&new), vec![2])]);
}

#[test]
fn f44_holds_of_what_is_retired_are_what_stands_in_the_way() {
    let (new, old, house) = generations();
    house.applied(&at(&old, "http://a", 9, &[(1, HOLD)]));
    house.applied(&at(&new, "http://a", 1, &[(1, HOLD), (2, HOLD)]));
    // Also without another scope: what stays is enough to answer from.
    assert!(matches!(house.retire("http://a", false), Err(NotRetired::Holds { holds: 1 })));
    assert_eq!(house.retire("http://a", true).unwrap(), (0, 1));
    assert_eq!(house.revocations(1), [(Some(HOLD), false)]);
    assert_eq!(house.in_force(), [(key_hash(&new), vec![1])]);
}

#[test]
fn f44_a_merged_scope_is_retired_whoever_signed_and_one_signers_by_name() {
    let (new, old, house) = generations();
    let load = |number| {
        house.applied(&at(&old, "http://a", number + 7, &[(1, KEY)]));
        house.applied(&at(&new, "http://a", number, &[(2, KEY)]));
    };
    load(1);
    house.applied(&at(&new, "http://b", 2, &[]));
    let retired = house.retire_of("http://a", Whose::read(Some("all")), false).unwrap();
    assert_eq!((retired.kept, retired.scopes.len(), retired.staying.len()), (2, 2, 0));
    load(3);
    let retired = house.retire_of("http://a", Whose::Of("0000000000000000"), true);
    assert!(matches!(retired, Err(NotRetired::NoSuchSigner { .. })), "{retired:?}");
    let held = house.answers().scopes;
    let of_new = held.iter().find(|record| record.crl.key.signing_key == key_hash(&new)).unwrap();
    let name = signer_name(&of_new.crl.key).to_uppercase();
    let retired = house.retire_of("http://a", Whose::read(Some(&name)), false).unwrap();
    assert_eq!(retired.scopes, std::slice::from_ref(&of_new.crl.key));
    assert_eq!(retired.staying.iter().map(|key| key.signing_key).collect::<Vec<_>>(), [key_hash(&old)]);
    // The newer key's was retired by name: the older one's is no rest of it.
    assert_eq!(house.retire("http://a", false).unwrap(), (1, 0));
}

#[test]
fn f44_what_a_key_that_is_not_configured_any_more_signed_is_retired_and_what_stands_alone_is_not() {
    let (new, old, house) = generations();
    let kinds = |ca: &Authority, number, kind: u8| {
        let extensions = Some(vec![crl_number(&[number]), idp(&[idp_uri("http://a"), idp_flag(kind)])]);
        sign(&TestCrl { extensions, ..crl(ca, number, &[]) }, ca)
    };
    // Of users both, of CAs the old key only.
    for crl in [kinds(&old, 8, 1), kinds(&old, 9, 2), kinds(&new, 1, 1)] {
        house.applied(&crl);
    }
    let retired = house.retire_of("http://a", Whose::Overtaken, false).unwrap();
    assert_eq!((retired.scopes.len(), retired.staying.len()), (1, 2));
    // Now each stands for other certificates: nothing says which is meant.
    let again = house.retire_of("http://a", Whose::Overtaken, true);
    assert!(matches!(again, Err(NotRetired::Signers { .. })), "{again:?}");
    // Of a key that is gone all is meant.
    let mut issuers = issuers_of(&house.store, vec![vec![key_of(&new, new.certificate.clone())]]);
    let issuer = issuers.remove(0);
    let meant = ("http://a", Whose::Overtaken);
    let retired = retire(&house.store, &issuer, meant, false, now(), || {}).unwrap();
    assert_eq!(retired.scopes.iter().map(|key| key.signing_key).collect::<Vec<_>>(), [key_hash(&old)]);
    assert_eq!(house.in_force(), [(key_hash(&new), vec![1])]);
}
