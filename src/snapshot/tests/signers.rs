//! Whose CRLs count: key generations, CRL issuers, retired scopes; and distribution points with several names.

use super::*;
use crate::asn1::tlv;
use crate::x509::CrlReason;

fn ends(snapshot: &Snapshot, key: usize) -> Result<i64, Coverage> {
    snapshot.keys()[key].scopes.whole(now()).map(|window| window.next_update.since(now()) / HOUR)
}

#[test]
fn f44_a_new_key_that_signed_one_partition_still_rests_on_the_others_of_the_old_key() {
    let (setting, new, old, number) = generations();
    let until = |crl: Crl, hours| crl.valid(now().plus(-HOUR), now().plus(hours * HOUR));
    setting.load(until(Crl::of(number, &old.certificate).at("a"), 9));
    setting.load(until(Crl::of(number, &old.certificate).at("b"), 5));
    assert_eq!((ends(&setting.snapshot(), 0), ends(&setting.snapshot(), 1)), (Ok(5), Ok(5)));
    setting.load(until(Crl::of(number, &new.certificate).at("a").number(2), 30));
    // The old key's "b" is the first to run out, for both. Its "a" has a successor, and is waited for no more.
    assert_eq!((ends(&setting.snapshot(), 0), ends(&setting.snapshot(), 1)), (Ok(5), Ok(5)));
    setting.load(until(Crl::of(number, &new.certificate).at("b").number(2), 20));
    assert_eq!((ends(&setting.snapshot(), 0), ends(&setting.snapshot(), 1)), (Ok(20), Ok(20)));
}

#[test]
fn f44_a_new_key_with_numbers_of_its_own_does_not_stand_in_for_a_late_crl_of_the_old_key() {
    let (setting, new, old, number) = generations();
    setting.load(Crl::of(number, &old.certificate).number(9).valid(now().plus(-DAY), now()));
    setting.load(Crl::of(number, &new.certificate).number(1));
    let snapshot = setting.snapshot();
    assert!(ends(&snapshot, 0).is_ok());
    assert_eq!(ends(&snapshot, 1), Err(Coverage::Expired { since: now() }));
    // Nor does one with a higher number that is older.
    setting.load(Crl::of(number, &new.certificate).number(10).valid(now().plus(-2 * DAY), now().plus(DAY)));
    assert_eq!(ends(&setting.snapshot(), 1), Err(Coverage::Expired { since: now() }));
    setting.load(Crl::of(number, &new.certificate).number(11));
    assert!(ends(&setting.snapshot(), 1).is_ok());
    // The old key never succeeds the new one.
    setting.load(Crl::of(number, &new.certificate).number(12).valid(now().plus(-DAY), now()));
    setting.load(Crl::of(number, &old.certificate).number(13));
    assert_eq!(ends(&setting.snapshot(), 0), Err(Coverage::Expired { since: now() }));
}

#[test]
fn f44_a_key_that_is_not_configured_any_more_covers_nothing_and_delays_nothing() {
    let (mut setting, new, old, number) = generations();
    setting.load(Crl::of(number, &old.certificate).at("a").valid(now().plus(-DAY), now()));
    setting.load(Crl::of(number, &new.certificate).at("b"));
    assert_eq!(ends(&setting.snapshot(), 0), Err(Coverage::Expired { since: now() }));
    setting.issuers[0].keys.truncate(1);
    assert!(ends(&setting.snapshot(), 0).is_ok());
}

#[test]
fn f30_partitions_of_two_keys_are_counted_once() {
    let (mut setting, new, old, number) = generations();
    setting.issuers[0].scopes = ScopesPolicy::Count(3);
    for key in [&new, &old] {
        setting.load(Crl::of(number, &key.certificate).at("a"));
        setting.load(Crl::of(number, &key.certificate).at("b"));
    }
    assert_eq!(ends(&setting.snapshot(), 0), Err(Coverage::Missing { have: 2, want: 3 }));
}

#[test]
fn f35_an_indirect_crl_covers_an_issuer_that_named_its_signer() {
    let mut one = one();
    let other = Authority::new(KeyKind::P256, "CN=CRL Issuer");
    one.load(Crl::of(one.number, &other.certificate));
    assert_eq!(one.whole(), Err(Coverage::Empty), "nobody named it");
    one.setting.issuers[0].crl_issuers = vec![Arc::new(other.certificate.clone())];
    assert!(one.whole().is_ok());
    // Where the CA has a partition of its own, both are needed; where it covers everything itself, not.
    one.load(Crl::of(one.number, &other.certificate).valid(now().plus(-DAY), now()));
    one.load(one.crl().at("a"));
    assert_eq!(one.whole(), Err(Coverage::Expired { since: now() }));
    one.load(one.crl());
    assert!(one.whole().is_ok());
}

