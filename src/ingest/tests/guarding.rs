//! The guard, in front of a real store: what it stops, what passes it, and what a rehearsal says.

use super::*;

const MANY: u64 = 400;

/// A house that holds number 7: so many entries, the first `holds` of them on hold.
fn full(authority: &Authority, holds: u64) -> House {
    let house = House::of(authority);
    let entries: Vec<_> = (0..MANY).map(|serial| (serial, why(serial < holds))).collect();
    assert_eq!(house.applied(&sign(&crl(authority, 7, &entries), authority)).added, MANY);
    house
}

fn why(is_hold: bool) -> CrlReason {
    if is_hold { CrlReason::CertificateHold } else { CrlReason::Superseded }
}

/// Number 8: the permanent entries with these serial numbers.
fn next(authority: &Authority, serials: impl Iterator<Item = u64>) -> Vec<u8> {
    let entries: Vec<_> = serials.map(|serial| (serial, why(false))).collect();
    sign(&crl(authority, 8, &entries), authority)
}

#[test]
fn t34_a_crl_that_shrank_suddenly_is_refused_and_taken_when_it_is_forced() {
    let ca = authority();
    let house = full(&ca, 0);
    let shrunk = next(&ca, 0..200);
    let alarm = house.refuses(&shrunk[..]);
    let Refused::Guard(Alarm::Shrunk { held, offered, allowed }) = alarm else { panic!("{alarm}") };
    assert_eq!((held, offered, allowed), (MANY, 200, 120));
    assert!(!house.refuses(&shrunk[..]).is_ours(), "the CRL is the reason");

    let report = house.ingest.ingest_as(&shrunk[..], Manner::Forced).unwrap();
    let Outcome::Applied(change) = report.outcome else { panic!("{report:?}") };
    assert_eq!((change.retained, change.unchanged), (200, 200));
    // Permanent means permanent, forced or not.
    assert_eq!(house.revocations(300), [(Some(CrlReason::Superseded), true)]);
}

#[test]
fn t34_releases_and_withdrawals_by_the_hundred_are_refused_each_by_its_name() {
    let ca = authority();
    let house = full(&ca, 101);
    let released = next(&ca, (101..MANY).chain(1000..1101));
    let alarm = house.refuses(&released[..]);
    assert!(
        matches!(alarm, Refused::Guard(Alarm::MassRelease { held: MANY, released: 101, allowed: 100 })),
        "{alarm}"
    );
    let house = full(&ca, 0);
    let withdrawn = next(&ca, (121..MANY).chain(1000..1121));
    let alarm = house.refuses(&withdrawn[..]);
    let Refused::Guard(Alarm::MassWithdrawal { held: MANY, withdrawn: 121, allowed: 120 }) = alarm else {
        panic!("{alarm}")
    };
    house.applied(&next(&ca, (120..MANY).chain(1000..1121)));
}

#[test]
fn t34_force_passes_the_guard_and_nothing_else() {
    let ca = authority();
    let house = full(&ca, 0);
    let few = [(1, CrlReason::Superseded)];
    let stranger = Authority::new(KeyKind::P256, NAME);
    let forged = crl(&ca, 8, &few).signed(|tbs| {
        let mut signature = Vec::new();
        stranger.key.sign(tbs, &mut signature).unwrap();
        signature
    });
    let future =
        TestCrl { this_update: utc("480101000000Z"), next_update: utc("490101000000Z"), ..crl(&ca, 8, &few) };
    let before = house.answers();
    for (octets, name) in [
        (forged, "signature"),
        (sign(&crl(&ca, 6, &few), &ca), "older"),
        (sign(&crl(&ca, 7, &few), &ca), "other content"),
        (sign(&future, &ca), "future"),
    ] {
        let refused = house.ingest.ingest_as(&octets[..], Manner::Forced).expect_err(name);
        assert!(refused.to_string().contains(name), "{refused}");
        assert_eq!(house.answers(), before, "{name}");
    }
}

#[test]
fn a_rehearsal_says_what_would_change_and_changes_nothing() {
    let ca = authority();
    let house = full(&ca, 2);
    let before = house.answers();
    let rehearse = |octets: &[u8]| house.ingest.ingest_as(octets, Manner::Rehearsed).unwrap().outcome;

    // 0 released, 1 hardened, 399 left, 1000 new.
    let octets = next(&ca, (1..MANY - 1).chain([1000]));
    let Outcome::Rehearsed(change, None) = rehearse(&octets) else { panic!("{:?}", rehearse(&octets)) };
    let said = (change.added, change.changed, change.released, change.retained, change.unchanged);
    assert_eq!(said, (1, 1, 1, 1, MANY - 3));
    assert_eq!(house.answers(), before);

    let Outcome::Rehearsed(_, Some(Alarm::Shrunk { offered: 5, .. })) = rehearse(&next(&ca, 0..5)) else {
        panic!("the guard would refuse it")
    };
    assert_eq!(house.answers(), before);
    // And then it is as was said.
    assert_eq!(house.applied(&octets), change);
    assert_eq!(rehearse(&octets), Outcome::Unchanged);
}

#[test]
fn a_rehearsal_needs_no_store_and_writes_nothing_into_one_that_never_saw_the_scope() {
    let ca = authority();
    let house = House::of(&ca);
    let octets = next(&ca, 0..3);
    let with = house.ingest.ingest_as(&octets[..], Manner::Rehearsed).unwrap();
    let judge = judge(&house.configured, &house.path("scratch"), &house.clock, IngestOptions::default());
    let without = judge.rehearse(&octets[..], None, &Guard::default()).unwrap();
    assert_eq!(with, without);
    let expected = ScopeChange { added: 3, entries: 3, ..ScopeChange::default() };
    assert_eq!(with.outcome, Outcome::Rehearsed(expected, None));
    assert!(house.store.scopes().unwrap().is_empty());
    assert!(judge.rehearse(&octets[..octets.len() - 1], None, &Guard::default()).is_err());
}

#[test]
fn f21_a_delta_crl_rehearsed_without_a_store_is_refused_by_its_name() {
    let ca = authority();
    let house = House::of(&ca);
    let judge = judge(&house.configured, &house.path("scratch"), &house.clock, IngestOptions::default());
    let extensions = Some(vec![crl_number(&[8]), delta_indicator(&[7])]);
    let delta = sign(&TestCrl { extensions, ..crl(&ca, 8, &[]) }, &ca);
    let why = judge.rehearse(&delta[..], None, &Guard::default()).unwrap_err();
    assert!(matches!(&why, Refused::DeltaBeforeBase { base } if base == "07"), "{why}");
}

#[test]
fn t34_a_delta_crl_that_lifts_holds_by_the_hundred_is_refused() {
    let ca = authority();
    let house = full(&ca, 150);
    let lifting = |number: u8, count: u64| {
        let entries: Vec<_> = (0..count).map(|serial| (serial, CrlReason::RemoveFromCrl)).collect();
        let extensions = Some(vec![crl_number(&[number]), delta_indicator(&[7])]);
        sign(&TestCrl { extensions, ..crl(&ca, number, &entries) }, &ca)
    };
    let alarm = house.refuses(&lifting(8, 101)[..]);
    let Refused::Guard(Alarm::MassRelease { held: MANY, released: 101, allowed: 100 }) = alarm else {
        panic!("{alarm}")
    };
    // What a delta CRL lifts is counted once: the next one says it again, because it is cumulative.
    assert_eq!(house.applied(&lifting(9, 90)).lifted, 90);
    assert_eq!(house.applied(&lifting(10, 150)).lifted, 60);
}
