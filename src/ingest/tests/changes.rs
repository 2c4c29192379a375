//! What an accepted CRL does, and to whom.

use super::*;
use crate::x509::crl::CertificateKinds;
use crate::x509::crl::tests::builder::{idp, idp_flag, idp_uri, tlv};

/// `crl` at the distribution point that these IDP fields name.
fn at(crl: TestCrl, number: u8, fields: &[Vec<u8>]) -> TestCrl {
    TestCrl { extensions: Some(vec![crl_number(&[number]), idp(fields)]), ..crl }
}

#[test]
fn t19_an_entry_comes_out_as_it_stands_in_the_crl() {
    let ca = authority();
    let house = House::of(&ca);
    let report = house.ingest.ingest(&sign(&crl(&ca, 7, &HELD), &ca)[..]).unwrap();
    assert_eq!((report.issuer_name.as_str(), report.entries, report.crl_number), ("issuer 0", 3, vec![7]));
    let view = house.store.view().unwrap();
    let rows = view.revocations(house.issuer(0), &SerialNumber::from(1)).unwrap();
    let expected = crate::x509::Revocation {
        time: UnixTime::from_civil(2026, 11, 1, 12, 0, 0).unwrap(),
        reason: Some(CrlReason::KeyCompromise),
        invalidity: None,
    };
    assert_eq!(
        rows.iter().map(|row| (row.revocation, row.retained)).collect::<Vec<_>>(),
        [(expected, false)]
    );
    let scope = &view.scopes()[0];
    assert_eq!(scope.crl.ingested_at, now());
    assert_eq!((scope.entries, scope.retained), (3, 0));
    assert!(house.revocations(4).is_empty());
}

#[test]
fn f42_t20_t21_a_hold_is_released_and_a_permanent_revocation_is_not() {
    let ca = authority();
    let house = settled(&ca);
    let change = house.applied(&sign(&crl(&ca, 8, &[]), &ca));
    assert_eq!((change.released, change.retained), (1, 2));
    assert!(house.revocations(2).is_empty(), "the hold is lifted");
    assert_eq!(house.revocations(1), [(Some(CrlReason::KeyCompromise), true)]);
    assert_eq!(house.revocations(3), [(Some(CrlReason::Superseded), true)]);
    // Hold, release, hold, permanent, gone.
    for (number, entries, expected) in [
        (9, vec![(2, CrlReason::CertificateHold)], vec![(Some(CrlReason::CertificateHold), false)]),
        (10, vec![], vec![]),
        (11, vec![(2, CrlReason::CertificateHold)], vec![(Some(CrlReason::CertificateHold), false)]),
        (12, vec![(2, CrlReason::KeyCompromise)], vec![(Some(CrlReason::KeyCompromise), false)]),
        (13, vec![(2, CrlReason::CertificateHold)], vec![(Some(CrlReason::KeyCompromise), true)]),
        (14, vec![], vec![(Some(CrlReason::KeyCompromise), true)]),
    ] {
        house.applied(&sign(&crl(&ca, number, &entries), &ca));
        assert_eq!(house.revocations(2), expected, "CRL {number}");
    }
    assert_eq!(house.answers().scopes[0].retained, 3);
}

#[test]
fn f39_of_duplicates_in_any_order_the_same_one_counts() {
    let ca = authority();
    let mut twice = [(5, CrlReason::CertificateHold), (5, CrlReason::KeyCompromise)];
    for _ in 0..2 {
        let house = House::of(&ca);
        assert_eq!(house.applied(&sign(&crl(&ca, 1, &twice), &ca)).added, 1);
        assert_eq!(house.revocations(5), [(Some(CrlReason::KeyCompromise), false)]);
        twice.reverse();
    }
}