#[test]
fn t21_a_retired_scope_covers_nothing_and_what_it_revoked_does_not_run_out() {
    let one = one();
    one.load(one.crl().at("merged").revoking(serial(1), revoked(None)));
    one.load(one.crl().at("merged").retired());
    assert_eq!(one.whole(), Err(Coverage::Empty));
    one.load(one.crl().at("a").valid(now().plus(-HOUR), now().plus(HOUR)));
    let scopes = one.scopes();
    assert_eq!(scopes.whole(now()), Ok(window(-HOUR, HOUR)));
    assert_eq!(scopes.at_point(one.point("merged"), now()), None);
    let snapshot = one.setting.snapshot();
    let rows = snapshot.view().revocations(one.number, &serial(1)).unwrap();
    let role = scopes.role(rows[0].scope).unwrap();
    assert!(rows[0].retained && role.own.is_fresh(now().plus(10_000 * DAY)));
    assert_eq!(role.own.this_update, now().plus(-HOUR), "as new as what the others say");
    // A newer CRL brings it back.
    one.load(one.crl().at("merged").number(3));
    assert!(one.scopes().at_point(one.point("merged"), now()).is_some());
}

#[test]
fn f26_a_delta_crl_that_is_not_retired_with_its_scope_runs_out() {
    let one = one();
    let hold = revoked(Some(CrlReason::CertificateHold));
    one.load(one.crl().at("merged").number(5).revoking(serial(1), revoked(None)));
    let delta = one.crl().at("merged").delta().number(6).valid(now().plus(-HOUR), now().plus(HOUR));
    one.load(delta.revoking(serial(2), hold));
    one.load(one.crl().at("merged").number(5).retired());
    let snapshot = one.setting.snapshot();
    let role = |of| {
        let rows = snapshot.view().revocations(one.number, &serial(of)).unwrap();
        *snapshot.keys()[0].scopes.role(rows[0].scope).unwrap()
    };
    assert_eq!(role(2).together.next_update, now().plus(HOUR));
    assert!(role(1).own.is_fresh(now().plus(10_000 * DAY)));
}

#[test]
fn t28_what_the_issuer_issues_is_what_must_be_covered() {
    let mut one = one();
    one.load(one.crl().only(CertificateKinds::User));
    assert_eq!(one.whole(), Err(Coverage::Partial));
    one.setting.issuers[0].covers = Covers::User;
    assert_eq!(one.whole(), Ok(window(-HOUR, 2 * DAY)));
    // A late CRL for CA certificates is none of its business then.
    one.load(one.crl().only(CertificateKinds::Ca).valid(now().plus(-DAY), now()));
    assert_eq!(one.whole(), Ok(window(-HOUR, 2 * DAY)));
    one.setting.issuers[0].covers = Covers::Ca;
    assert_eq!(one.whole(), Err(Coverage::Expired { since: now() }));
    one.load(one.crl().only(CertificateKinds::Ca).at("a"));
    one.load(one.crl().only(CertificateKinds::Ca));
    assert_eq!(one.whole(), Ok(window(-HOUR, 2 * DAY)));
    assert!(one.scopes().at_point(one.point("a"), now()).is_some());
}

/// GeneralNames of these URIs, in canonical form.
fn names(uris: &[&str]) -> String {
    let octets: Vec<u8> = uris.iter().flat_map(|uri| tlv(tag::context(6), uri.as_bytes())).collect();
    // The tag [6] is no UTF-8 by itself: the setting takes text, so a universal tag stands in for it.
    String::from_utf8(octets.into_iter().map(|octet| if octet == 0x86 { 0x16 } else { octet }).collect())
        .unwrap()
}

#[test]
fn s6_3_3_b_2_i_one_name_in_common_makes_it_the_crl_of_a_distribution_point() {
    let mut one = one();
    let (both, ldap, http) = (names(&["http:a", "ldap:a"]), names(&["ldap:a"]), names(&["http:a"]));
    one.load(one.crl().at(&both));
    let scopes = {
        one.point(&ldap);
        one.point(&http);
        one.point(&names(&["http:b"]));
        one.scopes()
    };
    for hint in [&both, &ldap, &http] {
        assert_eq!(scopes.at_point(one.point(hint), now()), Some(window(-HOUR, 2 * DAY)));
    }
    assert_eq!(scopes.at_point(one.point(&names(&["http:b"])), now()), None);
    // A point of several names is late when any of its CRLs is.
    one.load(one.crl().at(&ldap).valid(now().plus(-DAY), now()));
    assert_eq!(one.scopes().at_point(one.point(&both), now()), None);
    assert_eq!(one.scopes().at_point(one.point(&http), now()), Some(window(-HOUR, 2 * DAY)));
    // And what is listed is there under any of its names.
    let listed = |name: &str| (name.as_bytes().to_vec(), name.to_owned());
    one.setting.issuers[0].scopes = ScopesPolicy::Listed(vec![listed(&http), listed("c")]);
    assert_eq!(one.whole(), Err(Coverage::Missing { have: 1, want: 2 }));
    assert_eq!(one.scopes().missing_points(), ["c"]);
}

#[test]
fn f31_reasons_of_crls_that_share_a_name_add_up() {
    let one = one();
    let (both, ldap) = (names(&["http:a", "ldap:a"]), names(&["ldap:a"]));
    one.load(one.crl().at(&both).reasons(&[1, 2, 3, 4]));
    one.load(one.crl().at(&ldap).reasons(&[5, 6, 7, 8]));
    assert_eq!(one.scopes().at_point(one.point(&ldap), now()), Some(window(-HOUR, 2 * DAY)));
}