#[test]
fn f19_f29_t28_each_scope_has_its_own_entries_numbers_and_times() {
    let ca = authority();
    let house = House::of(&ca);
    let (one, two) = ([idp_uri("http://a/1.crl")], [idp_uri("http://a/2.crl")]);
    house.applied(&sign(
        &at(crl(&ca, 20, &[(1, CrlReason::Superseded), (9, CrlReason::KeyCompromise)]), 100, &one),
        &ca,
    ));
    house.applied(&sign(
        &at(crl(&ca, 5, &[(2, CrlReason::CertificateHold), (9, CrlReason::Superseded)]), 1, &two),
        &ca,
    ));
    house.applied(&sign(&crl(&ca, 3, &[(3, CrlReason::Superseded)]), &ca));
    let scopes = house.answers().scopes;
    assert_eq!(scopes.len(), 3, "a lower number and an earlier time are another scope's matter");
    assert_eq!(house.revocations(9).len(), 2, "one serial number on two CRLs");

    // The second is replaced by an empty one: nothing of the others changes.
    let view = house.store.view().unwrap();
    house.applied(&sign(&at(crl(&ca, 6, &[]), 2, &two), &ca));
    let after = house.answers();
    assert_eq!((&after.scopes[0], &after.scopes[2]), (&scopes[0], &scopes[2]));
    assert_eq!(house.revocations(1), [(Some(CrlReason::Superseded), false)]);
    assert!(house.revocations(2).is_empty());
    assert_eq!(house.revocations(3), [(Some(CrlReason::Superseded), false)]);
    let both = [(Some(CrlReason::KeyCompromise), false), (Some(CrlReason::Superseded), true)];
    assert_eq!(house.revocations(9), both);
    // T32: who looked before sees what was before, all of it.
    assert_eq!(view.scopes(), scopes);
    assert_eq!(view.revocations(house.issuer(0), &SerialNumber::from(2)).unwrap().len(), 1);
}

#[test]
fn f28_kinds_and_reasons_make_scopes_of_their_own() {
    let ca = authority();
    let house = House::of(&ca);
    let some_reasons = tlv(crate::asn1::tag::context(3), &[6, 0x40]);
    for (number, fields) in [vec![idp_flag(1)], vec![idp_flag(2)], vec![some_reasons]].iter().enumerate() {
        // Each has a lower number than the one before.
        house.applied(&sign(&at(crl(&ca, 5, &[]), 9 - number as u8, fields), &ca));
    }
    let kinds: Vec<_> = house.answers().scopes.iter().map(|scope| scope.crl.key.contains).collect();
    assert_eq!(kinds, [CertificateKinds::User, CertificateKinds::Ca, CertificateKinds::All]);
    assert_eq!(house.answers().scopes[2].crl.key.reasons, Some(0b10));
}

#[test]
fn f44_t11_two_generations_of_one_name_share_serials_and_nothing_else() {
    let (old, new) = (Authority::new(KeyKind::P384, NAME), authority());
    let keys = [&new, &old].map(|one| key_of(one, one.certificate.clone())).to_vec();
    let house = House::with(vec![keys], IngestOptions::default());
    house.applied(&sign(&crl(&old, 20, &[(1, CrlReason::Superseded)]), &old));
    // A new key starts to count anew.
    house.applied(&sign(&crl(&new, 1, &[(2, CrlReason::Superseded)]), &new));
    let scopes = house.answers().scopes;
    assert_eq!(scopes.len(), 2);
    assert_ne!(scopes[0].crl.key.signing_key, scopes[1].crl.key.signing_key);
    assert_eq!(scopes[0].issuer(), scopes[1].issuer());
    assert_eq!((house.revocations(1).len(), house.revocations(2).len()), (1, 1));
    // Each is rolled back by itself.
    let why = house.refuses(&sign(&crl(&old, 19, &[]), &old)[..]);
    assert!(matches!(why, Refused::NumberRolledBack { .. }), "{why}");
    house.applied(&sign(&crl(&new, 2, &[]), &new));
    let third = Authority::new(KeyKind::P384, NAME);
    assert!(matches!(house.refuses(&sign(&crl(&third, 21, &[]), &third)[..]), Refused::Signature { .. }));
}

#[test]
fn t11_one_issuers_crl_says_nothing_of_another_issuers_serials() {
    let (one, other) = (authority(), Authority::new(KeyKind::P256, "CN=Other CA"));
    let keys = [&one, &other].map(|ca| vec![key_of(ca, ca.certificate.clone())]).to_vec();
    let house = House::with(keys, IngestOptions::default());
    let report = house.ingest.ingest(&sign(&crl(&other, 1, &HELD), &other)[..]).unwrap();
    assert_eq!(report.issuer_name, "issuer 1");
    assert!(SERIALS.into_iter().all(|serial| house.revocations(serial).is_empty()));
    let view = house.store.view().unwrap();
    assert_eq!(view.revocations(house.issuer(1), &SerialNumber::from(1)).unwrap().len(), 1);
    // Its name with the first one's key is nobody's.
    let mixed = TestCrl { issuer: other.certificate.subject().to_vec(), ..crl(&one, 2, &[]) };
    assert!(matches!(house.refuses(&sign(&mixed, &one)[..]), Refused::Signature { .. }));
}

#[test]
fn f28_a_scope_at_a_name_relative_to_the_issuer_still_has_a_text() {
    use crate::asn1::tag;
    use crate::x509::crl::tests::builder::{name, sequence};
    let attribute = &name("One")[4..];
    let point = tlv(tag::context_constructed(0), &tlv(tag::context_constructed(1), attribute));
    let raw = sequence(&[point]);
    assert_eq!(scope_text(&raw), "(a name relative to the CRL issuer)");
    assert_eq!(scope_text(&sequence(&[idp_uri("http://a/1.crl")])), "http://a/1.crl");
    assert_eq!(scope_text(&[]), "");
}

#[test]
fn t32_crls_taken_in_a_group_are_there_after_a_restart_once_settled() {
    let ca = authority();
    let mut house = House::of(&ca);
    let at = |place: u8, number: u8| {
        let extensions = Some(vec![crl_number(&[number]), idp(&[idp_uri(&format!("http://{place}"))])]);
        sign(
            &TestCrl { extensions, ..crl(&ca, number, &[(u64::from(place), CrlReason::KeyCompromise)]) },
            &ca,
        )
    };
    house.ingest = house.ingest.clone().in_groups();
    for place in 1..20 {
        house.applied(&at(place, 7));
    }
    house.ingest.settle().unwrap();
    let before = house.answers();
    assert_eq!(before.scopes.len(), 19);
    let path = house.path("store");
    let House { store, ingest, folder, .. } = house;
    drop((store, ingest));
    let store = Store::open(&path, &StoreOptions::default()).unwrap();
    assert_eq!(store.view().unwrap().scopes(), before.scopes);
    drop(folder);
}

/// What waiting for the disk costs, run by hand on a quiet machine:
/// `cargo test --release --lib crls_in_a_group -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn measured_crls_in_a_group_and_one_by_one() {
    let ca = authority();
    let at = |place: u32| {
        let extensions = Some(vec![crl_number(&[7]), idp(&[idp_uri(&format!("http://{place}"))])]);
        sign(&TestCrl { extensions, ..crl(&ca, 7, &[(u64::from(place), CrlReason::KeyCompromise)]) }, &ca)
    };
    let crls: Vec<_> = (0..1000).map(at).collect();
    for is_grouped in [false, true, false, true] {
        let house = House::of(&ca);
        let ingest = if is_grouped { house.ingest.clone().in_groups() } else { house.ingest.clone() };
        let started = std::time::Instant::now();
        for crl in &crls {
            ingest.ingest(&crl[..]).unwrap();
        }
        ingest.settle().unwrap();
        println!("1,000 CRLs of one entry, in a group {is_grouped}: {:.3?}", started.elapsed());
    }
}
